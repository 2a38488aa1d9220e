//! Putting a key on a request, so that it shows nowhere else.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::config::{KeyHeader, Secret};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");

/// One key of an upstream, ready to be sent.
#[derive(Clone)]
pub struct Credential(HeaderName, HeaderValue);

impl Credential {
    /// A key that goes out in this header; `None` if it has characters that no header may hold.
    pub fn new(key: &Secret, header: KeyHeader) -> Option<Self> {
        let (name, value) = match header {
            KeyHeader::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose())),
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
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(****)")
    }
}
