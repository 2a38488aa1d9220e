//! The upstreams of a simulation, and the fault of the first one.

use fastrand::Rng;

/// The outcome of a call, and when it shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) outcome: Seen,
    /// Seconds until the first token, or until the failure shows.
    pub(crate) takes: f64,
}

/// What the caller sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Seen {
    Good,
    Failure,
    NoConnection,
    Timeout,
    RateLimited {
        retry_after: f64,
    },
    /// Good, but the stream breaks so many seconds after the first token.
    Cut {
        after: f64,
    },
}

/// The fault that the first upstream, or all, have between `from` and `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trace {
    Healthy,
    /// Healthy, but a fifth of the clients goes away after 0.2 to 2 s.
    Cancelled,
    Flaky5,
    Blips,
    Hard,
    Blackhole,
    Errors(f64),
    Slow,
    RateLimit,
    Flapping,
    OneModel,
    StreamCuts,
    Herd,
    AllDown,
    /// Every answer is a 530 for four minutes, then every first token takes 30 s (OpenAI, December 2024).
    StatusThenStalls,
    /// The first of two refuses connections, the second fails 30 %.
    DeadThenFlaky,
    /// Both of two fail so often.
    BothFlaky(f64),
    /// The only one fails so often.
    OnlyFlaky(f64),
    /// The only one fails always.
    OnlyDead,
    /// Two refuse connections for three seconds of each minute.
    BothRestart,
}

impl Trace {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Healthy => "healthy, 1 % errors".to_owned(),
            Self::Cancelled => "20 % of clients cancel".to_owned(),
            Self::Flaky5 => "flaky, 5 % errors".to_owned(),
            Self::Blips => "blips, 1 s a minute".to_owned(),
            Self::Hard => "hard outage".to_owned(),
            Self::Blackhole => "black hole".to_owned(),
            Self::Errors(share) => format!("{:.0} % of 500s", share * 100.0),
            Self::Slow => "brownout, 40 s".to_owned(),
            Self::RateLimit => "rate limit, 40 %".to_owned(),
            Self::Flapping => "flapping, 20 s".to_owned(),
            Self::OneModel => "one model broken".to_owned(),
            Self::StreamCuts => "30 % of streams cut".to_owned(),
            Self::Herd => "recovery under load".to_owned(),
            Self::AllDown => "all down".to_owned(),
            Self::StatusThenStalls => "530s, then stalls".to_owned(),
            Self::DeadThenFlaky => "one dead, one flaky".to_owned(),
            Self::BothFlaky(share) => format!("both fail {:.0} %", share * 100.0),
            Self::OnlyFlaky(share) => format!("the only one fails {:.0} %", share * 100.0),
            Self::OnlyDead => "the only one dead".to_owned(),
            Self::BothRestart => "both away for 3 s".to_owned(),
        }
    }

    pub(crate) fn has_long_streams(self) -> bool {
        self == Self::StreamCuts
    }

    /// How many upstreams there are.
    pub(crate) fn upstreams(self) -> usize {
        match self {
            Self::OnlyFlaky(_) | Self::OnlyDead => 1,
            Self::DeadThenFlaky | Self::BothFlaky(_) | Self::BothRestart => 2,
            _ => 3,
        }
    }

    /// The share of clients that go away after a moment.
    pub(crate) fn cancelled(self) -> f64 {
        match self {
            Self::Cancelled => 0.2,
            _ => 0.0,
        }
    }
}

/// Whether upstreams that restart each minute are away.
fn restarts(now: f64) -> bool {
    (7.0..10.0).contains(&(now % 60.0))
}

pub(crate) const CONNECT_TIMEOUT: f64 = 5.0;
pub(crate) const FIRST_TOKEN_TIMEOUT: f64 = 30.0;
const MEDIANS: [f64; 3] = [0.8, 1.0, 1.2];

pub(crate) struct World {
    trace: Trace,
    rate: f64,
    from: f64,
    to: f64,
    rng: Rng,
    base: [f64; 3],
    limit: (i64, u32),
    herd: Herd,
}

/// An upstream that comes back cold: it can take a tenth of its load at first, and collapses under more than twice of
/// what it can take.
struct Herd {
    slice: i64,
    calls: u32,
    warm: f64,
    length: f64,
    rejects: f64,
}

impl World {
    pub(crate) fn new(trace: Trace, rate: f64, (from, to): (f64, f64), seed: u64) -> Self {
        Self {
            trace,
            rate,
            from,
            to,
            rng: Rng::with_seed(seed * 31 + 7),
            base: [
                if trace == Trace::Flaky5 { 0.05 } else { 0.01 },
                0.005,
                0.005,
            ],
            limit: (-1, 0),
            herd: Herd {
                slice: -1,
                calls: 0,
                warm: 0.0,
                length: (50.0 / rate).max(1.0),
                rejects: 0.9,
            },
        }
    }

    fn is_faulty(&self, now: f64) -> bool {
        (self.from..self.to).contains(&now)
    }

    /// Whether an upstream answers a health check.
    pub(crate) fn answers_check(&self, now: f64, upstream: usize) -> bool {
        let is_down = match self.trace {
            Trace::Hard | Trace::Blackhole | Trace::Herd => upstream == 0,
            Trace::Flapping => upstream == 0 && self.is_flapped(now),
            Trace::DeadThenFlaky => upstream == 0,
            Trace::AllDown => true,
            Trace::BothRestart => restarts(now),
            _ => false,
        };
        !(is_down && self.is_faulty(now))
    }

    /// Seconds until a health check that is not answered has failed.
    pub(crate) fn check_fails_after(&self) -> f64 {
        match self.trace {
            Trace::Blackhole => CONNECT_TIMEOUT,
            _ => 0.005,
        }
    }

