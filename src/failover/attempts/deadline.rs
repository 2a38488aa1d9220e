//! How long an attempt waits for the head of its reply: from when the request has been sent, and never beyond the deadline
//! of the whole request.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Stage;
use crate::wire::upload::Sending;

/// When a request must be over, all its attempts together.
#[derive(Clone, Copy, Debug)]
pub(in crate::failover) struct Deadline {
    until: Instant,
}

impl Deadline {
    pub(in crate::failover) fn after(start: Instant, total: Duration) -> Self {
        Self {
            until: start + total,
        }
    }

    pub(in crate::failover) fn until(&self) -> Instant {
        self.until
    }

    /// This time and its timer, or the deadline and its own.
    pub(super) fn or(&self, until: Instant, stage: Stage) -> (Instant, Stage) {
        if until < self.until {
            (until, stage)
        } else {
            (self.until, Stage::Total)
        }
    }
}

/// How long the head of a reply is waited for.
#[derive(Clone, Copy, Debug)]
pub(in crate::failover) struct Wait {
    /// When the attempt began.
    pub(in crate::failover) began: Instant,
    /// From when the request has been sent, and the timer that ends the wait.
    pub(in crate::failover) patience: (Duration, Stage),
    /// The longest pause while the request is being sent.
    pub(in crate::failover) idle: Duration,
    pub(in crate::failover) deadline: Deadline,
}

impl Wait {
    /// When the wait ends, as far as is known now, and the timer that ends it. `sending`: how far a request has got that
    /// takes a while to be sent.
    pub(super) fn until(&self, sending: Option<&Sending>) -> (Instant, Stage) {
        let (patience, stage) = self.patience;
        let Some(sending) = sending else {
            return self.deadline.or(self.began + patience, stage);
        };
        match sending.over_since() {
            Some(sent) => self.deadline.or(sent + patience, stage),
            None => self
                .deadline
                .or(sending.progress() + self.idle, Stage::Idle),
        }
    }

    /// When to look again: the request may have been sent in the meantime, and then less may be left.
    pub(super) fn look_at(&self, until: Instant, now: Instant) -> Instant {
        until.min(now + self.patience.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tokio::time::{Instant, advance};

    use super::{Deadline, Wait};
    use crate::outcome::Stage;
    use crate::wire::upload::{Sending, Upload};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_upload_is_no_waiting_but_must_make_progress() {
        let start = Instant::now();
        let wait = Wait {
            began: start,
            patience: (SECOND * 30, Stage::FirstToken),
            idle: SECOND * 20,
            deadline: Deadline::after(start, SECOND * 600),
        };
        assert_eq!(wait.until(None), (start + SECOND * 30, Stage::FirstToken));
        let sending = Sending::soon();
        let until = || wait.until(Some(&sending));
        let mut upload = Upload::new(vec![b'x'; 200_000].into(), Some(sending.clone()));
        assert_eq!(until(), (start + SECOND * 20, Stage::Idle));
        advance(SECOND * 100).await;
        let _piece: Bytes = upload.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(until(), (start + SECOND * 120, Stage::Idle));
        advance(SECOND * 10).await;
        let _rest = upload.collect().await.unwrap();
        assert_eq!(until(), (start + SECOND * 140, Stage::FirstToken));
        advance(SECOND * 480).await;
        drop(Upload::new(vec![b'x'].into(), Some(sending.clone())));
        assert_eq!(until(), (start + SECOND * 600, Stage::Total));
        let now = Instant::now();
        assert_eq!(wait.look_at(now + SECOND * 40, now), now + SECOND * 30);
        assert_eq!(wait.look_at(now + SECOND * 20, now), now + SECOND * 20);
    }
}
