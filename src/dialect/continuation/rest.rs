//! The rest of a broken stream, as received from another upstream: where its text starts, and where it must end.

use serde_json::Value;

use super::limits::{OutputLimits, Stop};
use super::seam::{Seam, Search};
use super::transcript::Transcript;
use crate::catalogue::Prefill;
use crate::dialect::conversation::Usage;
use crate::outcome::Defect;
use crate::request::Endpoint;

/// The rest received so far.
#[derive(Debug)]
pub(super) struct Rest {
    seam: Option<Seam>,
    limits: OutputLimits,
    stopped: Option<Stop>,
    /// The tokens of both parts that the client has, roughly.
    tokens: u64,
    /// What the first part is known to have used.
    used: Usage,
}

impl Rest {
    pub(super) fn new(request: &Value, transcript: &Transcript, prefill: Prefill) -> Self {
        let text = &transcript.text;
        let is_plain_prompt = transcript.endpoint == Endpoint::Completions;
        // A text that is asked for again begins with its first word.
        let prefill = if transcript.starts_anew() {
            Prefill::Trailing
        } else {
            prefill
        };
        let used = transcript.usage.unwrap_or_default();
        let tokens = transcript.tokens + transcript.thoughts;
        Self {
            seam: Some(Seam::new(text, prefill, is_plain_prompt)),
            limits: OutputLimits::new(request, text, transcript.tokens),
            stopped: None,
            tokens,
            used: Usage {
                output: used.output.max(tokens),
                ..used
            },
        }
    }

    /// The new part of a piece of the reply's text. `is_over`: something else follows, or nothing.
    pub(super) fn new_text(&mut self, piece: &str, is_over: bool) -> Result<String, Defect> {
        let piece = match self.seam.as_mut().map(|seam| seam.take(piece, is_over)) {
            None => piece.to_owned(),
            Some(Search::Undecided) => return Ok(String::new()),
            Some(Search::NotFound) => return Err(Defect::NoSeam),
            Some(Search::Found(rest)) => {
                self.seam = None;
                rest
            }
        };
        let (text, stop) = self.limits.take(&piece, is_over);
        self.stopped = self.stopped.or(stop);
        self.tokens += u64::from(!text.is_empty());
        Ok(text)
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// What both parts have used: both upstreams were paid, but the client's prompt was one. `usage`: what the reply reports.
    pub(super) fn sum(&self, usage: Usage) -> Usage {
        let of_prompt = if self.used.input > 0 {
            self.used
        } else {
            usage
        };
        Usage {
            output: self.used.output + usage.output,
            reasoning: self.used.reasoning + usage.reasoning,
            ..of_prompt
        }
    }

    /// The same for an answer that was stopped before its upstream could say.
    pub(super) fn used_so_far(&self) -> Usage {
        Usage {
            output: self.tokens.max(self.used.output),
            ..self.used
        }
    }
}
