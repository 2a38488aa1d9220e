//! How much of one limit is used: by requests to this replica, and by those to others, if counts are shared.
//!
//! What others have taken is known a moment late. So what is left is divided among the replicas that the client uses just now:
//! each takes no more than its part of it within two ticks, the time in which all have told each other. A single request
//! may always go if it fits. So all together take at most one request too many at each replica but one, as long as messages
//! come within a tick; and a client that uses one replica only has the whole limit there.

use std::time::Duration;

use super::window::Window;

/// The window is a minute, and no wait is longer.
const MINUTE: Duration = Duration::from_secs(60);
/// After this time the others have told what they have taken.
const TOLD: Duration = Duration::from_millis(100);

/// What was used of one limit in the last minute.
#[derive(Debug, Default)]
pub(super) struct Meter {
    own: Window,
    /// `None`: nothing is shared.
    fleet: Option<Box<Elsewhere>>,
}

/// What a meter needs where counts are shared.
#[derive(Debug)]
struct Elsewhere {
    /// What requests to other replicas have taken.
    taken: Window,
    /// All that was ever taken here, less what was given back. It wraps.
    total: u64,
    /// What was taken here in the tick that runs, and in the one before.
    fresh: [u64; 2],
    /// How many replicas the client uses just now, with this one.
    sharers: u64,
}

/// What was used of one limit at one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// All that was ever taken there, less what was given back. It wraps: the difference of two is what has been taken between.
    pub total: u64,
    /// What of it counts now.
    pub sum: u64,
}

impl Amount {
    /// What has been taken since it was this; `None`: what was before is not known. It is below zero where more was given
    /// back.
    pub(super) fn since(&self, before: Option<&Self>) -> i64 {
        let sum = i64::try_from(self.sum).unwrap_or(i64::MAX);
        match before {
            None => sum,
            // More than counts there now is not heard of in time.
            Some(before) => (self.total.wrapping_sub(before.total) as i64).min(sum),
        }
    }
}

impl Meter {
    /// This step runs now.
    pub(super) fn pass(&mut self, step: u64) {
        self.own.pass(step);
        if let Some(fleet) = &mut self.fleet {
            fleet.taken.pass(step);
        }
    }

    /// What counts now.
    pub(super) fn sum(&self) -> u64 {
        self.own.sum() + self.elsewhere().map_or(0, Window::sum)
    }

    /// How long until so much more may be taken; `None`: it may be taken now.
    pub(super) fn wait_for(&self, wanted: u64, most: u64) -> Option<Duration> {
        let used = self.sum().saturating_add(wanted);
        match used.checked_sub(most) {
            None | Some(0) => {
                let fleet = self.fleet.as_ref()?;
                let left = most.saturating_sub(self.sum());
                (!fleet.has_part(wanted, left)).then_some(TOLD)
            }
            Some(excess) => Some(self.own.until_less(excess, self.elsewhere()).min(MINUTE)),
        }
    }

    /// How long until nothing counts.
    pub(super) fn until_empty(&self) -> Duration {
        let elsewhere = self.elsewhere().map_or(Duration::ZERO, Window::until_empty);
        self.own.until_empty().max(elsewhere).min(MINUTE)
    }

    /// Counts more.
    pub(super) fn add(&mut self, count: u64) {
        self.own.add(count);
        if let Some(fleet) = &mut self.fleet {
            fleet.total = fleet.total.wrapping_add(count);
            fleet.fresh[0] = fleet.fresh[0].saturating_add(count);
        }
    }

    /// What was counted in a step counts less.
    pub(super) fn take_back(&mut self, step: u64, count: u64) {
        let less = self.own.take_back(step, count);
        if let Some(fleet) = &mut self.fleet {
            fleet.total = fleet.total.wrapping_sub(less);
        }
    }

    /// A tick is over: what was used here, for the others.
    pub(super) fn tell(&mut self) -> Amount {
        let sum = self.own.sum();
        let fleet = self.fleet();
        fleet.fresh = [0, fleet.fresh[0]];
        let total = fleet.total;
        Amount { total, sum }
    }

    /// Requests to another replica have taken so much more.
    pub(super) fn hear(&mut self, more: i64) {
        let taken = &mut self.fleet().taken;
        match u64::try_from(more) {
            Ok(more) => taken.add(more),
            Err(_) => taken.take_back_oldest(more.unsigned_abs()),
        }
    }

    /// The client uses so many replicas just now, with this one.
    pub(super) fn divide(&mut self, sharers: u64) {
        if let Some(fleet) = &mut self.fleet {
            fleet.sharers = sharers.max(1);
        }
    }

    fn fleet(&mut self) -> &mut Elsewhere {
        let own = &self.own;
        self.fleet.get_or_insert_with(|| {
            Box::new(Elsewhere {
                taken: own.beside(),
                total: own.sum(),
                fresh: [0; 2],
                sharers: 1,
            })
        })
    }

    fn elsewhere(&self) -> Option<&Window> {
        self.fleet.as_ref().map(|fleet| &fleet.taken)
    }
}

impl Elsewhere {
    /// Whether so much belongs to this replica's part of what is left.
    fn has_part(&self, wanted: u64, left: u64) -> bool {
        let fresh = self.fresh[0].saturating_add(self.fresh[1]);
        let part = left.saturating_add(fresh) / self.sharers;
        fresh == 0 || self.sharers == 1 || fresh.saturating_add(wanted) <= part
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, Meter, TOLD};

    #[test]
    fn what_others_take_counts_here_and_leaves_with_its_minute() {
        let mut meter = Meter::default();
        meter.pass(4);
        meter.add(3);
        assert_eq!(meter.tell(), Amount { total: 3, sum: 3 });
        meter.hear(5);
        assert_eq!(meter.sum(), 8);
        assert_eq!(meter.wait_for(2, 10), None);
        assert!(meter.wait_for(3, 10).is_some());
        meter.take_back(4, 1);
        meter.hear(-2);
        assert_eq!(meter.tell(), Amount { total: 2, sum: 2 });
        assert_eq!(meter.sum(), 5);
        meter.pass(4 + 241);
        assert_eq!((meter.sum(), meter.tell().sum), (0, 0));
    }

    #[test]
    fn what_is_left_is_divided_among_those_that_take_it() {
        let mut meter = Meter::default();
        meter.tell();
        meter.add(10);
        assert_eq!(meter.wait_for(20, 30), None, "nobody else takes of it");
        meter.divide(3);
        assert_eq!(meter.wait_for(1, 30), Some(TOLD), "10 of 30 are its part");
        meter.tell();
        assert_eq!(meter.wait_for(1, 30), Some(TOLD));
        meter.tell();
        assert_eq!(meter.wait_for(20, 30), None, "all have told meanwhile");
        meter.add(1);
        meter.hear(10);
        assert_eq!(meter.wait_for(2, 30), None, "3 of 10");
        assert_eq!(meter.wait_for(3, 30), Some(TOLD));
    }

    #[test]
    fn only_what_still_counts_is_heard_of() {
        let amount = |total, sum| Amount { total, sum };
        assert_eq!(amount(100, 7).since(None), 7);
        assert_eq!(amount(100, 7).since(Some(&amount(96, 3))), 4);
        assert_eq!(amount(100, 7).since(Some(&amount(5, 5))), 7);
        assert_eq!(amount(3, 3).since(Some(&amount(8, 8))), -5);
        assert_eq!(amount(1, 9).since(Some(&amount(u64::MAX, 8))), 2);
        assert_eq!(amount(0, u64::MAX).since(None), i64::MAX);
    }
}
