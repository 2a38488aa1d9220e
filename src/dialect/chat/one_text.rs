//! A chat has one text for what a model says before its calls and behind them.

use std::borrow::Cow;

use crate::dialect::conversation::{BREAK, Citation};

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct OneText {
    /// Whether more of it would join its last word.
    goes_on: bool,
    /// Whether a call has come since.
    is_interrupted: bool,
    /// How many characters were added between its parts.
    added: usize,
}

impl OneText {
    /// A call comes: what follows stands apart.
    pub(super) fn interrupt(&mut self) {
        self.is_interrupted = self.goes_on;
    }

    /// More of it, as it is told.
    pub(super) fn more<'a>(&mut self, text: Cow<'a, str>) -> Cow<'a, str> {
        self.goes_on = !text.ends_with('\n');
        if !std::mem::take(&mut self.is_interrupted) || text.starts_with(BREAK) {
            return text;
        }
        self.added += BREAK.len();
        format!("{BREAK}{text}").into()
    }

    /// A source of it, with the place where the client finds what it stands for.
    pub(super) fn placed(&self, citation: Citation) -> Citation {
        Citation {
            start: citation.start + self.added,
            end: citation.end + self.added,
            ..citation
        }
    }
}
