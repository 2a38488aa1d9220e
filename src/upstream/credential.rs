//! Adds a key to requests, and keeps it out of everything else.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use memchr::memmem::Finder;

use crate::catalogue::KeyHeader;
use crate::config::Secret;
use crate::wire::query::escaped;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// Replaces a key.
const HIDDEN: &str = "***";
/// Shorter keys are placeholders such as `none`, not secrets; they occur in ordinary words.
const SHORTEST_SECRET: usize = 8;

/// One key of an upstream, ready to be sent.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    value: HeaderValue,
    /// The forms in which an upstream may repeat it, the shortest first; empty if it is not a secret.
    spellings: Vec<Finder<'static>>,
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
            spellings: spellings(key),
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
            spellings: spellings(text),
        })
    }

    /// Adds the key to the headers of a request.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }

    /// The text with the key replaced.
    pub fn hide_in(&self, text: Bytes) -> Bytes {
        self.hidden_in(&text).map_or(text, Bytes::from)
    }

    /// Replaces the key in the headers of a reply.
    pub(super) fn hide_in_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if let Some(hidden) = self.hidden_in(value.as_bytes()) {
                let hidden = HeaderValue::from_bytes(&hidden);
                *value = hidden.unwrap_or_else(|_| HeaderValue::from_static(HIDDEN));
            }
        }
    }

    /// `None` if the text does not contain the key.
    fn hidden_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        // Hardly any header is long enough to contain the key.
        if text.len() < self.spellings.first()?.needle().len() {
            return None;
        }
        let mut hidden = None;
        for spelling in &self.spellings {
            let text = hidden.as_deref().unwrap_or(text);
            if let Some(without) = without(text, spelling) {
                hidden = Some(without);
            }
        }
        hidden
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

/// The key as it is, percent-encoded, and in JSON that escapes slashes. No upstream is known to repeat a key in another
/// form, such as base64.
fn spellings(key: &str) -> Vec<Finder<'static>> {
    if key.len() < SHORTEST_SECRET {
        return Vec::new();
    }
    let in_url = escaped(key);
    let mut spellings = vec![key.to_owned()];
    for other in [in_small_digits(&in_url), in_url, key.replace('/', "\\/")] {
        let is_escaped = other.len() > key.len();
        if is_escaped && !spellings.contains(&other) {
            spellings.push(other);
        }
    }
    let finders = spellings.iter().map(Finder::new);
    finders.map(Finder::into_owned).collect()
}

/// Changes `%2F` to `%2f`.
fn in_small_digits(escaped: &str) -> String {
    let mut parts = escaped.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at(part.len().min(2));
        format!("{text}%{}{rest}", digits.to_ascii_lowercase())
    })
}

fn without(text: &[u8], key: &Finder<'_>) -> Option<Vec<u8>> {
    let mut hidden = Vec::new();
    let mut rest = 0;
    for at in key.find_iter(text) {
        hidden.extend_from_slice(&text[rest..at]);
        hidden.extend_from_slice(HIDDEN.as_bytes());
        rest = at + key.needle().len();
    }
    if rest == 0 {
        return None;
    }
    hidden.extend_from_slice(&text[rest..]);
    Some(hidden)
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
    fn other_spellings_are_hidden_too() {
        let hidden = |body| hidden("aB/cd+efgh==", KeyHeader::Bearer, body);
        for body in [
            &b"aB/cd+efgh=="[..],
            b"aB%2Fcd%2Befgh%3D%3D",
            b"aB%2fcd%2befgh%3d%3d",
            b"aB\\/cd+efgh==",
        ] {
            assert_eq!(&hidden(body)[..], b"***", "{body:?}");
        }
        assert_eq!(
            &hidden(b"AB%2FCD%2BEFGH%3D%3D")[..],
            b"AB%2FCD%2BEFGH%3D%3D"
        );
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
