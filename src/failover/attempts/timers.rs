//! The timers of a running stream: silence, no content, and too little content. A stream that makes progress may last.
//!
//! No timer is reset for each event, which would cost more than to pass the event on. The alarm rings at the earliest
//! time that was known when it was set, and then checks whether that time has moved.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::Stage;

/// The rate of content is averaged over this time.
const WINDOW: Duration = Duration::from_secs(30);
/// After the terminal event, the rest (usage, `[DONE]`) comes at once or not at all.
pub(super) const AFTER_THE_END: Duration = Duration::from_secs(2);

/// The timeouts of a stream.
#[derive(Clone, Copy, Debug)]
pub(in crate::failover) struct StreamTimeouts {
    /// The longest silence.
    pub(in crate::failover) idle: Duration,
    /// The longest time without content; `None` for bytes of unknown meaning.
    pub(in crate::failover) content: Option<Duration>,
    /// Events with content per second.
    pub(in crate::failover) min_rate: Option<f64>,
    /// The longest silence and the longest time without content while the model thinks, where it is longer.
    pub(in crate::failover) reasoning: Duration,
}

impl StreamTimeouts {
    /// The model thinks: it may be silent for longer.
    pub(super) fn thinks(&mut self) {
        self.idle = self.idle.max(self.reasoning);
        self.content = self.content.map(|gap| gap.max(self.reasoning));
    }
}

/// The state of the timers.
#[derive(Debug)]
pub(in crate::failover) struct Timers {
    limits: StreamTimeouts,
    last_byte: Instant,
    last_content: Instant,
    window_start: Instant,
    window_events: usize,
    /// Up to when all time has been counted.
    counted: Instant,
    /// Whether the upstream has been waited for since.
    is_waiting: bool,
    /// Whether content has come whose time is not noted yet.
    is_fresh: bool,
}

impl Timers {
    pub(in crate::failover) fn start(limits: StreamTimeouts, now: Instant) -> Self {
        Self {
            limits,
            last_byte: now,
            last_content: now,
            window_start: now,
            window_events: 0,
            counted: now,
            is_waiting: false,
            is_fresh: false,
        }
    }

    /// Nothing is there yet: from now on the upstream is waited for.
    pub(in crate::failover) fn waits(&mut self) {
        if self.is_waiting {
            return;
        }
        let now = Instant::now();
        if self.is_fresh {
            self.received(0, now);
        } else {
            self.pass_over_pause(now);
        }
        self.is_waiting = true;
    }

    /// Something came just now, with so many events of content in it. To read the clock for each read would cost as much as to
    /// look at it, so the time of content is noted when the next is waited for: until then no time counts anyway.
    pub(in crate::failover) fn came(&mut self, content: usize) {
        if content > 0 && self.limits.min_rate.is_none() {
            self.is_waiting = false;
            self.is_fresh = true;
        } else {
            self.received(content, Instant::now());
        }
    }

    /// What came just now holds nothing for the client, which waits on: this time counts, however fast more of that comes.
    pub(in crate::failover) fn waits_on(&mut self) {
        self.is_waiting |= !self.is_fresh;
    }

    /// What has passed since somebody asked for the last time does not count.
    fn pass_over_pause(&mut self, now: Instant) {
        let pause = now.saturating_duration_since(self.counted);
        self.last_byte += pause;
        self.last_content += pause;
        self.window_start += pause;
        self.counted = now;
    }

    /// Something came, with so many events of content in it.
    pub(in crate::failover) fn received(&mut self, content: usize, now: Instant) {
        if !self.is_waiting {
            self.pass_over_pause(now);
        }
        self.is_waiting = false;
        self.counted = now;
        self.last_byte = now;
        if content > 0 || self.is_fresh {
            self.is_fresh = false;
            self.last_content = now;
            self.window_events += content;
        }
    }

    /// When the last bytes came.
    pub(in crate::failover) fn last_byte(&self) -> Instant {
        self.last_byte
    }

    /// The model thinks.
    pub(in crate::failover) fn thinks(&mut self) {
        self.limits.thinks();
    }

    /// The answer is complete. What may still come, comes soon: signs of life do not put the end off for ever.
    pub(in crate::failover) fn completed(&mut self) {
        self.limits.reasoning = Duration::ZERO;
        self.limits.content = Some(self.limits.idle);
        self.limits.idle = self.limits.idle.min(AFTER_THE_END);
        self.limits.min_rate = None;
        self.last_content = Instant::now();
    }

    /// When to look again.
    pub(in crate::failover) fn next(&self) -> Instant {
        let idle = self.last_byte + self.limits.idle;
        let content = self.limits.content.map(|gap| self.last_content + gap);
        let window = self.limits.min_rate.map(|_| self.window_start + WINDOW);
        [content, window]
            .into_iter()
            .flatten()
            .fold(idle, Instant::min)
    }

    /// Which timer has expired, if one has.
    pub(in crate::failover) fn expired(&mut self, now: Instant) -> Option<Stage> {
        let limits = self.limits;
        if now >= self.last_byte + limits.idle {
            return Some(Stage::Idle);
        }
        if limits
            .content
            .is_some_and(|gap| now >= self.last_content + gap)
        {
            return Some(Stage::Content);
        }
        let rate = limits.min_rate?;
        let passed = now.saturating_duration_since(self.window_start);
        if passed < WINDOW {
            return None;
        }
        if (self.window_events as f64) < rate * passed.as_secs_f64() {
            return Some(Stage::Rate);
        }
        self.window_start = now;
        self.window_events = 0;
        None
    }
}

