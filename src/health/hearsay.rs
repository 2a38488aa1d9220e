//! What a scope has to do with other replicas: who tries it, what of its state is another's word, and what their requests and
//! ours hold against it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::fleet_probe::FleetProbe;
use super::packed::{halves, pair};
use super::scope::Scope;
use super::time::Tick;

/// What a scope has to do with other replicas.
#[derive(Debug, Default)]
pub(super) struct Hearsay {
    pub(super) fleet_probe: FleetProbe,
    /// The epoch into which another's word has brought the scope, plus one.
    hearsay_epoch: AtomicU32,
    /// Whether another replica could not connect, so that a health check is to find out whether we can.
    is_doubted: AtomicBool,
    /// The evidence of our own requests alone (f32), and the epoch of the scope in which they have found it.
    own: AtomicU64,
    /// The evidence of others that counts beside ours (f32), and the tick until which it does.
    support: AtomicU64,
    /// How likely a call succeeds where others have taken the scope out (f32), and the tick until which that holds.
    odds: AtomicU64,
    /// Since when others have taken it out, and the tick until which that holds.
    out_since: AtomicU64,
}

impl Hearsay {
    /// Another replica could not connect.
    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Release);
    }

    pub(super) fn is_doubted(&self) -> bool {
        self.is_doubted.load(Ordering::Acquire)
    }

    /// The doubt is settled. Whether there was one.
    pub(super) fn settle(&self) -> bool {
        self.is_doubted.swap(false, Ordering::AcqRel)
    }

    /// A request of our own has found this in an epoch of the scope.
    pub(super) fn add(&self, log_likelihood: f32, epoch: u32) {
        // Where all is well this is a single load.
        if log_likelihood <= 0.0 && self.own(epoch) <= 0.0 {
            return;
        }
        Scope::change(&self.own, |packed| {
            let (found_in, score) = halves(packed);
            let before = if found_in == epoch {
                f32::from_bits(score)
            } else {
                0.0
            };
            pair(epoch, (before + log_likelihood).max(0.0).to_bits())
        });
    }

    /// What our own requests hold against the scope in this epoch.
    pub(super) fn own(&self, epoch: u32) -> f32 {
        let (found_in, score) = halves(self.own.load(Ordering::Relaxed));
        if found_in == epoch {
            f32::from_bits(score)
        } else {
            0.0
        }
    }

    /// Until then others hold so much against the scope, a call succeeds with these odds at them, and it is out there since a time.
    pub(super) fn hear(&self, (score, odds): (f32, f32), out_since: Tick, until: Tick) {
        let store =
            |held: &AtomicU64, value: u32| held.store(pair(until.0, value), Ordering::Relaxed);
        store(&self.support, score.to_bits());
        store(&self.odds, odds.to_bits());
        store(&self.out_since, out_since.0);
    }

    /// Since when it is out, or since an earlier time at which others had taken it out.
    pub(super) fn out_since(&self, own: Tick, now: Tick) -> Tick {
        let (until, since) = halves(self.out_since.load(Ordering::Relaxed));
        if now < Tick(until) {
            own.min(Tick(since))
        } else {
            own
        }
    }

    /// These odds, or lower ones that others have found.
    pub(super) fn odds(&self, own: f32, now: Tick) -> f32 {
        let (until, odds) = halves(self.odds.load(Ordering::Relaxed));
        if now < Tick(until) {
            own.min(f32::from_bits(odds))
        } else {
            own
        }
    }

    /// What others hold against the scope now.
    pub(super) fn support(&self, now: Tick) -> f32 {
        let (until, score) = halves(self.support.load(Ordering::Relaxed));
        if now < Tick(until) {
            f32::from_bits(score)
        } else {
            0.0
        }
    }

    /// The state that the scope is in now is another's word.
    pub(super) fn mark(&self, scope: &Scope) {
        self.hearsay_epoch
            .store(scope.core().epoch + 1, Ordering::Release);
    }

    /// Whether that epoch began with another's word.
    pub(super) fn is_told(&self, epoch: u32) -> bool {
        self.hearsay_epoch.load(Ordering::Acquire) == epoch + 1
    }
}
