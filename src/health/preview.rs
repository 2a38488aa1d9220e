//! What health would answer to a request now, without admitting one.

use std::time::Duration;

use tokio::time::Instant;

use super::cooldown::CooldownReason;
use super::hearsay::Hearsay;
use super::model_health::ModelHealth;
use super::packed::Phase;
use super::scope::Scope;
use super::time::Tick;

/// The answer that a request would get.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AdmissionPreview {
    /// It is admitted.
    Admitted,
    /// A fraction of the requests is admitted.
    SlowStart {
        /// The fraction.
        fraction: f32,
    },
    /// A few requests are admitted, as half-open probes.
    HalfOpenProbe,
    /// None is admitted: the circuit breaker is open.
    Out {
        /// The kind of failures that opened it.
        cause: &'static str,
        /// How much longer, at most.
        retry_in: Duration,
        /// Since when it has not been closed.
        out_for: Duration,
    },
    /// None is admitted during a cooldown.
    CoolingDown {
        /// Why.
        reason: CooldownReason,
        /// How much longer.
        ends_in: Duration,
    },
    /// None is admitted until an operator puts the upstream back.
    TakenOut {
        /// How long ago it was taken out.
        since: Duration,
    },
}

impl ModelHealth {
    /// What a request through this key would be answered now.
    pub fn preview(&self, key: usize, now: Instant) -> AdmissionPreview {
        let now = self.epoch.tick(now);
        if let Some(since) = self.taken_out_for(now) {
            return AdmissionPreview::TakenOut { since };
        }
        if let Some((reason, until)) = self.cooldown(key, now) {
            let ends_in = Duration::from_secs_f32(now.seconds_until(until));
            return AdmissionPreview::CoolingDown { reason, ends_in };
        }
        let (scope, hearsay) = (&self.upstream.scope, &self.upstream.hearsay);
        let of_upstream = match of_scope(scope, hearsay, now) {
            AdmissionPreview::HalfOpenProbe if self.upstream.is_blocked(&self.own, now) => {
                out(scope, hearsay, now)
            }
            preview => preview,
        };
        let of_model = of_scope(self.scope(), &self.own.hearsay, now);
        match of_upstream {
            AdmissionPreview::Admitted => of_model,
            AdmissionPreview::SlowStart { fraction } => match of_model {
                AdmissionPreview::Admitted => of_upstream,
                AdmissionPreview::SlowStart { fraction: of_model } => AdmissionPreview::SlowStart {
                    fraction: fraction.min(of_model),
                },
                AdmissionPreview::HalfOpenProbe
                | AdmissionPreview::Out { .. }
                | AdmissionPreview::CoolingDown { .. }
                | AdmissionPreview::TakenOut { .. } => of_model,
            },
            // A probe of the upstream does not wait for the model's own pause.
            AdmissionPreview::HalfOpenProbe
            | AdmissionPreview::Out { .. }
            | AdmissionPreview::CoolingDown { .. }
            | AdmissionPreview::TakenOut { .. } => of_upstream,
        }
    }
}

impl ModelHealth {
    /// Whether a request would be admitted now, with whichever key. Behind a pattern it is the worst model that counts, as in
    /// [`ScopeView`](super::ScopeView); but a key that may not use one of the models, or a model that is not there, closes
    /// that model alone.
    pub fn is_available(&self, now: Instant) -> bool {
        let keys = 0..self.cooldowns.len();
        self.family().all(|model| {
            let is_pattern = self.names.is_some();
            keys.clone().any(|key| match model.preview(key, now) {
                AdmissionPreview::Admitted
                | AdmissionPreview::SlowStart { .. }
                | AdmissionPreview::HalfOpenProbe => true,
                AdmissionPreview::Out { .. } | AdmissionPreview::TakenOut { .. } => false,
                AdmissionPreview::CoolingDown { reason, .. } => match reason {
                    CooldownReason::Credential | CooldownReason::Model => {
                        is_pattern && !self.is_closed_for_all(key, now)
                    }
                    CooldownReason::RateLimit
                    | CooldownReason::Quota
                    | CooldownReason::Overload => false,
                },
            })
        })
    }

    /// Whether a cooldown of the key holds for all models of the upstream.
    fn is_closed_for_all(&self, key: usize, now: Instant) -> bool {
        let cooldown = self.upstream.cooldowns.get(key);
        cooldown.is_some_and(|cooldown| cooldown.active(self.epoch.tick(now)).is_some())
    }
}

fn of_scope(scope: &Scope, hearsay: &Hearsay, now: Tick) -> AdmissionPreview {
    let core = scope.core();
    match core.phase {
        Phase::Closed => AdmissionPreview::Admitted,
        Phase::SlowStart => AdmissionPreview::SlowStart {
            fraction: scope.fraction(),
        },
        Phase::Open if now < core.until => out(scope, hearsay, now),
        Phase::HalfOpen if !scope.has_room(core, now) => out(scope, hearsay, now),
        Phase::Open | Phase::HalfOpen if hearsay.fleet_probe.is_theirs(now) => {
            out(scope, hearsay, now)
        }
        Phase::Open | Phase::HalfOpen => AdmissionPreview::HalfOpenProbe,
    }
}

/// A half-open scope whose probes are in flight, or that another replica tries, admits nobody else for the moment.
fn out(scope: &Scope, hearsay: &Hearsay, now: Tick) -> AdmissionPreview {
    let since = hearsay.out_since(scope.closed_until(), now);
    AdmissionPreview::Out {
        cause: scope.core().cause.label(),
        retry_in: scope.probed_in(now),
        out_for: Duration::from_secs_f32(since.seconds_until(now)),
    }
}
