//! Holding a stream back until its first content, the point of no return.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tokio::time::Instant;

use super::ending::{Failure, Held};
use super::events::EventStream;
use super::secrets::Secrets;
use super::timers::{AFTER_THE_END, StreamTimeouts};
use crate::catalogue::Prefill;
use crate::config::HoldConfig;
use crate::outcome::{Defect, Outcome, Stage};
use crate::request::Progress;
use crate::upstream::ReplyBody;
use crate::wire::body::{Patience, ReadError, next_data};

/// The longest preamble that is accepted; a `response.created` that repeats a long prompt is the longest there is.
const LONGEST_PREAMBLE: usize = 4 << 20;
/// The most that is held back, whatever is configured.
const MOST_HELD: usize = 256 << 10;

/// How a stream is held back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold<'a> {
    /// When the first content must be there, and the timer that ends the wait.
    pub(super) first: (Instant, Stage),
    /// When the stream is committed, or fails for lack of content.
    pub(super) deadline: Instant,
    /// Learns whether the model thinks.
    pub(super) progress: &'a Progress,
    /// How much is held back beyond the first content.
    pub(super) more: Option<HoldConfig>,
    /// The timeouts from the first content on.
    pub(super) limits: StreamTimeouts,
}

/// What holds of the stream from the commit on.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    /// How long the client may get nothing before it gets a sign of life.
    pub(super) keepalive: Duration,
    /// What its errors must not show.
    pub(super) secrets: Secrets,
}

/// What has come so far.
struct Kept {
    is_empty: bool,
    bytes: BytesMut,
    content: usize,
    since: Option<Instant>,
}

/// Reads until enough has come to release it. Whatever goes wrong before can still fail over.
pub(super) async fn hold(
    mut events: EventStream,
    mut body: ReplyBody,
    mut hold: Hold<'_>,
    committed: Committed,
) -> Result<Held, Failure> {
    let mut kept = Kept {
        is_empty: true,
        bytes: BytesMut::new(),
        content: 0,
        since: None,
    };
    loop {
        let (taken, is_over) = match next_data(&mut body, hold.patience(&kept)).await {
            Ok(Some(data)) => {
                kept.is_empty = false;
                (events.take(data), false)
            }
            Ok(None) => (events.take_rest(), true),
            Err(ReadError::Stalled | ReadError::TooLate) => match hold.ran_out(&kept) {
                Some(_) if events.is_complete() => return Err(kept.failure(&events)),
                None => return Ok(hold.release(kept, body, events, committed)),
                Some(stage) => return Err(Outcome::TimedOut(stage).into()),
            },
            Err(error) => return Err(error.into()),
        };
        kept.take(&taken.pass, taken.content);
        if taken.thinks {
            hold.thinks();
        }
        if taken.hidden_progress > 0 {
            hold.wait_on();
        }
        if let Some(outcome) = taken.failure.filter(|_| !events.is_complete()) {
            return Err(Failure::by_event(outcome, taken.error_event));
        }
        if hold.is_enough(&kept) || kept.since.is_some() && events.is_complete() {
            return Ok(hold.release(kept, body, events, committed));
        }
        if is_over || kept.since.is_none() && events.is_over() {
            return Err(kept.failure(&events));
        }
        if events.is_complete() {
            hold.hurry();
        }
        if kept.bytes.len() + events.held() > LONGEST_PREAMBLE {
            return Err(Outcome::InvalidReply(Defect::TooLarge).into());
        }
    }
}

impl Hold<'_> {
    fn patience(&self, kept: &Kept) -> Patience {
        let now = Instant::now();
        match kept.since {
            // Until the first content only its own timer counts: a reasoning model may be silent.
            None => Patience {
                idle: self.first.0.saturating_duration_since(now),
                until: self.first.0,
            },
            Some(since) => Patience {
                idle: self.limits.idle,
                until: self.until(since),
            },
        }
    }

    /// The model has shown that it thinks.
    fn thinks(&mut self) {
        self.limits.thinks();
        self.progress.thinking_begins();
    }

    /// The upstream makes progress that the client does not see, so the wait for the first content is extended.
    fn wait_on(&mut self) {
        let gap = self.limits.content.unwrap_or(self.limits.idle);
        let until = Instant::now() + gap;
        if until >= self.deadline {
            self.first = (self.deadline, Stage::Total);
        } else if until > self.first.0 {
            self.first.0 = until;
        }
    }

    /// The answer is complete, and nothing is said in it.
    fn hurry(&mut self) {
        self.first.0 = self.first.0.min(Instant::now() + AFTER_THE_END);
    }

    /// When the held bytes are released, enough or not.
    fn until(&self, since: Instant) -> Instant {
        let time = self.more.and_then(|more| more.time);
        time.map_or(self.deadline, |time| self.deadline.min(since + time))
    }

    /// Which timer ended a wait; `None`: only the time of holding back is over.
    fn ran_out(&self, kept: &Kept) -> Option<Stage> {
        let now = Instant::now();
        match kept.since {
            None => Some(self.first.1),
            Some(since) if now >= self.until(since) => None,
            Some(_) => Some(Stage::Idle),
        }
    }

    fn is_enough(&self, kept: &Kept) -> bool {
        let Some(since) = kept.since else {
            return false;
        };
        let Some(more) = self.more else { return true };
        let is_long_enough = |time: Duration| since.elapsed() >= time;
        more.tokens.is_some_and(|tokens| kept.content >= tokens)
            || more.time.is_some_and(is_long_enough)
            || kept.bytes.len() >= MOST_HELD
    }

    fn release(
        &self,
        kept: Kept,
        mut rest: ReplyBody,
        events: EventStream,
        committed: Committed,
    ) -> Held {
        // Not before: what fails together with the first content must be told from what fails behind it.
        rest.gather();
        Held {
            first: kept.bytes.freeze(),
            rest,
            events,
            limits: self.limits,
            since: kept.since.unwrap_or_else(Instant::now),
            prefill: Prefill::None,
            keepalive: committed.keepalive,
            secrets: committed.secrets,
        }
    }
}

