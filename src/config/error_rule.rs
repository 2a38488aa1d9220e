//! What an upstream's errors mean, where the configuration knows better than the built-in tables.

use serde::Deserialize;

/// One rule about an upstream's errors. Everything that it names must fit; what it leaves out may be anything.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorRule {
    /// The HTTP status, 400 to 599.
    pub status: Option<u16>,
    /// The error's code or type, as the upstream writes it.
    pub code: Option<String>,
    /// Words in its message, in small or capital letters.
    pub words: Option<String>,
    /// What such an error means.
    pub outcome: Option<Meaning>,
}

impl ErrorRule {
    /// Whether it is about every error.
    pub fn is_empty(&self) -> bool {
        self.status.is_none() && self.code.is_none() && self.words.is_none()
    }
}

/// What an error means: the outcomes that an error reply may lead to, under the names that logs and metrics use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Requests came too fast.
    RateLimited,
    /// The account has no money or allowance left.
    QuotaExhausted,
    /// The key or the account is refused.
    Unauthorized,
    /// The upstream does not have the model, or not for this account.
    ModelUnavailable,
    /// The upstream has too much to do.
    Overloaded,
    /// The upstream has failed.
    ServerError,
    /// The request itself is wrong.
    Rejected,
    /// The content of the request is refused.
    ContentRefused,
    /// The request is longer than the model can take.
    TooLong,
    /// The upstream does not take a field or value of the request.
    Unsupported,
}
