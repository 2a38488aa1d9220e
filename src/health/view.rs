//! What is believed, for people and machines to read.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::gate::Gate;
use super::leaf::{Account, Leaf};
use super::scope::Scope;
use super::tallies::Counts;
use super::time::Tick;
use super::word::Phase;
use super::{Health, Reason};
use crate::event::ScopeId;

/// One scope as it is now.
#[derive(Clone, Debug)]
pub struct ScopeView {
    /// Which one.
    pub id: ScopeId,
    /// Its state.
    pub phase: Phase,
    /// What it was taken out of rotation for, last.
    pub cause: &'static str,
    /// How long it has been in this state; `None`: from the beginning.
    pub since: Option<Duration>,
    /// How long until it is tried again, while it is open.
    pub retry_in: Option<Duration>,
    /// The evidence against it.
    pub score: f32,
    /// The evidence that takes it out of rotation.
    pub threshold: f32,
    /// The fraction of its traffic that it gets.
    pub fraction: f32,
    /// Requests of the last minute.
    pub last_minute: Counts,
    /// Requests of the last five minutes.
    pub last_five_minutes: Counts,
    /// Attempts under way; counted for the upstream as a whole.
    pub in_flight: u32,
    /// What keeps requests away for a while, besides.
    pub gates: Vec<GateView>,
}

/// A closed gate.
#[derive(Clone, Copy, Debug)]
pub struct GateView {
    /// The position of the key among the upstream's keys, from 1.
    pub key: usize,
    /// Why.
    pub reason: Reason,
    /// How much longer.
    pub opens_in: Duration,
}

impl Phase {
    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Ramp => "ramp",
        }
    }
}

impl Health {
    /// All scopes, upstream by upstream, each before its models.
    pub fn view(&self, now: Instant) -> Vec<ScopeView> {
        let now = self.epoch.tick(now);
        let accounts = super::locked(&self.accounts);
        let mut views: Vec<ScopeView> = accounts
            .values()
            .flat_map(|account| {
                let leaves = account.all_leaves();
                let mut views = vec![of_account(account, &leaves, now)];
                views.extend(leaves.iter().map(|leaf| of_leaf(leaf, now)));
                views
            })
            .collect();
        views.sort_by(|a, b| a.id.cmp(&b.id));
        views
    }
}

fn of_account(account: &Account, leaves: &[std::sync::Arc<Leaf>], now: Tick) -> ScopeView {
    let sum = |minutes| {
        leaves.iter().fold(Counts::default(), |sum, leaf| {
            let counts = leaf.tallies.last_minutes(minutes, now);
            Counts {
                good: sum.good + counts.good,
                bad: sum.bad + counts.bad,
            }
        })
    };
    ScopeView {
        last_minute: sum(1),
        last_five_minutes: sum(5),
        in_flight: account.in_flight.load(Ordering::Relaxed),
        gates: of_gates(&account.keys, now),
        ..of_scope(account.scope_id(), &account.scope, now)
    }
}

fn of_leaf(leaf: &Leaf, now: Tick) -> ScopeView {
    ScopeView {
        last_minute: leaf.tallies.last_minutes(1, now),
        last_five_minutes: leaf.tallies.last_minutes(5, now),
        gates: of_gates(&leaf.gates, now),
        ..of_scope(leaf.id.clone(), &leaf.scope, now)
    }
}

fn of_scope(id: ScopeId, scope: &Scope, now: Tick) -> ScopeView {
    let core = scope.core();
    let changed_at = scope.changed_at();
    let seconds = |seconds: f32| Duration::from_secs_f32(seconds);
    ScopeView {
        id,
        phase: core.phase,
        cause: core.cause.label(),
        since: (changed_at.0 != 0).then(|| seconds(changed_at.seconds_until(now))),
        retry_in: (core.phase == Phase::Open).then(|| seconds(now.seconds_until(core.until))),
        score: scope.score(now),
        threshold: scope.threshold(),
        fraction: scope.fraction(),
        last_minute: Counts::default(),
        last_five_minutes: Counts::default(),
        in_flight: 0,
        gates: Vec::new(),
    }
}

fn of_gates(gates: &[Gate], now: Tick) -> Vec<GateView> {
    let closed = gates.iter().enumerate().filter_map(|(index, gate)| {
        let (reason, until) = gate.closed(now)?;
        Some(GateView {
            key: index + 1,
            reason,
            opens_in: Duration::from_secs_f32(now.seconds_until(until)),
        })
    });
    closed.collect()
}
