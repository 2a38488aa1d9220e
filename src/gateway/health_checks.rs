//! Health checks: probe upstreams that could not be connected to, to find out whether they are back.
//!
//! A health check is a `GET /models`, which costs nothing; any response counts as success. It is sent only to upstreams
//! that are out of rotation because connecting to them failed. It does not close the circuit breaker: it only lets live
//! requests probe the upstream again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, Method};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::assemble::{Foundation, Generation};
use crate::config::UpstreamId;
use crate::event::Event;
use crate::upstream::Outbound;

/// How often to look for upstreams that need a health check.
const LOOK: Duration = Duration::from_secs(1);
/// How often one upstream is checked, plus or minus a fifth, while our own network works.
const PAUSE: Duration = Duration::from_secs(5);
/// The timeout of a health check.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends health checks for as long as it is polled.
pub(super) async fn run(foundation: Foundation, current: Arc<ArcSwap<Generation>>) {
    let Foundation { health, events, .. } = foundation;
    let mut next: HashMap<UpstreamId, Instant> = HashMap::new();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let wanted = health.to_check();
        next.retain(|id, _| wanted.contains(id));
        for id in wanted {
            let now = Instant::now();
            let is_due = health.is_network_lost() || next.get(&id).is_none_or(|due| *due <= now);
            let upstream = current.load().upstreams.get(&id).cloned();
            let Some(upstream) = upstream.filter(|_| is_due) else {
                continue;
            };
            next.insert(id.clone(), now + PAUSE.mul_f32(0.8 + 0.4 * fastrand::f32()));
            let is_reached = timeout(PATIENCE, upstream.send(0, question()))
                .await
                .is_ok_and(|reply| reply.is_ok());
            events.emit(&Event::HealthChecked {
                upstream: id.clone(),
                is_reached,
            });
            if is_reached && let Some(change) = health.health_checked(&id, Instant::now()) {
                events.emit(&Event::HealthChanged(change));
            }
        }
    }
}

fn question() -> Outbound {
    Outbound {
        model: None,
        method: Method::GET,
        path: "/models".to_owned(),
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
        is_repeatable: true,
    }
}
