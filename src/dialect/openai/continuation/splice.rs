//! The events of a reply that continues a broken stream, rewritten as the rest of that stream.

use serde_json::Value;

use super::rest::{NoSeam, Rest};
use super::transcript::Transcript;
use super::{chat, response};
use crate::config::Prefill;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::sse;

/// Rewrites one reply.
#[derive(Debug)]
pub struct Splicer {
    rest: Rest,
}

impl Splicer {
    /// For the reply to a request that was made from `request` by [`super::body`].
    pub fn new(request: &ModelRequest, transcript: &Transcript, prefill: Prefill) -> Self {
        Self {
            rest: Rest::new(request, transcript, prefill),
        }
    }

    /// Whether the answer is over, though the upstream may have more.
    pub fn has_stopped(&self) -> bool {
        self.rest.stopped().is_some()
    }

    /// What the client gets for some whole events of the reply.
    pub fn rewrite(&mut self, events: &[u8]) -> Result<Vec<u8>, NoSeam> {
        let mut out = Vec::with_capacity(events.len());
        for event in sse::events(events) {
            if self.has_stopped() {
                break;
            }
            let data = event.data.as_deref();
            match data.map(serde_json::from_slice) {
                Some(Ok(Value::Object(object))) => match self.rest.transcript().endpoint() {
                    Endpoint::Responses => response::rewrite(&mut self.rest, object, &mut out)?,
                    _ => chat::rewrite(&mut self.rest, object, &mut out)?,
                },
                // Comments, `[DONE]`.
                _ => out.extend_from_slice(&events[event.start..event.end]),
            }
        }
        Ok(out)
    }
}
