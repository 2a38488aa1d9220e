//! Gates: facts with a deadline, such as a rate limit. They say nothing about health and are never permanent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::time::Tick;
use crate::outcome::Outcome;

/// Why nothing may be sent for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CooldownReason {
    /// Too many requests or tokens.
    RateLimit,
    /// The credential was refused.
    Credential,
    /// No money or allowance is left.
    Quota,
    /// The model is not there.
    Model,
    /// It has too much to do, and has said until when.
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

    fn from_code(code: u64) -> Self {
        match code {
            0 => Self::RateLimit,
            1 => Self::Credential,
            2 => Self::Quota,
            3 => Self::Model,
            _ => Self::Overload,
        }
    }

    /// How long it lasts if nobody says, the first time and at most.
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

/// A wait that is asked for is believed within these bounds, in seconds.
const SHORTEST: f32 = 0.25;
const LONGEST: f32 = 120.0;
const LONGEST_BUSY: Duration = Duration::from_secs(60);

/// One gate: in one word the tick until which it is closed (32 bits), why, and how often in a row.
#[derive(Debug, Default)]
pub(super) struct Cooldown(AtomicU64);

impl Cooldown {
    /// Why and until when it is closed, if it is.
    pub(super) fn active(&self, now: Tick) -> Option<(CooldownReason, Tick)> {
        let packed = self.0.load(Ordering::Acquire);
        let until = Tick((packed >> 32) as u32);
        (now < until).then(|| (CooldownReason::from_code(packed & 7), until))
    }

    /// Closes it, for as long as asked, else for longer each time in a row. Never shortens what is closed already.
    pub(super) fn begin(
        &self,
        reason: CooldownReason,
        asked: Option<Duration>,
        now: Tick,
    ) -> Duration {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            let times = if CooldownReason::from_code(seen & 7) == reason {
                seen >> 3 & 0xff
            } else {
                0
            };
            let seconds = length(reason, asked, times as u32);
            let until = now.plus(seconds).max(Tick((seen >> 32) as u32));
            let packed = u64::from(until.0) << 32 | (times + 1).min(0xff) << 3 | reason as u64;
            match self
                .0
                .compare_exchange_weak(seen, packed, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Duration::from_secs_f32(now.seconds_until(until)),
                Err(now) => seen = now,
            }
        }
    }

    /// An attempt went well: the next closing starts from the beginning. One that is closed now stays so: what went
    /// well may have begun before.
    pub(super) fn forget(&self, now: Tick) {
        let packed = self.0.load(Ordering::Relaxed);
        if packed != 0 && self.active(now).is_none() {
            let _ = self
                .0
                .compare_exchange(packed, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

fn length(reason: CooldownReason, asked: Option<Duration>, times: u32) -> f32 {
    if let (CooldownReason::RateLimit | CooldownReason::Overload, Some(asked)) = (reason, asked) {
        return asked.as_secs_f32().clamp(SHORTEST, LONGEST);
    }
    let (first, longest) = reason.usual();
    // A refused key is looked at again soon once, and then seldom: outages cause false refusals.
    let factor = match (reason, times) {
        (CooldownReason::Credential, 1..) => 10.0 * 2f32.powi(times as i32 - 1),
        _ => 2f32.powi(times as i32),
    };
    (first * factor).min(longest)
}

/// The gate that an outcome closes: why, for how long if said, and whether for all models of the key.
pub(super) fn of(outcome: &Outcome) -> Option<(CooldownReason, Option<Duration>, bool)> {
    match outcome {
        Outcome::RateLimited { retry_after } => {
            Some((CooldownReason::RateLimit, *retry_after, false))
        }
        // 403 may be about this model alone.
        Outcome::Unauthorized { status } => {
            Some((CooldownReason::Credential, None, *status != 403))
        }
        Outcome::QuotaExhausted => Some((CooldownReason::Quota, None, true)),
        // Busy, and knows until when: left alone for that long, besides what it says about health.
        Outcome::Overloaded {
            retry_after: Some(wait),
            ..
        } => Some((
            CooldownReason::Overload,
            Some((*wait).min(LONGEST_BUSY)),
            false,
        )),
        Outcome::ModelUnavailable => Some((CooldownReason::Model, None, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cooldown, CooldownReason};
    use crate::health::time::Tick;

    const NOW: Tick = Tick(1000);

    #[test]
    fn a_rate_limit_lasts_as_long_as_asked_within_bounds() {
        let close = |seconds| {
            let cooldown = Cooldown::default();
            cooldown
                .begin(
                    CooldownReason::RateLimit,
                    Some(Duration::from_secs_f32(seconds)),
                    NOW,
                )
                .as_secs_f32()
        };
        assert!((close(30.0) - 30.0).abs() < 0.02);
        assert!((close(0.0) - 0.25).abs() < 0.02);
        assert!((close(9999.0) - 120.0).abs() < 0.02);
    }

    #[test]
    fn without_a_wish_it_doubles_until_something_goes_well() {
        let cooldown = Cooldown::default();
        let mut now = NOW;
        let mut lengths = Vec::new();
        for _ in 0..8 {
            let length = cooldown
                .begin(CooldownReason::RateLimit, None, now)
                .as_secs_f32();
            lengths.push(length.round() as u32);
            now = now.plus(length);
            assert!(cooldown.active(now).is_none());
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60]);
        cooldown.forget(now);
        assert_eq!(
            cooldown
                .begin(CooldownReason::RateLimit, None, now)
                .as_secs_f32()
                .round() as u32,
            1
        );
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
            let length = cooldown.begin(*reason, None, now).as_secs_f32();
            assert!(length <= 3600.1);
            now = now.plus(length);
        }
        assert!(cooldown.active(now).is_none());
    }
}
