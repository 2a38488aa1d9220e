//! Telling the loss of our own network from the failure of upstreams.
//!
//! If connections to two upstreams fail within seconds, and nothing succeeds in between, then most likely our own
//! network is lost: the upstreams are not blamed, and trips for it are undone. An upstream that refuses a connection
//! has been reached, so a refusal never counts. If something succeeds shortly after, then the suspicion was wrong, and
//! it is not raised again for a minute.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use super::time::Tick;
use super::upstream_health::UpstreamHealth;
use crate::outcome::{Outcome, Unreachable};

/// Lost connections count together if they happen within this time, in seconds.
const TOGETHER: f32 = 10.0;
/// How long a refuted suspicion is not raised again, in seconds.
const REFUTED: f32 = 60.0;
/// If something succeeds so soon, in seconds, the suspicion was wrong; later, the network has come back.
const SOON: f32 = 1.0;

/// What is believed about our own network.
#[derive(Debug, Default)]
pub(super) struct Network {
    upstreams: ArcSwap<Vec<Weak<UpstreamHealth>>>,
    reached_at: AtomicU32,
    /// Since when it is believed to be lost; 0: it is not.
    lost_since: AtomicU32,
    refuted_at: AtomicU32,
}

impl Network {
    /// Sets which upstreams are reached through it.
    pub(super) fn lead_to<'a>(&self, upstreams: impl Iterator<Item = &'a Arc<UpstreamHealth>>) {
        let upstreams = upstreams.map(Arc::downgrade).collect();
        self.upstreams.store(Arc::new(upstreams));
    }

    /// Since when it is believed to be lost.
    pub(super) fn lost_since(&self) -> Option<Tick> {
        Some(Tick(self.lost_since.load(Ordering::Acquire))).filter(|tick| tick.0 != 0)
    }

    /// The same, if an upstream has not been reached since.
    pub(super) fn lost_to(&self, upstream: &UpstreamHealth) -> Option<Tick> {
        let since = self.lost_since()?;
        let reached_at = self.reached_at.load(Ordering::Acquire);
        (upstream.lost_at.load(Ordering::Acquire) > reached_at).then_some(since)
    }

    /// Something succeeded, so the network is there. True if it was believed to be lost.
    pub(super) fn reached(&self, now: Tick) -> bool {
        self.reached_at.store(now.0, Ordering::Release);
        if self.lost_since.load(Ordering::Acquire) == 0 {
            return false;
        }
        let since = self.lost_since.swap(0, Ordering::AcqRel);
        if since != 0 && Tick(since).seconds_until(now) < SOON {
            self.refuted_at.store(now.0, Ordering::Release);
        }
        since != 0
    }

    /// No connection came about. True if the cause is our own network.
    pub(super) fn lost(&self, upstream: &UpstreamHealth, outcome: &Outcome, now: Tick) -> bool {
        if !may_be_ours(outcome) {
            self.reached(now);
            return false;
        }
        upstream.lost_at.store(now.0, Ordering::Release);
        if self.lost_since().is_some() {
            return true;
        }
        if self.is_refuted(now) || self.lost_upstreams(now) < 2 {
            return false;
        }
        self.lost_since.store(now.0.max(1), Ordering::Release);
        self.undo_trips(now);
        true
    }

    fn is_refuted(&self, now: Tick) -> bool {
        let refuted_at = self.refuted_at.load(Ordering::Acquire);
        refuted_at != 0 && Tick(refuted_at).seconds_until(now) < REFUTED
    }

    /// How many upstreams were lost since anything succeeded.
    fn lost_upstreams(&self, now: Tick) -> usize {
        let reached_at = self.reached_at.load(Ordering::Acquire);
        self.upstreams
            .load()
            .iter()
            .filter_map(Weak::upgrade)
            .map(|upstream| upstream.lost_at.load(Ordering::Acquire))
            .filter(|lost_at| *lost_at > reached_at && Tick(*lost_at).seconds_until(now) < TOGETHER)
            .count()
    }

    /// Undoes the trips for lost connections that happened before a second upstream was lost.
    fn undo_trips(&self, now: Tick) {
        for upstream in self.upstreams.load().iter().filter_map(Weak::upgrade) {
            upstream.scope.undo_trip(now, TOGETHER);
            for model in upstream.models.all() {
                model.scope.undo_trip(now, TOGETHER);
            }
        }
    }
}

