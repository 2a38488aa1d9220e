//! Cooldowns: facts with a deadline, such as a rate limit.
//!
//! A cooldown says nothing about health, and none is permanent.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::time::Tick;
use crate::outcome::Outcome;

/// Why no request may be sent for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CooldownReason {
    /// Too many requests or tokens.
    RateLimit,
    /// The credential was refused.
    Credential,
    /// The account has no money or no quota left.
    Quota,
    /// The upstream does not have the model.
    Model,
    /// The upstream is overloaded, and said for how long.
    Overload,
}

impl CooldownReason {
    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Credential => "credential",
            Self::Quota => "quota",
            Self::Model => "model",
            Self::Overload => "overload",
        }
    }

    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::RateLimit => "rate limit",
            Self::Credential => "key refused",
            Self::Quota => "no quota left",
            Self::Model => "model missing",
            Self::Overload => "overloaded",
        }
    }

    /// The one with this label.
    pub fn from_label(label: &str) -> Option<Self> {
        let all = (0..=4).map(Self::from_code);
        all.into_iter().find(|one| one.label() == label)
    }

    fn from_code(code: u64) -> Self {
        match code {
            0 => Self::RateLimit,
            1 => Self::Credential,
            2 => Self::Quota,
            3 => Self::Model,
            _ => Self::Overload,
        }
    }

    /// How long it lasts if the upstream does not say: the first time, and at most. In seconds.
    fn usual(self) -> (f32, f32) {
        const MINUTE: f32 = 60.0;
        match self {
            Self::RateLimit | Self::Overload => (1.0, MINUTE),
            Self::Credential => (MINUTE, 60.0 * MINUTE),
            Self::Quota => (10.0 * MINUTE, 60.0 * MINUTE),
            Self::Model => (10.0 * MINUTE, 10.0 * MINUTE),
        }
    }
}

/// A wait that the upstream asks for is limited to these bounds.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(120);
const LONGEST_OVERLOAD: Duration = Duration::from_secs(60);
/// After the limit of a day, it is asked once an hour: somebody may have bought more.
const LONGEST_OF_DAY: Duration = Duration::from_secs(3600);

/// One that begins within so many seconds after the end of the last one, for the same reason, goes on with it for operators.
const GOES_ON_WITHIN: f32 = 600.0;

/// The cooldown of a key, or of a key for one model.
#[derive(Debug, Default)]
pub(super) struct Cooldown {
    /// The last one, in 64 bits: the tick at which it ends (32 bits), how many ticks before that it began (21 bits), how often in a
    /// row it has begun (8 bits), and the reason (3 bits).
    last: AtomicU64,
    /// When the first one in its row began, for operators; 0: an answer has ended the row.
    since: AtomicU32,
}

impl Cooldown {
    /// The reason and the end, while it lasts.
    pub(super) fn active(&self, now: Tick) -> Option<(CooldownReason, Tick)> {
        let last = Last::unpack(self.last.load(Ordering::Acquire));
        (now < last.until).then_some((last.reason, last.until))
    }

    /// How long, in seconds, it has lasted with those in a row before it.
    pub(super) fn lasts_for(&self, now: Tick) -> f32 {
        let last = Last::unpack(self.last.load(Ordering::Acquire));
        let since = match self.since.load(Ordering::Relaxed) {
            0 => last.began,
            since => Tick(since),
        };
        since.seconds_until(now)
    }

    /// Notes when the row of one that begins now has begun, if it does not go on with the last one.
    fn note_row(&self, last: Last, reason: CooldownReason, began: Tick) {
        let goes_on = last.reason == reason
            && self.since.load(Ordering::Relaxed) != 0
            && last.until.seconds_until(began) < GOES_ON_WITHIN;
        if !goes_on {
            self.since.store(began.0, Ordering::Relaxed);
        }
    }

    /// Begins it, because of an attempt that started at that time: for as long as the upstream asked, else for longer
    /// each time in a row. It never shortens a cooldown that lasts already. Attempts that had started before it began
    /// are of the same round, and count once: they could not know. Returns how long it lasts now.
    pub(super) fn begin(
        &self,
        reason: CooldownReason,
        asked: Option<Duration>,
        started: Tick,
        now: Tick,
    ) -> Duration {
        let mut seen = self.last.load(Ordering::Acquire);
        loop {
            let last = Last::unpack(seen);
            let next = last.followed_by(reason, asked, started, now);
            self.note_row(last, reason, now);
            match self.last.compare_exchange_weak(
                seen,
                next.pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Duration::from_secs_f32(now.seconds_until(next.until)),
                Err(actual) => seen = actual,
            }
        }
    }