impl Kept {
    fn take(&mut self, pass: &Bytes, content: usize) {
        self.bytes.extend_from_slice(pass);
        self.content += content;
        if content > 0 && self.since.is_none() {
            self.since = Some(Instant::now());
        }
    }

    /// A stream that ended too early, or a complete one in which nothing is said.
    fn failure(mut self, events: &EventStream) -> Failure {
        let defect = match (self.since, self.is_empty) {
            (None, true) => Defect::Empty,
            (None, false) if events.is_complete() => {
                self.bytes.extend_from_slice(&events.missing_end());
                return Failure::silent(200, HeaderMap::new(), self.bytes.freeze());
            }
            (Some(_), _) | (None, false) => Defect::CutShort,
        };
        Outcome::InvalidReply(defect).into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::BytesMut;
    use tokio::time::Instant;

    use super::{Hold, Kept};
    use crate::config::HoldConfig;
    use crate::failover::attempts::timers::StreamTimeouts;
    use crate::outcome::Stage;
    use crate::request::Progress;

    const SECOND: Duration = Duration::from_secs(1);

    /// The first content is due in 5 seconds, everything in 60.
    fn hold(progress: &Progress, content: Duration, more: Option<HoldConfig>) -> Hold<'_> {
        let now = Instant::now();
        Hold {
            first: (now + SECOND * 5, Stage::FirstToken),
            deadline: now + SECOND * 60,
            progress,
            more,
            limits: StreamTimeouts {
                idle: SECOND * 30,
                content: Some(content),
                min_rate: None,
                reasoning: SECOND * 90,
            },
        }
    }

    fn kept(since: Option<Instant>) -> Kept {
        Kept {
            is_empty: false,
            bytes: BytesMut::new(),
            content: usize::from(since.is_some()),
            since,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn progress_that_is_not_seen_extends_the_wait_but_not_beyond_the_deadline() {
        let start = Instant::now();
        for (gap, seconds, stage) in [
            (2, 5, Stage::FirstToken),
            (10, 10, Stage::FirstToken),
            (59, 59, Stage::FirstToken),
            (60, 60, Stage::Total),
            (100, 60, Stage::Total),
        ] {
            let progress = Progress::default();
            let mut hold = hold(&progress, SECOND * gap, None);
            hold.wait_on();
            assert_eq!(hold.first, (start + SECOND * seconds, stage), "{gap}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_says_nothing_has_little_time_to_end_once_it_is_complete() {
        let start = Instant::now();
        let progress = Progress::default();
        let mut hold = hold(&progress, SECOND * 10, None);
        hold.hurry();
        assert_eq!(hold.first.0, start + SECOND * 2);
        tokio::time::advance(SECOND).await;
        hold.hurry();
        assert_eq!(hold.first.0, start + SECOND * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_shows_that_it_thinks_is_known_to_and_gets_more_time() {
        let progress = Progress::default();
        let mut hold = hold(&progress, SECOND * 10, None);
        hold.thinks();
        assert!(progress.thinks());
        assert_eq!(hold.limits.idle, SECOND * 90);
        assert_eq!(hold.limits.content, Some(SECOND * 90));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_for_a_time_is_released_then_and_no_silence_is_that_time() {
        let start = Instant::now();
        let progress = Progress::default();
        let time = |seconds| HoldConfig {
            tokens: None,
            time: Some(SECOND * seconds),
        };
        let short = hold(&progress, SECOND * 10, Some(time(3)));
        let long = hold(&progress, SECOND * 10, Some(time(100)));
        let content = kept(Some(start));
        assert_eq!(short.until(start), start + SECOND * 3);
        assert_eq!(long.until(start), start + SECOND * 60);
        assert_eq!(short.ran_out(&kept(None)), Some(Stage::FirstToken));
        assert_eq!(short.ran_out(&content), Some(Stage::Idle));
        assert!(!short.is_enough(&content) && !short.is_enough(&kept(None)));
        tokio::time::advance(SECOND * 3).await;
        assert_eq!(short.ran_out(&content), None);
        assert_eq!(long.ran_out(&content), Some(Stage::Idle));
        assert!(short.is_enough(&content) && !long.is_enough(&content));
    }
}
