//! The deadline of a request, for all its attempts together.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Stage;

/// When a request must be over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    until: Instant,
}

impl Deadline {
    pub(super) fn after(start: Instant, total: Duration) -> Self {
        Self {
            until: start + total,
        }
    }

    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// The end of a wait of at most `patience` from now, and the timer that ends it.
    pub(super) fn first_token(&self, patience: Duration) -> (Instant, Stage) {
        let until = Instant::now() + patience;
        if until < self.until {
            (until, Stage::FirstToken)
        } else {
            (self.until, Stage::Total)
        }
    }
}
