//! The body of an answer that is not streamed.

use bytes::Bytes;
use serde_json::Value;

/// A body and its media type.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) kind: &'static str,
    pub(super) bytes: Bytes,
}

impl From<Value> for Content {
    fn from(value: Value) -> Self {
        Self {
            kind: JSON,
            bytes: value.to_string().into(),
        }
    }
}

/// The media type of most bodies.
pub(super) const JSON: &str = "application/json";
