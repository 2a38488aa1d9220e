//! The rest of a broken stream, as received from another upstream: where its text starts, and where it must end.

use serde_json::Value;

use super::limits::{OutputLimits, Stop};
use super::seam::{Seam, Search};
use super::transcript::Transcript;
use crate::config::Prefill;
use crate::request::{Endpoint, ModelRequest};
use crate::wire::json;

/// The rest received so far.
#[derive(Debug)]
pub(super) struct Rest {
    transcript: Transcript,
    seam: Option<Seam>,
    limits: OutputLimits,
    stopped: Option<Stop>,
}

/// The reply does not continue where the first stream broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSeam;

impl Rest {
    pub(super) fn new(request: &ModelRequest, transcript: &Transcript, prefill: Prefill) -> Self {
        let mended = json::mended(&request.body);
        let body = mended.as_ref().unwrap_or(&request.body);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let is_plain_prompt = request.endpoint == Endpoint::Completions;
        Self {
            transcript: transcript.clone(),
            seam: Some(Seam::new(&transcript.text, prefill, is_plain_prompt)),
            limits: OutputLimits::new(&body, &transcript.text, transcript.tokens),
            stopped: None,
        }
    }

    /// The new part of a piece of the reply's text. `is_over`: the reply has ended.
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

    /// Everything that the client has received, including the new text.
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
