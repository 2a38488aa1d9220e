//! How patient we are with upstreams.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// Time limits of attempts and requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// To a usable connection: name, TCP and TLS together.
    #[serde(deserialize_with = "duration::read")]
    pub connect: Duration,
    /// To the first content of a stream.
    #[serde(deserialize_with = "duration::read")]
    pub first_token: Duration,
    /// To the head of an answer that is not streamed; see [`TimeoutsConfig::answer`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub answer: Option<Duration>,
    /// Between two pieces of a reply.
    #[serde(deserialize_with = "duration::read")]
    pub idle: Duration,
    /// For a request with all its attempts, to the end of its answer.
    #[serde(deserialize_with = "duration::read")]
    pub total: Duration,
}

impl TimeoutsConfig {
    /// How long an answer that is not streamed may take to begin. It begins when it is complete, so it is given four
    /// times as long as a first token, unless configured.
    pub fn answer(&self) -> Duration {
        self.answer
            .unwrap_or_else(|| self.first_token.saturating_mul(4))
    }
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_token: Duration::from_secs(30),
            answer: None,
            idle: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}
