//! Thoughts that travel through an API that cannot check them.
//!
//! A provider proves its thoughts by a signature, or encrypts them, and wants them back unchanged. A client keeps them
//! in whichever field its own API has for that. So that they find back, they are sealed there with the API that they belong to;
//! a provider that gets a sealed thought of another one would refuse the request.

use super::api::Api;
use super::request::Signature;

/// How a sealed signature begins.
pub const SEAL: &str = "backstop1.";

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
    use super::{seal, unseal};
    use crate::dialect::conversation::{Api, Signature};

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
