//! How much we accept before we refuse or wait.

use std::time::Duration;

use serde::Deserialize;

use super::{duration, size};

/// Bounds that keep the process small and available.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The largest request body, in bytes.
    #[serde(deserialize_with = "size::read")]
    pub body: usize,
    /// The memory for the bodies of all requests together, in bytes.
    #[serde(deserialize_with = "size::read")]
    pub memory: usize,
    /// The largest head of a request, in bytes.
    #[serde(deserialize_with = "size::read")]
    pub headers: usize,
    /// How many connections may be open; a further one takes the place of the one that has been idle for the longest time,
    /// or waits.
    pub connections: usize,
    /// How many requests may be served at a time; further ones get 503.
    pub requests: usize,
    /// How long requests may queue for the processor; when that goes on, further ones get 503. 0: they queue.
    #[serde(deserialize_with = "duration::read")]
    pub queueing: Duration,
    /// How long a connection may be without an open request.
    #[serde(deserialize_with = "duration::read")]
    pub idle_connection: Duration,
    /// How long a client may take nothing of an answer that waits for it. Progress counts, not the total.
    #[serde(deserialize_with = "duration::read")]
    pub write: Duration,
    /// How long we go on accepting after we were told to stop; readiness fails meanwhile.
    #[serde(deserialize_with = "duration::read")]
    pub shutdown_delay: Duration,
    /// How long open requests may take to finish when we stop.
    #[serde(deserialize_with = "duration::read")]
    pub drain: Duration,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            // The SDKs upload files in parts of 64 MiB.
            body: 72 << 20,
            // Seven of the largest bodies; a thousand of an agent's long conversations.
            memory: 512 << 20,
            headers: 64 << 10,
            connections: 4096,
            requests: 2048,
            // Refusals take processor time as well; whether they are worth it depends on who asks.
            queueing: Duration::ZERO,
            idle_connection: Duration::from_secs(60),
            write: Duration::from_secs(30),
            shutdown_delay: Duration::ZERO,
            // Kubernetes kills after 30 s.
            drain: Duration::from_secs(25),
        }
    }
}
