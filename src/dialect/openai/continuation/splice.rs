//! The events of a reply that continues a broken stream, rewritten as the rest of that stream.

use serde_json::Value;

use super::limits::{OutputLimits, Stop};
use super::seam::{Seam, Search};
use super::transcript::Transcript;
use super::{chat, response};
use crate::config::Prefill;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::sse;

/// Rewrites one reply.
#[derive(Debug)]
pub struct Splicer {
    transcript: Transcript,
    seam: Option<Seam>,
    limits: OutputLimits,
    stopped: Option<Stop>,
}

/// The reply does not continue where the first stream broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSeam;

impl Splicer {
    /// For the reply to a request that [`super::body`] made from `request`.
    pub fn new(request: &ModelRequest, transcript: &Transcript, prefill: Prefill) -> Self {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let is_plain_prompt = request.endpoint == Endpoint::Completions;
        Self {
            transcript: transcript.clone(),
            seam: Some(Seam::new(&transcript.text, prefill, is_plain_prompt)),
            limits: OutputLimits::new(&body, &transcript.text, transcript.tokens),
            stopped: None,
        }
    }

    /// Whether the answer is over, though the upstream may have more.
    pub fn has_stopped(&self) -> bool {
        self.stopped.is_some()
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
                Some(Ok(Value::Object(object))) => match self.transcript.endpoint() {
                    Endpoint::Responses => response::rewrite(self, object, &mut out)?,
                    _ => chat::rewrite(self, object, &mut out)?,
                },
                // Comments, `[DONE]`.
                _ => out.extend_from_slice(&events[event.start..event.end]),
            }
        }
        Ok(out)
    }

    /// The new part of a piece of the reply's text. `is_over`: the reply has no more.
    pub(super) fn new_text(&mut self, piece: &str, is_over: bool) -> Result<String, NoSeam> {
        let piece = match self.seam.as_mut().map(|seam| seam.take(piece, is_over)) {
            None => piece.to_owned(),
            Some(Search::Undecided) => return Ok(String::new()),
            Some(Search::NotFound) => return Err(NoSeam),
            Some(Search::Found(rest)) => {
                self.seam = None;
                rest
            }
        };
        let (text, stop) = self.limits.take(&piece, is_over);
        self.stopped = self.stopped.or(stop);
        self.transcript.text.push_str(&text);
        Ok(text)
    }

    /// What the client has received, the new text included.
    pub(super) fn transcript(&mut self) -> &mut Transcript {
        &mut self.transcript
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stopped
    }
}

/// The sum of two token counts. If the first is unknown, `otherwise` replaces it.
pub(super) fn sum(first: &Value, otherwise: u64, second: &Value) -> u64 {
    first.as_u64().unwrap_or(otherwise) + second.as_u64().unwrap_or(0)
}
