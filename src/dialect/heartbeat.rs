//! Signs of life for a client that waits for more of a stream.
//!
//! A comment keeps connections and read timeouts alive, but some clients count events only: Codex ends a stream after its idle time
//! whatever comments come, and Claude Code does after three minutes. So the APIs that have an event for it get that.

use bytes::Bytes;

use super::conversation::Api;
use crate::request::Endpoint;

/// A comment, which every client takes at any time.
pub const COMMENT: &[u8] = b": keepalive\n\n";

/// A sign of life in a stream of this endpoint. `sequence_number`: of the last event of a response.
pub fn heartbeat(endpoint: Endpoint, sequence_number: u64) -> Bytes {
    match Api::of(endpoint) {
        Some(Api::Messages) => {
            Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n")
        }
        Some(Api::Responses) => format!(
            "event: keepalive\ndata: {{\"type\":\"keepalive\",\"sequence_number\":{sequence_number}}}\n\n"
        )
        .into(),
        Some(Api::Chat) | None => Bytes::from_static(COMMENT),
    }
}
