//! How long we wait for upstreams.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// Time limits of attempts and requests.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// To a usable connection: name, TCP and TLS together.
    #[serde(deserialize_with = "duration::read")]
    pub connect: Duration,
    /// To the head of a streamed answer; left out: as long as to the first content.
    #[serde(deserialize_with = "duration::read_optional")]
    pub headers: Option<Duration>,
    /// To the first content of a stream.
    #[serde(deserialize_with = "duration::read")]
    pub first_token: Duration,
    /// To the head of an answer that is not streamed; see [`TimeoutsConfig::to_first_content`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub answer: Option<Duration>,
    /// Between two pieces of a reply, whatever is in them.
    #[serde(deserialize_with = "duration::read")]
    pub idle: Duration,
    /// Between two pieces of content; comments and pings are not content.
    #[serde(deserialize_with = "duration::read")]
    pub content: Duration,
    /// Instead of `first_token`, `idle` and `content` for models that think, where it is longer.
    #[serde(deserialize_with = "duration::read")]
    pub reasoning: Duration,
    /// For a request with all its attempts, to the first content of a stream or the end of another answer. A stream that
    /// has begun may last for as long as it makes progress.
    #[serde(deserialize_with = "duration::read")]
    pub total: Duration,
    /// How long a request waits when nobody can answer now, but somebody may be able to soon.
    #[serde(deserialize_with = "duration::read")]
    pub wait: Duration,
    /// Events with content per second that a stream must bring, averaged over 30 s; left out: no minimum.
    pub min_rate: Option<f64>,
    /// How long a stream's client waits for the first event before it gets the head of its answer and comments now
    /// and then, so that no middlebox closes the connection as idle.
    #[serde(deserialize_with = "duration::read")]
    pub keepalive: Duration,
}

impl TimeoutsConfig {
    /// How long the first content may take. An answer that is not streamed begins when it is complete, so it gets
    /// four times as long, unless configured; but at most half of `total`, so that a fallback still has time to
    /// answer.
    pub fn to_first_content(&self, is_streamed: bool, is_reasoning: bool) -> Duration {
        let first = self.at_least_reasoning(self.first_token, is_reasoning);
        if is_streamed {
            first
        } else {
            self.answer
                .unwrap_or_else(|| first.saturating_mul(4).min(self.total / 2))
        }
    }

    /// How long an answer may be silent.
    pub fn silence(&self, is_reasoning: bool) -> Duration {
        self.at_least_reasoning(self.idle, is_reasoning)
    }

    /// How long a stream may be without content.
    pub fn between_content(&self, is_reasoning: bool) -> Duration {
        self.at_least_reasoning(self.content, is_reasoning)
    }

    fn at_least_reasoning(&self, usual: Duration, is_reasoning: bool) -> Duration {
        if is_reasoning {
            usual.max(self.reasoning)
        } else {
            usual
        }
    }
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            headers: None,
            first_token: Duration::from_secs(30),
            answer: None,
            idle: Duration::from_secs(30),
            content: Duration::from_secs(120),
            reasoning: Duration::from_secs(180),
            total: Duration::from_secs(600),
            wait: Duration::from_secs(10),
            min_rate: None,
            keepalive: Duration::from_secs(20),
        }
    }
}

/// Timeouts of an upstream, a route or a candidate: what is left out is as one level up.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsOverride {
    /// As [`TimeoutsConfig::connect`]; for an upstream only, because all routes share its connections.
    #[serde(deserialize_with = "duration::read_optional")]
    pub connect: Option<Duration>,
    /// As [`TimeoutsConfig::headers`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub headers: Option<Duration>,
    /// As [`TimeoutsConfig::first_token`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub first_token: Option<Duration>,
    /// As [`TimeoutsConfig::answer`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub answer: Option<Duration>,
    /// As [`TimeoutsConfig::idle`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub idle: Option<Duration>,
    /// As [`TimeoutsConfig::content`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub content: Option<Duration>,
    /// As [`TimeoutsConfig::reasoning`].
    #[serde(deserialize_with = "duration::read_optional")]
    pub reasoning: Option<Duration>,
    /// As [`TimeoutsConfig::total`]; for a route only, because it bounds all attempts together.
    #[serde(deserialize_with = "duration::read_optional")]
    pub total: Option<Duration>,
    /// As [`TimeoutsConfig::min_rate`].
    pub min_rate: Option<f64>,
}

impl TimeoutsOverride {
    /// These timeouts, and the rest from one level up.
    pub fn over(&self, base: &TimeoutsConfig) -> TimeoutsConfig {
        TimeoutsConfig {
            connect: self.connect.unwrap_or(base.connect),
            headers: self.headers.or(base.headers),
            first_token: self.first_token.unwrap_or(base.first_token),
            answer: self.answer.or(base.answer),
            idle: self.idle.unwrap_or(base.idle),
            content: self.content.unwrap_or(base.content),
            reasoning: self.reasoning.unwrap_or(base.reasoning),
            total: self.total.unwrap_or(base.total),
            wait: base.wait,
            min_rate: self.min_rate.or(base.min_rate),
            keepalive: base.keepalive,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::TimeoutsConfig;

    #[test]
    fn an_answer_is_given_four_times_as_long_but_half_of_all_time_at_most() {
        for (first_token, answer) in [(30, 120), (75, 300), (200, 300)] {
            let timeouts = TimeoutsConfig {
                first_token: Duration::from_secs(first_token),
                ..TimeoutsConfig::default()
            };
            let to_answer = timeouts.to_first_content(false, false);
            assert_eq!(to_answer, Duration::from_secs(answer), "{first_token}");
        }
    }
}