    fn is_flapped(&self, now: f64) -> bool {
        ((now - self.from) / 20.0) as i64 % 2 == 0
    }

    pub(crate) fn call(&mut self, now: f64, upstream: usize, model: usize) -> Call {
        if self.is_faulty(now)
            && let Some(call) = self.fault_of_any(now, upstream)
        {
            return call;
        }
        if upstream == 0
            && let Some(call) = self.fault(now, model)
        {
            return call;
        }
        if self.rng.f64() < self.base[upstream] {
            return self.failure(0.3);
        }
        self.answer(MEDIANS[upstream], 0.5)
    }

    /// A fault that is not of the first upstream alone.
    fn fault_of_any(&mut self, now: f64, upstream: usize) -> Option<Call> {
        let refused = Call {
            outcome: Seen::NoConnection,
            takes: 0.005,
        };
        let fails = match self.trace {
            Trace::AllDown | Trace::OnlyDead => 1.0,
            Trace::BothFlaky(share) | Trace::OnlyFlaky(share) => share,
            Trace::DeadThenFlaky if upstream == 0 => return Some(refused),
            Trace::DeadThenFlaky => 0.3,
            Trace::BothRestart if restarts(now) => return Some(refused),
            _ => return None,
        };
        (self.rng.f64() < fails).then(|| self.failure(0.3))
    }

    fn fault(&mut self, now: f64, model: usize) -> Option<Call> {
        if !self.is_faulty(now) {
            let is_cold = self.trace == Trace::Herd && now >= self.to;
            return if is_cold { self.come_back(now) } else { None };
        }
        let elapsed = now - self.from;
        match self.trace {
            Trace::Hard => Some(Call {
                outcome: Seen::NoConnection,
                takes: 0.005,
            }),
            Trace::Blackhole => Some(Call {
                outcome: Seen::NoConnection,
                takes: CONNECT_TIMEOUT,
            }),
            Trace::Errors(share) => (self.rng.f64() < share).then(|| self.failure(0.3)),
            Trace::Slow => Some(self.answer(40.0, 0.4)),
            Trace::StatusThenStalls if elapsed < 240.0 => Some(self.failure(0.1)),
            Trace::StatusThenStalls => Some(self.answer(30.0, 0.1)),
            Trace::Flapping => self.is_flapped(now).then(|| self.failure(0.3)),
            Trace::Blips => (now as i64 % 60 == 7).then(|| self.failure(0.3)),
            Trace::OneModel => (model == 0).then(|| self.failure(0.3)),
            Trace::StreamCuts => (self.rng.f64() < 0.3).then(|| {
                let after = 1.0 + 9.0 * self.rng.f64();
                let takes = self.log_normal(MEDIANS[0], 0.5);
                Call {
                    outcome: Seen::Cut { after },
                    takes,
                }
            }),
            Trace::Herd => Some(self.failure(0.3)),
            Trace::RateLimit => self.limited(now),
            Trace::Healthy
            | Trace::Cancelled
            | Trace::Flaky5
            | Trace::AllDown
            | Trace::DeadThenFlaky
            | Trace::BothFlaky(_)
            | Trace::OnlyFlaky(_)
            | Trace::OnlyDead
            | Trace::BothRestart => None,
        }
    }

    /// A rate limit of 40 % of the load, each minute.
    fn limited(&mut self, now: f64) -> Option<Call> {
        let minute = (now / 60.0) as i64;
        if self.limit.0 != minute {
            self.limit = (minute, 0);
        }
        if f64::from(self.limit.1) + 1.0 > 0.4 * self.rate * 60.0 {
            let retry_after = ((minute + 1) as f64 * 60.0 - now).ceil();
            return Some(Call {
                outcome: Seen::RateLimited { retry_after },
                takes: 0.1,
            });
        }
        self.limit.1 += 1;
        None
    }

    fn come_back(&mut self, now: f64) -> Option<Call> {
        let slice = ((now - self.to) / self.herd.length) as i64;
        if slice != self.herd.slice {
            if self.herd.slice >= 0 {
                let slices = (slice - self.herd.slice) as f64;
                let load = f64::from(self.herd.calls) / slices.max(1.0);
                let direction = if load > self.capacity() { -1.0 } else { 1.0 };
                self.herd.warm = (self.herd.warm + self.herd.length * slices * direction).max(0.0);
                let capacity = self.capacity();
                self.herd.rejects = match load {
                    load if load <= capacity => 0.0,
                    load if load <= 2.0 * capacity => 1.0 - capacity / load,
                    _ => 0.9,
                };
            }
            self.herd.slice = slice;
            self.herd.calls = 0;
        }
        self.herd.calls += 1;
        (self.rng.f64() < self.herd.rejects).then(|| self.failure(1.0))
    }

    fn capacity(&self) -> f64 {
        self.rate * self.herd.length * (0.1 + 1.4 * self.herd.warm / 60.0).min(1.5)
    }

    fn failure(&mut self, median: f64) -> Call {
        Call {
            outcome: Seen::Failure,
            takes: self.log_normal(median, 0.4),
        }
    }

    fn answer(&mut self, median: f64, sigma: f64) -> Call {
        let takes = self.log_normal(median, sigma);
        if takes < FIRST_TOKEN_TIMEOUT {
            Call {
                outcome: Seen::Good,
                takes,
            }
        } else {
            Call {
                outcome: Seen::Timeout,
                takes: FIRST_TOKEN_TIMEOUT,
            }
        }
    }

    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        // Box and Muller, 1958.
        let (u, v) = (self.rng.f64().max(f64::MIN_POSITIVE), self.rng.f64());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        median * (normal * sigma).exp()
    }
}
