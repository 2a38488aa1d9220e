//! What a simulator has received.

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use serde_json::Value;
use tokio::time::Instant;

/// One request as it arrived, body included.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The HTTP version of the connection.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When the last byte of the body was read.
    pub at: Instant,
}

impl Received {
    /// The body as JSON, or `Null` when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The string in the JSON body's `model` field.
    pub fn model(&self) -> Option<String> {
        self.json()["model"].as_str().map(ToOwned::to_owned)
    }

    /// The value of a header that is present and readable text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