/// The message for a stream whose timer has expired.
pub(in crate::failover) fn patience_with(stage: Stage) -> &'static str {
    match stage {
        Stage::Content => "the upstream stopped sending content",
        Stage::Rate => "the upstream sends too slowly",
        _ => "the upstream stopped sending",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{StreamTimeouts, Timers, patience_with};
    use crate::outcome::Stage;

    const SECOND: Duration = Duration::from_secs(1);

    fn timers(start: Instant, min_rate: Option<f64>) -> Timers {
        let limits = StreamTimeouts {
            idle: SECOND * 30,
            content: Some(SECOND * 120),
            min_rate,
            reasoning: SECOND * 180,
        };
        Timers::start(limits, start)
    }

    /// Plays an event every so many seconds until a timer expires; returns after how many seconds, and which timer.
    fn play(mut timers: Timers, start: Instant, every: u32, content: usize) -> (u64, Stage) {
        let mut next = start + SECOND * every;
        let end = start + SECOND * 3600;
        loop {
            let now = timers.next().min(next);
            if now >= end {
                // It would go on for ever.
                return (3600, Stage::Total);
            }
            if now == next {
                timers.is_waiting = true;
                timers.received(content, now);
                next += SECOND * every;
            } else if let Some(stage) = timers.expired(now) {
                return ((now - start).as_secs(), stage);
            }
        }
    }

    #[test]
    fn each_kind_of_trouble_has_its_own_timer() {
        let start = Instant::now();
        assert_eq!(play(timers(start, None), start, 1000, 0), (30, Stage::Idle));
        assert_eq!(
            play(timers(start, None), start, 7, 0),
            (120, Stage::Content)
        );
        assert_eq!(play(timers(start, None), start, 7, 1), (3600, Stage::Total));
        assert_eq!(
            play(timers(start, Some(0.5)), start, 7, 1),
            (30, Stage::Rate)
        );
        assert_eq!(
            play(timers(start, Some(0.5)), start, 2, 1),
            (3600, Stage::Total)
        );
    }

    #[test]
    fn each_is_told_in_its_own_words() {
        for (stage, words) in [
            (Stage::Idle, "the upstream stopped sending"),
            (Stage::Content, "the upstream stopped sending content"),
            (Stage::Rate, "the upstream sends too slowly"),
        ] {
            assert_eq!(patience_with(stage), words);
        }
    }

    #[test]
    fn while_the_model_thinks_it_may_be_silent_but_not_after_the_end() {
        let start = Instant::now();
        let mut thinking = timers(start, None);
        thinking.thinks();
        assert_eq!(play(thinking, start, 1000, 0), (180, Stage::Idle));
        let mut over = timers(start, None);
        over.completed();
        over.thinks();
        assert_eq!(over.next(), start + SECOND * 2);
    }

    #[test]
    fn after_the_terminal_event_the_rest_has_to_hurry() {
        let start = Instant::now();
        let mut timers = timers(start, Some(0.5));
        timers.received(1, start);
        timers.completed();
        assert_eq!(timers.next(), start + SECOND * 2);
        // Nor do comments put the end off for ever.
        assert_eq!(play(timers, start, 1, 0), (30, Stage::Content));
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_of_a_client_does_not_count() {
        let start = Instant::now();
        let mut timers = timers(start, Some(0.5));
        for _ in 0..5 {
            timers.waits();
            advance(SECOND).await;
            timers.received(1, Instant::now());
            advance(SECOND * 100).await;
        }
        timers.waits();
        let resumed = Instant::now();
        assert_eq!(timers.expired(resumed), None);
        assert_eq!(
            timers.next(),
            resumed + SECOND * 25,
            "the window of the rate"
        );
        advance(SECOND * 30).await;
        assert_eq!(timers.expired(Instant::now()), Some(Stage::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn what_holds_nothing_for_the_client_stops_no_time_however_fast_it_comes() {
        let start = Instant::now();
        let mut timers = timers(start, None);
        timers.waits();
        for _ in 0..119 {
            advance(SECOND).await;
            timers.came(0);
            timers.waits_on();
        }
        assert_eq!(timers.expired(Instant::now()), None);
        advance(SECOND).await;
        assert_eq!(timers.expired(Instant::now()), Some(Stage::Content));
        timers.came(1);
        timers.waits_on();
        timers.waits();
        assert_eq!(timers.expired(Instant::now()), None, "content counts");
    }

    #[tokio::test(start_paused = true)]
    async fn each_window_counts_for_itself_and_none_counts_after_the_end() {
        let start = Instant::now();
        let mut timers = timers(start, Some(0.5));
        for (seconds, events) in [(1, 60), (28, 0)] {
            timers.waits();
            advance(SECOND * seconds).await;
            timers.received(events, Instant::now());
        }
        timers.waits();
        advance(SECOND).await;
        assert_eq!(timers.expired(Instant::now()), None);
        advance(SECOND * 29).await;
        timers.received(0, Instant::now());
        timers.waits();
        advance(SECOND).await;
        assert_eq!(timers.expired(Instant::now()), Some(Stage::Rate));
        timers.completed();
        assert_eq!(timers.expired(Instant::now()), None);
    }
}
