//! Half-open trials in a fleet: of several replicas that share what they know, one at a time tries what may have healed.
//!
//! A request that would be a half-open probe asks here first, and so does one that the queue has given a turn before the pause is
//! over. Who may try is found out beside the requests, and no request waits for it: until then it goes elsewhere, and after a
//! moment without an answer this replica tries by itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::packed::{halves, pair};
use super::time::Tick;

/// So long an answer is waited for, in seconds.
const PATIENCE: f32 = 0.5;
/// A wish that is older than this, in seconds, belongs to a round that is over.
const FORGOTTEN: f32 = 5.0;
/// When a request that may not try yet may ask again, in seconds.
pub(super) const AGAIN: f32 = 0.1;

/// Whether trials are agreed upon with other replicas, and who does that.
#[derive(Debug, Default)]
pub struct FleetProbes {
    are_shared: AtomicBool,
    wanted: Notify,
}

impl FleetProbes {
    /// Whether others are asked from now on before anything is tried.
    pub fn share(&self, are_shared: bool) {
        self.are_shared.store(are_shared, Ordering::Release);
    }

    /// Waits until a request would be a trial.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

/// Who may try one scope: the state in the low half, and in the high half the tick at which it ends; of a wish, the one at
/// which it began.
#[derive(Debug, Default)]
pub(super) struct FleetProbe(AtomicU64);

const WANTED: u32 = 1;
const OURS: u32 = 2;
const OTHERS: u32 = 3;

impl FleetProbe {
    /// Whether a request may try the scope. If that is open, it is noted that it is wanted.
    pub(super) fn is_allowed(&self, fleet_probes: &FleetProbes, now: Tick) -> bool {
        if !fleet_probes.are_shared.load(Ordering::Acquire) {
            return true;
        }
        let seen = self.0.load(Ordering::Acquire);
        let (tick, state) = halves(seen);
        let tick = Tick(tick);
        match state {
            OURS if now < tick => return true,
            OTHERS if now < tick => return false,
            WANTED if tick.seconds_until(now) < FORGOTTEN => {
                return tick.seconds_until(now) > PATIENCE;
            }
            _ => {}
        }
        let request = pair(now.0, WANTED);
        let is_first = self
            .0
            .compare_exchange(seen, request, Ordering::AcqRel, Ordering::Relaxed);
        if is_first.is_ok() {
            fleet_probes.wanted.notify_one();
        }
        false
    }

    pub(super) fn is_wanted(&self, now: Tick) -> bool {
        let (since, state) = halves(self.0.load(Ordering::Acquire));
        state == WANTED && Tick(since).seconds_until(now) < FORGOTTEN
    }

    /// Whether nobody is agreed upon.
    pub(super) fn is_open(&self, now: Tick) -> bool {
        let (tick, state) = halves(self.0.load(Ordering::Acquire));
        state == 0 || state != WANTED && Tick(tick) <= now
    }

    pub(super) fn is_ours(&self, now: Tick) -> bool {
        self.is_agreed(OURS, now)
    }

    /// Whether another replica tries it now.
    pub(super) fn is_theirs(&self, now: Tick) -> bool {
        self.is_agreed(OTHERS, now)
    }

    fn is_agreed(&self, who: u32, now: Tick) -> bool {
        let (until, state) = halves(self.0.load(Ordering::Acquire));
        state == who && now < Tick(until)
    }

    /// It is agreed who tries it, for so many seconds.
    pub(super) fn settle(&self, is_ours: bool, seconds: f32, now: Tick) {
        let state = if is_ours { OURS } else { OTHERS };
        let until = now.plus(seconds);
        self.0.store(pair(until.0, state), Ordering::Release);
    }

    /// The round is over. Whether it was ours.
    pub(super) fn end(&self) -> bool {
        halves(self.0.swap(0, Ordering::AcqRel)).1 == OURS
    }
}

#[cfg(test)]
mod tests {
    use super::{FleetProbe, FleetProbes};
    use crate::health::time::Tick;

    const NOW: Tick = Tick(1_000_000);

    #[test]
    fn alone_nobody_is_asked() {
        assert!(FleetProbe::default().is_allowed(&FleetProbes::default(), NOW));
    }

    #[test]
    fn in_a_fleet_a_trial_waits_for_a_moment_until_it_is_agreed() {
        let (fleet_probes, fleet_probe) = (FleetProbes::default(), FleetProbe::default());
        fleet_probes.share(true);
        let may = |seconds| fleet_probe.is_allowed(&fleet_probes, NOW.plus(seconds));
        assert!(!may(0.0) && fleet_probe.is_wanted(NOW));
        assert!(!may(0.4));
        assert!(may(0.6), "nobody answers");
        assert!(!may(6.0), "that is another round");
        fleet_probe.settle(true, 3.0, NOW.plus(6.0));
        assert!(may(8.9) && !fleet_probe.is_wanted(NOW.plus(6.0)));
        fleet_probe.settle(false, 1.0, NOW.plus(9.0));
        assert!(!may(9.9) && !fleet_probe.is_wanted(NOW.plus(9.9)));
        assert!(
            !may(10.1) && fleet_probe.is_wanted(NOW.plus(10.1)),
            "it is over"
        );
        fleet_probe.settle(true, 3.0, NOW);
        assert!(fleet_probe.end() && !fleet_probe.end());
    }

    #[test]
    fn nobody_is_agreed_upon_before_somebody_asks_and_when_that_is_over() {
        let (fleet_probes, fleet_probe) = (FleetProbes::default(), FleetProbe::default());
        fleet_probes.share(true);
        assert!(fleet_probe.is_open(NOW));
        assert!(!fleet_probe.is_allowed(&fleet_probes, NOW));
        assert!(!fleet_probe.is_open(NOW.plus(0.1)), "somebody asks");
        for is_ours in [true, false] {
            fleet_probe.settle(is_ours, 3.0, NOW);
            let (during, after) = (NOW.plus(2.9), NOW.plus(3.1));
            assert!(!fleet_probe.is_open(during) && fleet_probe.is_open(after));
            assert_eq!(fleet_probe.is_ours(during), is_ours);
            assert!(!fleet_probe.is_ours(after));
            assert!(!fleet_probe.is_allowed(&fleet_probes, after), "ask again");
        }
    }
}
