//! Putting a key on a request, so that it shows nowhere else.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};

use crate::config::Secret;

/// One key of an upstream, ready to be sent.
#[derive(Clone)]
pub struct Credential(HeaderValue);

impl Credential {
    /// A key that goes out as `Authorization: Bearer`; `None` if it has characters that no header may hold.
    pub fn bearer(key: &Secret) -> Option<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose())).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// Adds it to the headers of a request.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.0.clone());
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(****)")
    }
}
