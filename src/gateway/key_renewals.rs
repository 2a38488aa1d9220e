//! Reads keys again that come from files and commands, so that a request hardly ever meets an old one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::assemble::Generation;
use super::foundation::Foundation;
use crate::event::Event;
use crate::upstream::{Renewal, Upstream};

/// How often to look.
const LOOK: Duration = Duration::from_secs(2);

/// Looks after the keys for as long as it is polled. A command that takes its time holds up no other key.
pub(super) async fn run(foundation: Foundation, current: Arc<ArcSwap<Generation>>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reading = JoinSet::new();
    let mut busy = HashSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(done) = reading.join_next() => {
                if let Ok(id) = done {
                    busy.remove(&id);
                }
                continue;
            }
        }
        for (id, upstream) in &current.load().upstreams {
            if upstream.renewed_keys().next().is_some() && busy.insert(id.clone()) {
                let (foundation, upstream) = (foundation.clone(), Arc::clone(upstream));
                let id = id.clone();
                reading.spawn(async move {
                    look_after(&foundation, &upstream).await;
                    id
                });
            }
        }
    }
}

async fn look_after(foundation: &Foundation, upstream: &Upstream) {
    for (number, key) in upstream.renewed_keys() {
        let renewal = key.renew_if_due().await;
        // A request may have been faster.
        if key.is_new() {
            foundation.health.key_renewed(upstream.id(), number);
        }
        let (failure, is_news) = match renewal {
            None | Some(Renewal::Same) => continue,
            Some(Renewal::Renewed) => (None, false),
            Some(Renewal::Failed { reason, is_first }) => (Some(reason.to_string()), is_first),
        };
        foundation.events.emit(&Event::KeyRenewed {
            upstream: upstream.id().clone(),
            failure,
            is_news,
        });
    }
}
