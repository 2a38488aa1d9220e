//! Putting a key on a request, so that it shows nowhere else.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use memchr::memmem::{find, find_iter};

use crate::config::{KeyHeader, Secret};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

const BEARER: &str = "Bearer ";

/// What stands where a key was.
const HIDDEN: &[u8] = b"***";
/// Shorter ones are no secrets but placeholders, such as `none`, which are found in innocent words.
const SHORTEST_SECRET: usize = 8;

/// One key of an upstream, ready to be sent.
#[derive(Clone)]
pub struct Credential(HeaderName, HeaderValue);

impl Credential {
    /// A key that goes out in this header; `None` if it has characters that no header may hold.
    pub fn new(key: &Secret, header: KeyHeader) -> Option<Self> {
        let (name, value) = match header {
            KeyHeader::Bearer => (AUTHORIZATION, format!("{BEARER}{}", key.expose())),
            KeyHeader::XApiKey => (X_API_KEY, key.expose().to_owned()),
            KeyHeader::ApiKey => (API_KEY, key.expose().to_owned()),
        };
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some(Self(name, value))
    }

    /// Adds it to the headers of a request.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        headers.insert(self.0.clone(), self.1.clone());
    }

    /// The same text without the key.
    pub(super) fn hide_in(&self, text: Bytes) -> Bytes {
        let value = self.1.as_bytes();
        let key = value.strip_prefix(BEARER.as_bytes()).unwrap_or(value);
        if key.len() < SHORTEST_SECRET || find(&text, key).is_none() {
            return text;
        }
        let mut hidden = Vec::with_capacity(text.len());
        let mut rest = 0;
        for at in find_iter(&text, key) {
            hidden.extend_from_slice(&text[rest..at]);
            hidden.extend_from_slice(HIDDEN);
            rest = at + key.len();
        }
        hidden.extend_from_slice(&text[rest..]);
        hidden.into()
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(****)")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Credential;
    use crate::config::{KeyHeader, Secret};

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
    fn placeholders_are_no_secrets() {
        let body = b"there is none";
        assert_eq!(&hidden("none", KeyHeader::Bearer, body)[..], body);
    }
}