    /// The same, if one of our own requests began it. Others' cooldowns have begun no time here.
    pub(super) fn own(&self, now: Tick) -> Option<(CooldownReason, Tick)> {
        let last = Last::unpack(self.last.load(Ordering::Acquire));
        (now < last.until && last.times > 0).then_some((last.reason, last.until))
    }

    /// Another process with the same key has begun it so many seconds ago, and so much of it is left. It never shortens one that
    /// lasts already.
    pub(super) fn impose(&self, reason: CooldownReason, (ago, left): (f32, Duration), now: Tick) {
        let (_, longest) = reason.usual();
        let seconds = left.as_secs_f32().min(longest.max(LONGEST.as_secs_f32()));
        let imposed = Last {
            until: now.plus(seconds),
            began: now,
            times: 0,
            reason,
        };
        let seen = self.last.load(Ordering::Acquire);
        let last = Last::unpack(seen);
        if last.until < imposed.until {
            self.note_row(last, reason, now.minus(ago));
            // If it fails, a request of our own was faster, which knows better.
            let _ = self.last.compare_exchange(
                seen,
                imposed.pack(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
        }
    }

    /// The key has been replaced: what was said about the old one's credential or account is not about the new one.
    pub(super) fn key_renewed(&self) {
        let seen = self.last.load(Ordering::Acquire);
        let is_about_key = matches!(
            CooldownReason::from_code(seen & 7),
            CooldownReason::Credential | CooldownReason::Quota
        );
        if is_about_key {
            self.since.store(0, Ordering::Relaxed);
            let _ = self
                .last
                .compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// An attempt succeeded, so the next cooldown is short again. One that lasts still is left alone: the attempt may
    /// have started before it.
    pub(super) fn forget(&self, now: Tick) {
        let packed = self.last.load(Ordering::Relaxed);
        if packed == 0 {
            return;
        }
        let last = Last::unpack(packed);
        let forgotten = match last.reason {
            _ if now >= last.until => 0,
            // Where some of a round pass, the limit is a narrow one, and no longer wait would let more pass.
            CooldownReason::RateLimit | CooldownReason::Overload => {
                Last { times: 0, ..last }.pack()
            }
            CooldownReason::Credential | CooldownReason::Quota | CooldownReason::Model => return,
        };
        self.since.store(0, Ordering::Relaxed);
        let _ = self
            .last
            .compare_exchange(packed, forgotten, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The cooldown that began last.
#[derive(Clone, Copy)]
struct Last {
    until: Tick,
    began: Tick,
    times: u32,
    reason: CooldownReason,
}

/// The longest cooldown that can be told, nine hours.
const LONGEST_TICKS: u32 = (1 << 21) - 1;

impl Last {
    fn followed_by(
        self,
        reason: CooldownReason,
        asked: Option<Duration>,
        started: Tick,
        now: Tick,
    ) -> Self {
        let is_same = self.reason == reason;
        let times = if is_same { self.times } else { 0 };
        let until = now.plus(length(reason, asked, times)).max(self.until);
        if is_same && started <= self.began {
            // What the upstream asks for is a fact, but another refusal of the same round is no news.
            let until = if asked.is_some() { until } else { self.until };
            return Self { until, ..self };
        }
        Self {
            until,
            began: now,
            times: (times + 1).min(0xff),
            reason,
        }
    }

    fn pack(self) -> u64 {
        let ticks = self.until.0.saturating_sub(self.began.0).min(LONGEST_TICKS);
        u64::from(self.until.0) << 32
            | u64::from(ticks) << 11
            | u64::from(self.times) << 3
            | self.reason as u64
    }

    fn unpack(packed: u64) -> Self {
        let until = (packed >> 32) as u32;
        let ticks = (packed >> 11) as u32 & LONGEST_TICKS;
        Self {
            until: Tick(until),
            began: Tick(until.saturating_sub(ticks)),
            times: (packed >> 3 & 0xff) as u32,
            reason: CooldownReason::from_code(packed & 7),
        }
    }
}

fn length(reason: CooldownReason, asked: Option<Duration>, times: u32) -> f32 {
    if let (CooldownReason::RateLimit | CooldownReason::Overload, Some(asked)) = (reason, asked) {
        return asked.clamp(SHORTEST, LONGEST_OF_DAY).as_secs_f32();
    }
    let (first, longest) = reason.usual();
    // A refused key is tried again soon once, because outages cause false refusals; after that, seldom.
    let factor = match (reason, times) {
        (CooldownReason::Credential, 1..) => 10.0 * 2f32.powi(times as i32 - 1),
        _ => 2f32.powi(times as i32),
    };
    (first * factor).min(longest)
}

/// A cooldown that an outcome asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requested {
    pub(super) reason: CooldownReason,
    /// For how long, if the upstream says so.
    pub(super) length: Option<Duration>,
    /// Whether it is for all models of the key; else it is for this model alone.
    pub(super) is_for_key: bool,
}

/// The cooldown that an outcome asks for, if any.
pub(super) fn requested_by(outcome: &Outcome) -> Option<Requested> {
    let (reason, length, is_for_key) = match outcome {
        Outcome::RateLimited {
            retry_after,
            is_daily,
            ..
        } => {
            let longest = if *is_daily { LONGEST_OF_DAY } else { LONGEST };
            let wait = retry_after.map(|wait| wait.min(longest));
            (CooldownReason::RateLimit, wait, false)
        }
        // A 403 may be about this model alone.
        Outcome::Unauthorized { status } => (CooldownReason::Credential, None, *status != 403),
        Outcome::QuotaExhausted { .. } => (CooldownReason::Quota, None, true),
        // This is also evidence; but an upstream that says how long it will be overloaded is left alone for that long.
        Outcome::Overloaded {
            retry_after: Some(wait),
            ..
        } => {
            let wait = (*wait).min(LONGEST_OVERLOAD);
            (CooldownReason::Overload, Some(wait), false)
        }
        Outcome::ModelUnavailable { .. } => (CooldownReason::Model, None, false),
        Outcome::Overloaded {
            retry_after: None, ..
        }
        | Outcome::Success
        | Outcome::RejectedRequest { .. }
        | Outcome::ContentRefused { .. }
        | Outcome::Unreachable(_)
        | Outcome::ConnectionLost
        | Outcome::TimedOut(_)
        | Outcome::ServerError { .. }
        | Outcome::UpgradeRefused { .. }
        | Outcome::TooLong { .. }
        | Outcome::Unsupported { .. }
        | Outcome::ProviderBoundItems { .. }
        | Outcome::EndpointMissing { .. }
        | Outcome::ForeignError { .. }
        | Outcome::InvalidReply(_)
        | Outcome::StreamBroken
        | Outcome::ClientGone
        | Outcome::Superseded
        | Outcome::NoMemory
        | Outcome::NoResources
        | Outcome::Full { .. }
        | Outcome::Stopped => return None,
    };
    Some(Requested {
        reason,
        length,
        is_for_key,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cooldown, CooldownReason, requested_by};
    use crate::health::time::Tick;
    use crate::outcome::Outcome;

    const NOW: Tick = Tick(1000);

    #[test]
    fn a_rate_limit_lasts_as_long_as_the_upstream_asks_within_bounds() {
        let begin = |seconds, is_daily| {
            let requested = requested_by(&Outcome::RateLimited {
                status: 429,
                retry_after: Some(Duration::from_secs_f32(seconds)),
                is_daily,
            })
            .unwrap();
            assert!(!requested.is_for_key, "it may hold for one model only");
            Cooldown::default()
                .begin(requested.reason, requested.length, NOW, NOW)
                .as_secs_f32()
        };
        assert!((begin(30.0, false) - 30.0).abs() < 0.02);
        assert!((begin(0.0, false) - 0.25).abs() < 0.02);
        assert!((begin(9999.0, false) - 120.0).abs() < 0.02);
        assert!((begin(2000.0, true) - 2000.0).abs() < 0.02);
        assert!((begin(80_000.0, true) - 3600.0).abs() < 0.02);
    }

    #[test]
    fn a_cooldown_without_a_given_length_doubles_until_an_attempt_succeeds() {
        let cooldown = Cooldown::default();
        let mut now = NOW;
        let mut lengths = Vec::new();
        for _ in 0..8 {
            let length = cooldown
                .begin(CooldownReason::RateLimit, None, now, now)
                .as_secs_f32();
            lengths.push(length.round() as u32);
            now = now.plus(length);
            assert!(cooldown.active(now).is_none());
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60]);
        cooldown.forget(now);
        assert_eq!(
            cooldown
                .begin(CooldownReason::RateLimit, None, now, now)
                .as_secs_f32()
                .round() as u32,
            1
        );
    }

    #[test]
    fn a_row_of_cooldowns_lasts_since_its_first_one_until_something_else_happens() {
        use CooldownReason::{Credential, Quota, RateLimit};
        let cooldown = Cooldown::default();
        let begin = |reason, at: f32| {
            let now = NOW.plus(at);
            cooldown.begin(reason, None, now, now);
            cooldown.lasts_for(now.plus(10.0)).round() as u32
        };
        assert_eq!(begin(Credential, 0.0), 10);
        assert_eq!(begin(Credential, 70.0), 80, "it goes on");
        assert_eq!(begin(Quota, 700.0), 10, "for another reason");
        assert_eq!(begin(RateLimit, 5000.0), 10);
        assert_eq!(begin(RateLimit, 9000.0), 10, "nobody asked for long");
        cooldown.forget(NOW.plus(9100.0));
        assert_eq!(begin(RateLimit, 9110.0), 10, "an answer came between");
        let times = (30.0, Duration::from_secs(60));
        cooldown.impose(Credential, times, NOW.plus(9200.0));
        let lasts = cooldown.lasts_for(NOW.plus(9210.0));
        assert_eq!(lasts.round() as u32, 40, "it began elsewhere");
    }

    #[test]
    fn no_cooldown_is_permanent() {
        let cooldown = Cooldown::default();
        let mut now = NOW;
        for reason in [CooldownReason::Credential, CooldownReason::Quota]
            .iter()
            .cycle()
            .take(40)
        {
            let length = cooldown.begin(*reason, None, now, now).as_secs_f32();
            assert!(length <= 3600.1);
            now = now.plus(length);
        }
        assert!(cooldown.active(now).is_none());
    }

    /// How long so many cooldowns in a row last, each begun when the last one is over, in seconds.
    fn lengths(cooldown: &Cooldown, reason: CooldownReason, count: usize) -> Vec<u32> {
        let mut now = NOW;
        let mut next = || {
            let length = cooldown.begin(reason, None, now, now).as_secs_f32();
            now = now.plus(length);
            length.round() as u32
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn each_reason_has_a_first_and_a_longest_length() {
        use CooldownReason::{Credential, Model, Overload, Quota, RateLimit};
        for (reason, expected) in [
            (RateLimit, [1, 2, 4, 8]),
            (Overload, [1, 2, 4, 8]),
            (Credential, [60, 600, 1200, 2400]),
            (Quota, [600, 1200, 2400, 3600]),
            (Model, [600, 600, 600, 600]),
        ] {
            let lengths = lengths(&Cooldown::default(), reason, 4);
            assert_eq!(lengths, expected, "{reason:?}");
        }
    }

    #[test]
    fn a_success_makes_the_next_one_short_but_proves_a_key_only_when_its_cooldown_is_over() {
        use CooldownReason::{Credential, RateLimit};
        let after_success = |reason, is_over| {
            let cooldown = Cooldown::default();
            let first = lengths(&cooldown, reason, 1)[0];
            let now = if is_over { NOW.plus(first as f32) } else { NOW };
            cooldown.forget(now);
            assert_eq!(cooldown.active(now).is_some(), !is_over, "{reason:?}");
            let later = NOW.plus(first as f32 + 1.0);
            let next = cooldown.begin(reason, None, later, later).as_secs_f32();
            (first, next.round() as u32)
        };
        assert_eq!(after_success(RateLimit, false), (1, 1));
        assert_eq!(after_success(RateLimit, true), (1, 1));
        assert_eq!(after_success(Credential, false), (60, 600));
        assert_eq!(after_success(Credential, true), (60, 60));
    }

    #[test]
    fn a_longer_wait_of_the_same_round_counts_and_one_that_nobody_asked_for_does_not() {
        let cooldown = Cooldown::default();
        let begin = |asked: Option<u64>| {
            let asked = asked.map(Duration::from_secs);
            let length = cooldown.begin(CooldownReason::RateLimit, asked, NOW, NOW);
            length.as_secs_f32().round() as u32
        };
        assert_eq!(
            [Some(10), Some(30), None, Some(5)].map(begin),
            [10, 30, 30, 30]
        );
    }
}
