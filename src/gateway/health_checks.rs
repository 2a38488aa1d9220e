//! Health checks: probe upstreams that could not be connected to, to find out whether they are back.
//!
//! A health check is a `GET /models`, which costs nothing; any response counts as success. It is sent only to upstreams
//! that are out of rotation because connecting to them failed. It does not close the circuit breaker: it only lets live
//! requests probe the upstream again.
//!
//! The first checks come soon after each other, since an upstream that restarts is away for a second or two.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Method;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::assemble::Generation;
use super::foundation::Foundation;
use crate::config::UpstreamId;
use crate::event::Event;
use crate::upstream::{Outbound, Upstream};

/// How often to look for upstreams that need a health check.
const LOOK: Duration = Duration::from_millis(250);
/// When the first health checks of an upstream follow, each after the one before.
const FIRST_PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// How often the upstream is checked from then on.
const PAUSE: Duration = Duration::from_secs(5);
/// How often every upstream is checked while our own network is lost.
const PAUSE_WITHOUT_NETWORK: Duration = Duration::from_secs(1);
/// The timeout of a health check.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends health checks for as long as it is polled.
pub(super) async fn run(foundation: Foundation, current: Arc<ArcSwap<Generation>>) {
    let health = &foundation.health;
    let mut schedules: HashMap<UpstreamId, Schedule> = HashMap::new();
    let mut checks = JoinSet::new();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while checks.try_join_next().is_some() {}
        let wanted = health.to_check();
        schedules.retain(|id, _| wanted.contains(id));
        for id in wanted {
            let schedule = schedules.entry(id.clone()).or_insert_with(Schedule::begin);
            let upstream = current.load().upstreams.get(&id).cloned();
            if let Some(upstream) = upstream
                && schedule.is_due(health.is_network_lost())
            {
                checks.spawn(check(foundation.clone(), upstream));
            }
        }
    }
}

/// When one upstream is checked.
struct Schedule {
    /// How many health checks have been sent.
    sent: usize,
    last: Instant,
    pause: Duration,
}

impl Schedule {
    fn begin() -> Self {
        Self {
            sent: 0,
            last: Instant::now(),
            pause: jittered(FIRST_PAUSES[0]),
        }
    }

    /// Whether the next health check is due, which is then taken for sent.
    fn is_due(&mut self, is_network_lost: bool) -> bool {
        let pause = if is_network_lost {
            self.pause.min(PAUSE_WITHOUT_NETWORK)
        } else {
            self.pause
        };
        if self.last.elapsed() < pause {
            return false;
        }
        self.sent += 1;
        self.last = Instant::now();
        self.pause = jittered(*FIRST_PAUSES.get(self.sent).unwrap_or(&PAUSE));
        true
    }
}

/// Plus or minus a fifth, so that several proxies do not check at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f32(0.8 + 0.4 * fastrand::f32())
}

async fn check(foundation: Foundation, upstream: Arc<Upstream>) {
    let Foundation { health, events, .. } = foundation;
    let is_reached = timeout(PATIENCE, upstream.send(0, question()))
        .await
        .is_ok_and(|reply| reply.is_ok());
    events.emit(&Event::HealthChecked {
        upstream: upstream.id().clone(),
        is_reached,
    });
    let change = match is_reached {
        true => health.health_checked(upstream.id(), Instant::now()),
        false => health.not_reached(upstream.id(), Instant::now()),
    };
    if let Some(change) = change {
        events.emit(&Event::HealthChanged(change));
    }
}

fn question() -> Outbound {
    Outbound {
        method: Method::GET,
        path: "/models".to_owned(),
        is_repeatable: true,
        ..Outbound::default()
    }
}
