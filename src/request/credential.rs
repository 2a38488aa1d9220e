//! The client's own credential, for upstreams that its own plan or account pays.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

/// What a provider knows a client by.
static KEYS: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
];
/// Which of its accounts pays.
static ACCOUNTS: [HeaderName; 3] = [
    HeaderName::from_static("chatgpt-account-id"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
];

/// The headers with which a client identifies itself to a provider, as it sent them. They go to upstreams with
/// `credential: client` and to nobody else.
#[derive(Clone)]
pub struct ClientCredential(Arc<HeaderMap>);

impl ClientCredential {
    /// The credential among the headers of a request, if there is one.
    pub fn of(sent: &HeaderMap) -> Option<Self> {
        if !KEYS.iter().any(|name| sent.contains_key(name)) {
            return None;
        }
        let mut headers = HeaderMap::new();
        for name in KEYS.iter().chain(&ACCOUNTS) {
            let value = sent.get(name);
            // A copy: what has come would keep the whole head of the request for as long as a stream lasts.
            let value = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            if let Some(mut value) = value {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Some(Self(Arc::new(headers)))
    }

    /// Adds it to the headers of a request.
    pub fn put_on(&self, headers: &mut HeaderMap) {
        for (name, value) in &*self.0 {
            headers.insert(name, value.clone());
        }
    }

    /// Its keys and tokens, which an upstream may repeat.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let values = KEYS
            .iter()
            .filter_map(|name| self.0.get(name)?.to_str().ok());
        values.map(|value| match value.split_once(' ') {
            // The scheme of `Authorization` is no secret.
            Some((_, token)) => token.trim(),
            None => value,
        })
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCredential(****)")
    }
}
