//! What would be said to a request now, without letting one in.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::evidence::Evidence;
use super::model_health::ModelHealth;
use super::packed::Phase;
use super::scope::Scope;
use super::slow::Shape;
use super::time::Tick;
use super::{CooldownReason, Health};

/// What a leaf would say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AdmissionPreview {
    /// Come in.
    Admitted,
    /// Only this share of requests may come in.
    SlowStart {
        /// The share.
        fraction: f32,
    },
    /// A few requests may come in, to see whether it has healed.
    HalfOpenProbe,
    /// Nobody may come in.
    Out {
        /// The kind of failures that took it out.
        cause: &'static str,
        /// How much longer, at most.
        retry_in: Duration,
    },
    /// It asked us to stay away, or its key or model is refused.
    CoolingDown {
        /// Why.
        reason: CooldownReason,
        /// How much longer.
        opens_in: Duration,
    },
}

impl ModelHealth {
    /// What a request through this key would be told now.
    pub fn preview(&self, key: usize, now: Instant) -> AdmissionPreview {
        let now = self.epoch.tick(now);
        if let Some((reason, until)) = self.cooldown(key, now) {
            let opens_in = Duration::from_secs_f32(now.seconds_until(until));
            return AdmissionPreview::CoolingDown { reason, opens_in };
        }
        let of_upstream = of_scope(&self.upstream.scope, now);
        match of_upstream {
            // The upstream's trial overrides the model's own pause.
            AdmissionPreview::Out { .. } | AdmissionPreview::HalfOpenProbe => of_upstream,
            AdmissionPreview::SlowStart { fraction } => match of_scope(&self.scope, now) {
                AdmissionPreview::Admitted => of_upstream,
                AdmissionPreview::SlowStart { fraction: of_model } => AdmissionPreview::SlowStart {
                    fraction: fraction.min(of_model),
                },
                of_model => of_model,
            },
            _ => of_scope(&self.scope, now),
        }
    }
}

fn of_scope(scope: &Scope, now: Tick) -> AdmissionPreview {
    let core = scope.core();
    match core.phase {
        Phase::Closed => AdmissionPreview::Admitted,
        Phase::SlowStart => AdmissionPreview::SlowStart {
            fraction: scope.fraction(),
        },
        Phase::Open if now < core.until => AdmissionPreview::Out {
            cause: core.cause.label(),
            retry_in: Duration::from_secs_f32(now.seconds_until(core.until)),
        },
        Phase::Open | Phase::HalfOpen => AdmissionPreview::HalfOpenProbe,
    }
}

impl ModelHealth {
    /// Whether it, or its upstream, is out of rotation for something that neighbours may share.
    pub fn has_failed(&self) -> bool {
        let has_failed = |scope: &Scope| {
            let core = scope.core();
            matches!(core.phase, Phase::Open | Phase::HalfOpen)
                && matches!(core.cause, Evidence::Connection | Evidence::Failure)
        };
        has_failed(&self.scope) || has_failed(&self.upstream.scope)
    }

    /// After how long almost every first token has come, if that is known.
    pub fn late_after(&self, shape: Shape) -> Option<Duration> {
        self.baselines.late_after(shape)
    }

    /// Whether our own network is believed to be lost.
    pub fn is_network_lost(&self) -> bool {
        self.network.lost_since().is_some()
    }

    /// How long a further request would probably wait for its first token: the usual time, once for each under way.
    pub fn load(&self) -> f32 {
        let under_way = self.upstream.in_flight.load(Ordering::Relaxed) + 1;
        self.baselines.usual() * under_way as f32
    }
}

impl Health {
    /// Since when our own network is believed to be lost.
    pub fn network_lost_for(&self, now: Instant) -> Option<Duration> {
        let now = self.epoch.tick(now);
        let since = self.network.lost_since()?;
        Some(Duration::from_secs_f32(since.seconds_until(now)))
    }
}
