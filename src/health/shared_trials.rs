//! Who of several replicas tries a scope, by half-open probes and by requests that have a turn before.

use std::time::Duration;

use tokio::time::Instant;

use super::packed::Phase;
use super::shared_scope::SharedScope;

/// A scope that becomes half-open within so many seconds is agreed upon before.
const SOON: f32 = 0.3;
/// Whose requests wait for a scope, and try it in their turns, keeps the right to for so many seconds after each: longer than
/// from one turn to the next.
const TURN: f32 = 3.0;
/// Nothing is agreed upon for a scope that nobody has asked for during so many seconds.
const UNASKED: f32 = 30.0;

impl SharedScope {
    /// Whether this replica has to agree with others on who tries it.
    pub fn wants_probe(&self, now: Instant) -> bool {
        let now = self.epoch.tick(now);
        let (scope, core) = (self.scope(), self.scope().core());
        let fleet_probe = &self.hearsay().fleet_probe;
        let is_soon = core.phase == Phase::Open
            && now.seconds_until(core.until) < SOON
            && scope.idle_for(now) < UNASKED;
        core.phase.is_out() && (fleet_probe.is_wanted(now) || is_soon && fleet_probe.is_open(now))
    }

    /// Whether this replica is the one that tries it.
    pub fn has_probe(&self, now: Instant) -> bool {
        self.hearsay().fleet_probe.is_ours(self.epoch.tick(now))
    }

    /// Whether this replica is the one that tries it, and a request is doing so.
    pub fn is_trying(&self, now: Instant) -> bool {
        self.has_probe(now)
            && self.scope().core().phase == Phase::HalfOpen
            && self.scope().probes() > 0
    }

    /// It is agreed who tries it, for so long.
    pub fn settle_probe(&self, is_ours: bool, for_so_long: Duration, now: Instant) {
        let now = self.epoch.tick(now);
        let seconds = for_so_long.as_secs_f32();
        self.hearsay().fleet_probe.settle(is_ours, seconds, now);
    }

    /// Whether the trial was ours and has ended: the scope is tried no more.
    pub fn end_fleet_probe(&self, now: Instant) -> bool {
        let now = self.epoch.tick(now);
        let core = self.scope().core();
        let is_over = match core.phase {
            Phase::Closed | Phase::SlowStart => true,
            Phase::Open => {
                let last_turn = self.scope().last_probe();
                now.seconds_until(core.until) > SOON && last_turn.seconds_until(now) > TURN
            }
            Phase::HalfOpen => false,
        };
        is_over && self.hearsay().fleet_probe.is_ours(now) && self.hearsay().fleet_probe.end()
    }
}
