//! Thoughts that travel through an API that cannot check them.
//!
//! A provider proves its thoughts by a signature, or encrypts them, and wants them back unchanged. A client keeps them
//! in whichever field its own API has for that. So that they find back, they are sealed there with the API that they belong to;
//! a provider that gets a sealed thought of another one would refuse the request.

use serde_json::{Value, json};

use super::api::Api;
use super::request::Signature;

/// How a sealed signature begins.
pub const SEAL: &str = "backstop1.";

/// What a client of Responses includes to get its thoughts back without anything being stored.
pub const INCLUDED: &str = "reasoning.encrypted_content";

/// Replaces a signature that does not exist, because another model has made the call (Google's documentation of
/// thought signatures).
pub const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Whether a model of Google's refuses calls in its history that are not signed.
pub fn wants_signatures(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let generation = name.strip_prefix("gemini-").unwrap_or_default();
    let digits = generation.bytes().take_while(u8::is_ascii_digit).count();
    generation[..digits]
        .parse()
        .is_ok_and(|number: u32| number >= 3)
}

/// What Google adds to a call in a chat: the signature of the thought that led to it.
pub fn google(signature: &str) -> Value {
    json!({ "google": { "thought_signature": signature } })
}

/// How the id of an item of reasoning begins that this proxy has written: no provider of Responses knows it.
pub const ITEM: &str = "rs_backstop_";

/// The signature, as it travels through the API of a client.
pub fn seal(signature: &Signature) -> String {
    let api = match signature.of {
        Api::Chat => "c",
        Api::Messages => "m",
        Api::Responses => "r",
    };
    let redacted = if signature.is_redacted { "r" } else { "" };
    let id = signature.id.as_deref().unwrap_or_default();
    format!("{SEAL}{api}{redacted}.{id}.{}", signature.data)
}

/// The signature in a field of an API: one that was sealed there, or its provider's own. `None`: there is none.
pub fn signature(of: Api, data: &str, is_redacted: bool, id: Option<String>) -> Option<Signature> {
    unseal(data).or_else(|| {
        let own = Signature::of(of, data, is_redacted)?;
        Some(Signature { id, ..own })
    })
}

/// The signature that was sealed; `None`: it is somebody else's.
pub fn unseal(sealed: &str) -> Option<Signature> {
    let mut parts = sealed.strip_prefix(SEAL)?.splitn(3, '.');
    let (kind, id, data) = (parts.next()?, parts.next()?, parts.next()?);
    let of = match kind.trim_end_matches('r') {
        "c" => Api::Chat,
        "m" => Api::Messages,
        "" => Api::Responses,
        _ => return None,
    };
    Some(Signature {
        of,
        data: data.to_owned(),
        is_redacted: kind.len() > 1,
        id: (!id.is_empty()).then(|| id.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::{seal, unseal, wants_signatures};
    use crate::dialect::conversation::{Api, Signature};

    #[test]
    fn googles_models_want_signatures_from_the_third_generation_on() {
        for model in [
            "gemini-3-pro",
            "google/gemini-3.5-flash",
            "models/gemini-10-flash",
        ] {
            assert!(wants_signatures(model), "{model}");
        }
        for model in [
            "gemini-2.5-flash",
            "gemma-3",
            "gemini-flash-latest",
            "gemini-exp-3",
        ] {
            assert!(!wants_signatures(model), "{model}");
        }
    }

    #[test]
    fn what_was_sealed_is_found_again() {
        for of in [Api::Chat, Api::Messages, Api::Responses] {
            for (is_redacted, id) in [(false, None), (true, Some("rs_1".to_owned()))] {
                let signature = Signature {
                    of,
                    data: "a.b=".to_owned(),
                    is_redacted,
                    id,
                };
                assert_eq!(unseal(&seal(&signature)), Some(signature));
            }
        }
        for other in ["", "EqQBCgIYAhIM", "backstop1.", "backstop1.x.y.z"] {
            assert_eq!(unseal(other), None, "{other}");
        }
    }
}