/// Whether our own network, or the proxy that leads out of it, may be the cause: without them no name is resolved and
/// nobody answers at all.
fn may_be_ours(outcome: &Outcome) -> bool {
    let Outcome::Unreachable(unreachable) = outcome else {
        return false;
    };
    match unreachable {
        Unreachable::Dns | Unreachable::Proxy | Unreachable::TimedOut | Unreachable::Other => true,
        Unreachable::Refused | Unreachable::Tls => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Network;
    use crate::config::UpstreamId;
    use crate::health::evidence::Evidence;
    use crate::health::packed::Phase;
    use crate::health::time::Tick;
    use crate::health::upstream_health::UpstreamHealth;
    use crate::outcome::{Outcome, Unreachable};

    const NOW: Tick = Tick(1_000_000);
    const NO_ROUTE: Outcome = Outcome::Unreachable(Unreachable::Other);

    fn network() -> (Network, Arc<UpstreamHealth>, Arc<UpstreamHealth>) {
        let upstream = |name| Arc::new(UpstreamHealth::new(UpstreamId::from(name), 1));
        let (a, b) = (upstream("a"), upstream("b"));
        let network = Network::default();
        network.lead_to([&a, &b].into_iter());
        (network, a, b)
    }

    #[test]
    fn it_is_lost_when_two_upstreams_are_within_ten_seconds_and_nothing_succeeds_in_between() {
        for (seconds, succeeds_after, is_lost) in [
            (9.0, None, true),
            (11.0, None, false),
            (9.0, Some(0.0), false),
            (9.0, Some(5.0), false),
        ] {
            let (network, a, b) = network();
            assert!(!network.lost(&a, &NO_ROUTE, NOW));
            assert!(!network.lost(&a, &NO_ROUTE, NOW), "one alone");
            if let Some(success) = succeeds_after {
                assert!(!network.reached(NOW.plus(success)));
            }
            let later = NOW.plus(seconds);
            assert_eq!(network.lost(&b, &NO_ROUTE, later), is_lost, "{seconds}");
            assert_eq!(network.lost_since(), is_lost.then_some(later));
        }
    }

    #[test]
    fn a_suspicion_that_is_refuted_at_once_is_not_raised_again_for_a_minute() {
        for (reached_after, again_after, is_lost) in
            [(0.5, 30.0, false), (0.5, 61.0, true), (1.5, 30.0, true)]
        {
            let (network, a, b) = network();
            network.lost(&a, &NO_ROUTE, NOW);
            assert!(network.lost(&b, &NO_ROUTE, NOW));
            let back = NOW.plus(reached_after);
            assert!(network.reached(back));
            assert!(!network.reached(back), "it is told once");
            let again = back.plus(again_after);
            assert!(!network.lost(&a, &NO_ROUTE, again));
            assert_eq!(
                network.lost(&b, &NO_ROUTE, again),
                is_lost,
                "{reached_after} {again_after}"
            );
        }
    }

    #[test]
    fn who_refuses_has_been_reached() {
        let (network, a, b) = network();
        network.lost(&a, &NO_ROUTE, NOW);
        let refused = Outcome::Unreachable(Unreachable::Refused);
        assert!(!network.lost(&b, &refused, NOW.plus(1.0)));
        assert!(!network.lost(&b, &NO_ROUTE, NOW.plus(2.0)));
        assert!(network.lost(&a, &NO_ROUTE, NOW.plus(3.0)));
        assert!(!network.lost(&b, &refused, NOW.plus(5.0)));
        assert_eq!(network.lost_since(), None);
    }

    #[test]
    fn what_it_took_out_of_rotation_a_moment_ago_is_put_back() {
        for (tripped_at, phase) in [(NOW, Phase::Closed), (Tick(900_000), Phase::Open)] {
            let (network, a, b) = network();
            assert!(a.scope.trip(0, Evidence::Connection, tripped_at, 0.5));
            network.lost(&a, &NO_ROUTE, NOW);
            assert!(network.lost(&b, &NO_ROUTE, NOW));
            assert_eq!(a.scope.core().phase, phase);
        }
    }
}
