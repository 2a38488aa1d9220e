//! What a scope has to do with other replicas: who tries it, what of its state is another's word, and what their requests and
//! ours hold against it.

use std::sync::atomic::{AtomicBool, AtomicU32};

use super::fleet_probe::FleetProbe;
use super::odds;
use super::packed::atomic::{AtomicU64, Ordering};
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
    /// The evidence of others that counts beside ours (f32).
    support: Timed,
    /// How likely a call succeeds where others have taken the scope out (f32).
    odds: Timed,
    /// The tick since which others have taken it out.
    out_since: Timed,
}

/// Something that others have said, and the tick until which it holds.
#[derive(Debug, Default)]
struct Timed(AtomicU64);

impl Timed {
    fn note(&self, value: u32, until: Tick) {
        self.0.store(pair(until.0, value), Ordering::Relaxed);
    }

    fn at(&self, now: Tick) -> Option<u32> {
        let (until, value) = halves(self.0.load(Ordering::Relaxed));
        (now < Tick(until)).then_some(value)
    }
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
            let score = found_in(epoch, packed) + log_likelihood;
            pair(epoch, score.max(0.0).to_bits())
        });
    }

    /// What our own requests hold against the scope in this epoch.
    pub(super) fn own(&self, epoch: u32) -> f32 {
        found_in(epoch, self.own.load(Ordering::Relaxed))
    }

    /// Until then others hold so much against the scope, a call succeeds with these odds at them, and it is out there since a time.
    pub(super) fn hear(&self, (score, odds): (f32, f32), out_since: Tick, until: Tick) {
        self.support.note(score.to_bits(), until);
        self.odds.note(odds.to_bits(), until);
        self.out_since.note(out_since.0, until);
    }

    /// Since when it is out, or since an earlier time at which others had taken it out.
    pub(super) fn out_since(&self, own: Tick, now: Tick) -> Tick {
        let others = self.out_since.at(now).map(Tick);
        others.map_or(own, |since| own.min(since))
    }

    /// These odds, with those that others have found.
    pub(super) fn odds(&self, own: f32, now: Tick) -> f32 {
        let others = self.odds.at(now).map(f32::from_bits);
        others.map_or(own, |odds| odds::pooled(own, odds))
    }

    /// What others hold against the scope now.
    pub(super) fn support(&self, now: Tick) -> f32 {
        self.support.at(now).map_or(0.0, f32::from_bits)
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

/// The score that is packed with an epoch, if it was found in this one.
fn found_in(epoch: u32, packed: u64) -> f32 {
    match halves(packed) {
        (found_in, score) if found_in == epoch => f32::from_bits(score),
        _ => 0.0,
    }
}
