//! Who tries what may have healed: one replica at a time claims a scope, where all of them see it.

use std::time::Duration;

use tokio::time::Instant;

use super::fleet::Fleet;
use crate::health::SharedScope;

/// For so long the right to try a scope is given; it is renewed while the trial lasts.
pub const LEASE: Duration = Duration::from_secs(10);
/// For so long another replica is left to try a scope before it is asked for again.
const OTHERS: Duration = Duration::from_secs(1);

/// What this replica has to settle with the others about a scope.
#[derive(Debug)]
pub struct Claim {
    /// What stands for the scope.
    pub scope: u64,
    /// What it wants.
    pub step: Step,
    of: SharedScope,
}

/// What a replica wants of the right to try a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To have it for [`LEASE`], unless another one has it.
    Take,
    /// To have it for [`LEASE`] from now on: it is still trying.
    Keep,
    /// To have it no more.
    GiveBack,
}

impl Fleet {
    /// What has to be settled now. Each is to be answered with [`Claim::settled`], unless it gives something back.
    pub fn claims(&self, now: Instant) -> Vec<Claim> {
        let mut claims = Vec::new();
        self.health.each_shared(&mut |scope, name| {
            claims.extend(step(scope, now).map(|step| Claim {
                scope: self.hash(&scope.id(), name),
                step,
                of: scope.clone(),
            }));
        });
        claims
    }

    /// The number by which others know who has claimed something.
    pub fn node(&self) -> u64 {
        self.node
    }
}

impl Claim {
    /// Whether this replica has the right now.
    pub fn settled(&self, is_ours: bool, now: Instant) {
        let so_long = if is_ours { LEASE } else { OTHERS };
        match self.step {
            Step::Take | Step::Keep => self.of.settle_probe(is_ours, so_long, now),
            Step::GiveBack => {}
        }
    }
}

fn step(scope: &SharedScope, now: Instant) -> Option<Step> {
    if scope.end_fleet_probe(now) {
        Some(Step::GiveBack)
    } else if scope.wants_probe(now) {
        Some(Step::Take)
    } else {
        scope.is_trying(now).then_some(Step::Keep)
    }
}
