//! Why the history says nothing.

use crate::history::Unanswered;

/// Why the history says nothing.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The question is wrong; this is how to ask.
    Question(String),
    /// It cannot be read now.
    Busy(Unanswered),
}

impl From<Unanswered> for NoAnswer {
    fn from(error: Unanswered) -> Self {
        Self::Busy(error)
    }
}
