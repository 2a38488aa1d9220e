//! How long an attempt waits for each part of its answer.

use tokio::time::Instant;

use super::attempt::Attempt;
use super::deadline::Wait;
use super::in_flight::Limit;
use super::pace::Pace;
use crate::outcome::Stage;
use crate::request::Endpoint;
use crate::wire::body::Patience;

impl Attempt<'_> {
    /// How long the first content may take.
    pub(in crate::failover) fn limit(&self) -> Limit {
        self.limit_of(self.request.streaming)
    }

    fn limit_of(&self, is_streamed: bool) -> Limit {
        let with = |is_reasoning| match self.request.endpoint {
            // A handshake needs no model, so reasoning models get no extra time.
            Endpoint::Realtime => self.timeouts.first_token,
            _ => self.timeouts.to_first_content(is_streamed, is_reasoning),
        };
        Limit {
            usual: with(self.is_reasoning()),
            reasoning: with(true),
        }
    }

    pub(super) fn is_reasoning(&self) -> bool {
        self.thinks || self.request.progress.thinks()
    }

    /// The wait for the first content of an exchange that begins now.
    pub(super) fn wait(&self, began: Instant, is_streamed: bool) -> Wait {
        Wait {
            began,
            patience: (self.limit_of(is_streamed).usual, Stage::FirstToken),
            idle: self.timeouts.idle,
            deadline: self.deadline,
        }
    }

    /// The head of a stream has its own timer; the head of a whole answer comes when the answer is complete.
    pub(super) fn to_head(&self, wait: Wait, is_streamed: bool) -> Wait {
        let head = self.timeouts.headers.filter(|_| is_streamed);
        match head {
            Some(head) if head < wait.patience.0 => Wait {
                patience: (head, Stage::Headers),
                ..wait
            },
            _ => wait,
        }
    }

    pub(super) fn to_the_end(&self) -> Patience {
        Patience {
            idle: self.timeouts.idle,
            until: self.deadline.until(),
        }
    }

    pub(super) fn pace(&self, first: (Instant, Stage)) -> Pace {
        let is_reasoning = self.is_reasoning();
        Pace::new(
            first,
            self.limit().usual,
            self.timeouts.silence(is_reasoning),
            self.timeouts.between_content(is_reasoning),
            self.deadline.until(),
        )
    }
}
