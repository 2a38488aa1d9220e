//! A request that waits in the queue of its route.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::decisions::plan::AttemptPlan;
use super::decisions::queue::Place;
use super::run::Run;
use crate::health::ModelHealth;

/// Until when a request waits, and its place in the queue.
pub(super) struct Waiting<'a> {
    pub(super) until: Instant,
    /// `None`: the queue is full.
    pub(super) place: Option<Place<'a>>,
}

impl<'a> Waiting<'a> {
    /// A request that cannot be answered before `opens_at` begins to wait.
    pub(super) fn begin(run: &Run<'a>, opens_at: Instant, now: Instant) -> Self {
        let place = run.queue.and_then(|queue| queue.enter(opens_at, now));
        let wait = if place.is_some() {
            run.wait()
        } else {
            Duration::ZERO
        };
        Self {
            until: now + wait,
            place,
        }
    }

    /// A request that has just come waits behind those who wait for the door that is open to it; `None`: nobody does.
    pub(super) fn give_way(run: &Run<'a>, door: &Arc<ModelHealth>, now: Instant) -> Option<Self> {
        let place = (run.queue?).give_way(door, now)?;
        // It goes in the end, so half of its time is for its answer.
        let until = run.until();
        let end = run.patience().map_or(until, |patience| patience.min(until));
        let left = end.saturating_duration_since(now);
        Some(Self {
            until: now + run.wait().min(left / 2),
            place: Some(place),
        })
    }
}

/// Another candidate than this one that can be asked now, and that nobody waits for.
pub(super) async fn unawaited(
    run: &Run<'_>,
    plan: &mut AttemptPlan<'_>,
    choice: usize,
    now: Instant,
) -> Option<usize> {
    let mut after = choice + 1;
    while let Some(other) = plan.untried_from(after, now) {
        if !run.is_awaited(plan.health(other)) && plan.is_able(other).await {
            return Some(other);
        }
        after = other + 1;
    }
    None
}
