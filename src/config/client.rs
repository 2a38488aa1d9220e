//! Who may call, until when, for which models, and how much.

use jiff::Timestamp;
use serde::Deserialize;

use super::Secret;
use super::digest::KeyDigest;
use super::moment;

/// Somebody who may call.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// Its name in logs.
    pub name: String,
    /// The key that it sends; empty: its digest is known instead.
    pub key: Secret,
    /// The digest of the key that it sends, in place of the key.
    pub key_sha256: Option<KeyDigest>,
    /// From this time on the key is not accepted.
    #[serde(deserialize_with = "moment::read_optional")]
    pub expires: Option<Timestamp>,
    /// The models that it may ask for, as patterns; empty: all.
    pub models: Vec<String>,
    /// How much it may ask for.
    pub limits: ClientLimits,
}

impl ClientConfig {
    /// The digest of its key, however the key is given.
    pub fn digest(&self) -> KeyDigest {
        let of_key = || KeyDigest::of(self.key.expose().as_bytes());
        self.key_sha256.unwrap_or_else(of_key)
    }
}

/// How much a client may ask for. `None`: that is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientLimits {
    /// How many requests in any minute.
    pub requests_per_minute: Option<u64>,
    /// How many tokens in any minute: those of the requests and those of the answers.
    pub tokens_per_minute: Option<u64>,
    /// How many requests at a time.
    pub concurrent: Option<u64>,
}

impl ClientLimits {
    /// Each limit by its key.
    pub(super) fn named(&self) -> [(&'static str, Option<u64>); 3] {
        [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
            ("concurrent", self.concurrent),
        ]
    }
}
