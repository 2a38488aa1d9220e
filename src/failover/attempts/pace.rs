//! The pace of an answer in one piece: it must begin in time, and then make progress.
//!
//! Some upstreams send the head at once, and then blank lines while the model works (`DeepSeek`, `OpenRouter`): the answer
//! begins with its first byte that is not blank. From there on, a body that trickles is not waited for.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::ending::Failure;
use crate::outcome::{Outcome, Stage};
use crate::upstream::ReplyBody;
use crate::wire::body::{Patience, ReadError, read_at_pace};
use crate::wire::memory::Share;

/// The slowest body that counts as progress, in bytes per second: slower than the text of any model.
const SLOWEST: f64 = 64.0;

/// How an answer in one piece is waited for.
#[derive(Debug)]
pub(super) struct Pace {
    /// When it must have begun, and the timer that ends the wait.
    first: (Instant, Stage),
    idle: Duration,
    /// A part of the body comes within this time, or it does not come fast enough.
    content: Duration,
    deadline: Instant,
    /// How many bytes have been looked at.
    seen: usize,
    part: Option<Part>,
}

/// The part of the body that is on its way.
#[derive(Clone, Copy, Debug)]
struct Part {
    began: Instant,
    offset: usize,
}

impl Pace {
    /// `first`: when it must have begun, and `patience` the time that it had for that. `idle`: the longest silence. `content`: the
    /// time in which there must be progress.
    pub(super) fn new(
        first: (Instant, Stage),
        patience: Duration,
        idle: Duration,
        content: Duration,
        deadline: Instant,
    ) -> Self {
        // The body may follow its head as late as any other piece, but no later than an answer.
        let begins = (Instant::now() + idle.min(patience)).min(deadline);
        Self {
            first: (first.0.max(begins), first.1),
            idle,
            content,
            deadline,
            seen: 0,
            part: None,
        }
    }

    /// Reads the whole body, which may be JSON.
    pub(super) async fn read(
        mut self,
        share: &mut Share,
        (body, is_json): (ReplyBody, bool),
        limit: usize,
    ) -> Result<Bytes, Failure> {
        let patience = |received: &[u8]| self.patience(received);
        match read_at_pace(share, body, limit, is_json, patience).await {
            Err(ReadError::TooLate) => Err(Outcome::TimedOut(self.ran_out()).into()),
            read => Ok(read?),
        }
    }

    fn patience(&mut self, received: &[u8]) -> Patience {
        let now = Instant::now();
        let enough = (self.content.as_secs_f64() * SLOWEST) as usize;
        let has_begun = || !received[self.seen..].trim_ascii_start().is_empty();
        let is_next = match self.part {
            None => has_begun(),
            Some(part) => received.len() - part.offset >= enough,
        };
        self.seen = received.len();
        if is_next {
            self.part = Some(Part {
                began: now,
                offset: received.len(),
            });
        }
        match self.part {
            None => Patience {
                idle: self.first.0.saturating_duration_since(now),
                until: self.first.0,
            },
            Some(part) => Patience {
                idle: self.idle,
                until: (part.began + self.content).min(self.deadline),
            },
        }
    }

    /// The timer that ended the wait.
    fn ran_out(&self) -> Stage {
        match self.part {
            _ if Instant::now() >= self.deadline => Stage::Total,
            None => self.first.1,
            Some(_) => Stage::Content,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::Pace;
    use crate::outcome::Stage;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> Pace {
        let now = Instant::now();
        let first = (now + SECOND * 300, Stage::FirstToken);
        let (patience, idle, content) = (SECOND * 300, SECOND * 30, SECOND * 120);
        Pace::new(first, patience, idle, content, now + SECOND * 600)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_follow_a_late_head_but_has_no_longer_than_an_answer() {
        let start = Instant::now();
        let first = (start + SECOND * 20, Stage::FirstToken);
        let until = |idle: u32| {
            let mut pace = Pace::new(
                first,
                SECOND * 20,
                SECOND * idle,
                SECOND * 120,
                start + SECOND * 600,
            );
            pace.patience(b"").until - start
        };
        assert_eq!(until(180), SECOND * 20);
        advance(SECOND * 19).await;
        assert_eq!(until(180), SECOND * 39);
        assert_eq!(until(5), SECOND * 24);
    }

    #[tokio::test(start_paused = true)]
    async fn blank_lines_do_not_begin_an_answer() {
        let mut pace = pace();
        let start = Instant::now();
        for seconds in [0, 100, 100] {
            advance(SECOND * seconds).await;
            assert_eq!(pace.patience(b" \n\n").until, start + SECOND * 300);
        }
        assert_eq!(pace.ran_out(), Stage::FirstToken);
        let patience = pace.patience(b" \n\n {");
        assert_eq!(patience.until, start + SECOND * (200 + 120));
        assert_eq!(
            (patience.idle, pace.ran_out()),
            (SECOND * 30, Stage::Content)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_has_time_while_it_makes_progress_and_a_trickle_has_not() {
        let start = Instant::now();
        let (mut long, mut trickle) = (pace(), pace());
        let body = vec![b'x'; 100_000];
        for step in 1..=5 {
            assert!(long.patience(&body[..step * 10_000]).until > Instant::now());
            trickle.patience(&body[..step]);
            advance(SECOND * 100).await;
        }
        assert!(long.patience(&body[..60_000]).until > Instant::now());
        assert_eq!(trickle.patience(&body[..6]).until, start + SECOND * 120);
    }

    /// 64 bytes a second for 120 seconds are 7,680.
    #[tokio::test(start_paused = true)]
    async fn only_what_has_come_since_the_last_part_is_progress() {
        let start = Instant::now();
        let mut pace = pace();
        let body = vec![b'x'; 20_000];
        let until = |seconds: u32| start + SECOND * (seconds + 120);
        assert_eq!(pace.patience(&body[..6_000]).until, until(0));
        advance(SECOND * 100).await;
        assert_eq!(pace.patience(&body[..13_679]).until, until(0));
        assert_eq!(pace.patience(&body[..13_680]).until, until(100));
        advance(SECOND * 100).await;
        assert_eq!(pace.patience(&body[..20_000]).until, until(100));
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_deadline_nothing_else_is_to_blame() {
        let start = Instant::now();
        let mut pace = pace();
        pace.patience(b"{");
        advance(SECOND * 590).await;
        assert_eq!(pace.patience(&[b'x'; 9_000]).until, start + SECOND * 600);
        assert_eq!(pace.ran_out(), Stage::Content);
        advance(SECOND * 10).await;
        assert_eq!(pace.ran_out(), Stage::Total);
    }
}
