//! Adds a key to requests, and keeps it out of everything else.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::spelling::Spelling;
use crate::catalogue::KeyHeader;
use crate::config::Secret;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// One key of an upstream, ready to be sent.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: HeaderValue,
    /// Finds it where an upstream repeats it; `None` if it is not a secret.
    spelling: Option<Box<Spelling>>,
}

impl Credential {
    /// A key that is sent in this header; `None` if it has characters that no header may contain.
    pub fn new(key: &Secret, header: KeyHeader) -> Option<Self> {
        let key = key.expose();
        let (header, value) = match header {
            KeyHeader::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
            KeyHeader::XApiKey => (X_API_KEY, key.to_owned()),
            KeyHeader::ApiKey => (API_KEY, key.to_owned()),
        };
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some(Self {
            header,
            value,
            spelling: Spelling::of(key).map(Box::new),
        })
    }

    /// A header whose value may be a secret; `None` if it is no header.
    pub fn of_header(name: &str, value: &Secret) -> Option<Self> {
        let text = value.expose();
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(Self {
            header: name.parse().ok()?,
            value,
            spelling: Spelling::of(secret_in(text)).map(Box::new),
        })
    }

    /// Adds the key to the headers of a request.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }

    /// The text with the key replaced.
    pub fn hide_in(&self, text: Bytes) -> Bytes {
        match &self.spelling {
            Some(spelling) => spelling.hide_in(text),
            None => text,
        }
    }

    /// Replaces the key in the headers of a reply.
    pub(super) fn hide_in_headers(&self, headers: &mut HeaderMap) {
        if let Some(spelling) = &self.spelling {
            spelling.hide_in_headers(headers);
        }
    }
}

/// Puts the key of `Authorization: Bearer` in `x-api-key`, too: of those who speak both APIs, some look for one and some
/// for the other, as do the SDKs of Anthropic's API.
pub(super) fn repeat_as_api_key(headers: &mut HeaderMap) {
    let bearer = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let key = bearer.and_then(|value| value.strip_prefix(b"Bearer "));
    if let Some(mut value) = key.and_then(|key| HeaderValue::from_bytes(key).ok()) {
        value.set_sensitive(true);
        headers.insert(X_API_KEY, value);
    }
}

/// The part of a header's value that is the secret: it follows the name of a scheme, which is left out where it is repeated.
fn secret_in(value: &str) -> &str {
    const SCHEMES: [&str; 5] = ["bearer", "basic", "token", "apikey", "key"];
    let secret = value.split_once(' ').filter(|(scheme, _)| {
        let mut known = SCHEMES.into_iter();
        known.any(|known| known.eq_ignore_ascii_case(scheme))
    });
    secret.map_or(value, |(_, secret)| secret)
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(****)")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};

    use super::Credential;
    use crate::catalogue::KeyHeader;
    use crate::config::Secret;

    fn hidden(key: &str, header: KeyHeader, body: &'static [u8]) -> Bytes {
        let key: Secret = serde_json::from_value(key.into()).unwrap();
        let credential = Credential::new(&key, header).unwrap();
        credential.hide_in(Bytes::from_static(body))
    }

    #[test]
    fn a_key_is_hidden_wherever_it_is_repeated_and_nothing_else_changes() {
        for header in [KeyHeader::Bearer, KeyHeader::XApiKey, KeyHeader::ApiKey] {
            let hidden = |body| hidden("sk-secret", header, body);
            assert_eq!(
                &hidden(b"sk-secret\xff\0 Bearer sk-secretsk-secret sk-secre")[..],
                b"***\xff\0 Bearer ****** sk-secre"
            );
            assert_eq!(&hidden(b"Bearer sk-secreT")[..], b"Bearer sk-secreT");
            assert_eq!(&hidden(b"")[..], b"");
        }
    }

    #[test]
    fn of_a_header_the_secret_is_hidden_without_its_scheme_too() {
        for (value, echo, shown) in [
            (
                "Bearer tok-12345678",
                &b"bad tok-12345678"[..],
                &b"bad ***"[..],
            ),
            ("bearer tok-12345678", b"Bearer tok-12345678", b"Bearer ***"),
            ("Basic dTpwYXNz", b"dTpwYXNz", b"***"),
            ("two words-of-it", b"two words-of-it", b"***"),
            ("two words-of-it", b"words-of-it", b"words-of-it"),
        ] {
            let value: Secret = serde_json::from_value(value.into()).unwrap();
            let credential = Credential::of_header("x-gateway", &value).unwrap();
            assert_eq!(&credential.hide_in(Bytes::from_static(echo))[..], shown);
        }
    }

    #[test]
    fn no_header_of_a_reply_has_the_key_in_it() {
        let key: Secret = serde_json::from_value("sk-secret".into()).unwrap();
        let credential = Credential::new(&key, KeyHeader::XApiKey).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-echo", HeaderValue::from_static("key=sk-secret;x"));
        headers.append("x-echo", HeaderValue::from_static("sk-secre"));
        headers.append("x-odd", HeaderValue::from_bytes(b"\xff sk-secret").unwrap());
        credential.hide_in_headers(&mut headers);
        let hidden: Vec<&[u8]> = headers.values().map(HeaderValue::as_bytes).collect();
        assert_eq!(hidden, [&b"key=***;x"[..], b"sk-secre", b"\xff ***"]);
    }

    #[test]
    fn placeholders_are_no_secrets() {
        let body = b"there is none";
        assert_eq!(&hidden("none", KeyHeader::Bearer, body)[..], body);
    }
}
