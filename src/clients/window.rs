//! How much was counted in the last minute, as a sliding window.
//!
//! The minute is divided into steps of a quarter of a second. What was counted in a step counts until a whole minute after
//! the end of that step, so no minute, wherever it begins, has more than the limit; what leaves the window leaves it at most
//! a quarter of a second late.

use std::time::Duration;

/// The length of a step.
const STEP: Duration = Duration::from_millis(250);
/// The steps of a minute, and the one that runs.
const STEPS: usize = 241;

/// What was counted in the last minute.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The counts of the steps, in a ring; empty until something is counted.
    steps: Vec<u32>,
    sum: u64,
    /// The number of the step that runs.
    now: u64,
}

/// The number of the step that runs so long after the first one began.
pub(super) fn step_at(since: Duration) -> u64 {
    (since.as_millis() / STEP.as_millis()) as u64
}

impl Window {
    /// This step runs now: what is older than a minute does not count any more.
    pub(super) fn pass(&mut self, step: u64) {
        if step <= self.now {
            return;
        }
        let passed = step - self.now;
        if self.sum == 0 || passed >= STEPS as u64 {
            self.steps.fill(0);
            self.sum = 0;
        } else {
            for step in self.now + 1..=step {
                let left = std::mem::take(&mut self.steps[place(step)]);
                self.sum -= u64::from(left);
            }
        }
        self.now = step;
    }

    /// An empty one that goes with this, step by step.
    pub(super) fn beside(&self) -> Self {
        Self {
            now: self.now,
            ..Self::default()
        }
    }

    /// What counts now.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// Counts more in the step that runs.
    pub(super) fn add(&mut self, count: u64) {
        if self.steps.is_empty() {
            self.steps = vec![0; STEPS];
        }
        let at = &mut self.steps[place(self.now)];
        let before = *at;
        *at = before.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.sum += u64::from(*at - before);
    }

    /// What was counted in a step counts less, if it still counts. Returns how much less.
    pub(super) fn take_back(&mut self, step: u64, count: u64) -> u64 {
        let counts_still = self.now < step + STEPS as u64;
        if let Some(at) = self.steps.get_mut(place(step))
            && counts_still
        {
            let less = u64::from(*at).min(count);
            *at -= less as u32;
            self.sum -= less;
            return less;
        }
        0
    }

    /// So much does not count any more, and nobody knows in which step it was counted: the oldest goes first, so that what
    /// is left counts no shorter than it should.
    pub(super) fn take_back_oldest(&mut self, count: u64) {
        let mut left = count.min(self.sum);
        for ahead in 1..=STEPS as u64 {
            if left == 0 {
                return;
            }
            // Once around the ring, from the oldest step on.
            let step = (self.now + ahead).saturating_sub(STEPS as u64);
            left -= self.take_back(step, left);
        }
    }

    /// How long until so much does not count any more, at most; `also`: what counts with this, step by step.
    pub(super) fn until_less(&self, count: u64, also: Option<&Self>) -> Duration {
        let mut left = 0;
        // The oldest first: the place of a step is taken by the one that comes when it leaves.
        for ahead in 1..=STEPS as u64 {
            left += self.leaving(ahead) + also.map_or(0, |also| also.leaving(ahead));
            if left >= count {
                return STEP * ahead as u32;
            }
        }
        STEP * STEPS as u32
    }

    /// What leaves so many steps from now on.
    fn leaving(&self, ahead: u64) -> u64 {
        let count = self.steps.get(place(self.now + ahead));
        u64::from(count.copied().unwrap_or(0))
    }

    /// How long until nothing counts.
    pub(super) fn until_empty(&self) -> Duration {
        let is_counted = |ahead: &u32| self.leaving(u64::from(*ahead)) > 0;
        let newest = (1..=STEPS as u32).rev().find(is_counted);
        STEP * newest.unwrap_or(0)
    }
}

fn place(step: u64) -> usize {
    (step % STEPS as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{STEP, STEPS, Window, step_at};

    #[test]
    fn what_was_counted_leaves_after_a_minute_and_no_earlier() {
        let mut window = Window::default();
        window.pass(7);
        window.add(10);
        window.pass(7 + 240);
        assert_eq!(window.sum(), 10);
        assert_eq!(window.until_less(1, None), STEP);
        assert_eq!(window.until_empty(), STEP);
        window.add(1);
        assert_eq!(window.until_empty(), STEP * STEPS as u32);
        assert_eq!(window.until_less(11, None), STEP * STEPS as u32);
        window.pass(7 + 241);
        assert_eq!(window.sum(), 1);
        window.pass(10_000);
        assert_eq!((window.sum(), window.until_empty()), (0, Duration::ZERO));
    }

    #[test]
    fn what_is_taken_back_counts_no_more_and_never_twice() {
        let mut window = Window::default();
        window.pass(3);
        window.add(100);
        window.pass(9);
        window.add(1);
        window.take_back(3, 60);
        assert_eq!(window.sum(), 41);
        window.take_back(3, 60);
        assert_eq!(window.sum(), 1);
        window.pass(3 + 241);
        window.add(5);
        window.take_back(3, 5);
        assert_eq!(window.sum(), 6, "its place belongs to another step");
    }

    #[test]
    fn what_nobody_knows_the_step_of_is_taken_from_the_oldest() {
        for begin in [0, 3, 10_000] {
            let mut window = Window::default();
            for step in 0..3 {
                window.pass(begin + 100 * step);
                window.add(10);
            }
            window.take_back_oldest(15);
            assert_eq!(window.sum(), 15);
            window.pass(begin + 241);
            assert_eq!(window.sum(), 15, "the oldest is gone already");
            window.pass(begin + 341);
            assert_eq!(window.sum(), 10);
            window.take_back_oldest(u64::MAX);
            assert_eq!(window.sum(), 0);
        }
    }

    #[test]
    fn what_counts_with_a_window_leaves_with_it() {
        let (mut window, mut also) = (Window::default(), Window::default());
        window.pass(1);
        also.pass(1);
        window.add(1);
        window.pass(5);
        also.pass(5);
        also.add(2);
        assert_eq!(window.until_less(1, Some(&also)), STEP * 237);
        assert_eq!(window.until_less(3, Some(&also)), STEP * STEPS as u32);
    }

    #[test]
    fn a_count_beyond_all_bounds_is_as_good_as_endless() {
        let mut window = Window::default();
        window.add(u64::MAX);
        window.add(u64::MAX);
        assert_eq!(window.sum(), u64::from(u32::MAX));
        window.pass(241);
        assert_eq!(window.sum(), 0);
    }

    proptest! {
        /// Whoever comes whenever he may, and waits as long as he is told, never has more than the limit in any minute.
        #[test]
        fn no_minute_has_more_than_the_limit(gaps in prop::collection::vec(0_u64..2_000, 1..400), limit in 1_u64..40) {
            let (mut window, mut now) = (Window::default(), 0);
            let mut passed: VecDeque<u64> = VecDeque::new();
            for gap in gaps {
                now += gap;
                window.pass(step_at(Duration::from_millis(now)));
                if window.sum() < limit {
                    window.add(1);
                    passed.push_back(now);
                    while passed.front().is_some_and(|first| first + 60_000 < now) {
                        passed.pop_front();
                    }
                    prop_assert!(passed.len() as u64 <= limit);
                } else {
                    let wait = window.until_less(1, None).as_millis() as u64;
                    prop_assert!((1..=60_250).contains(&wait));
                    window.pass(step_at(Duration::from_millis(now + wait)));
                    prop_assert!(window.sum() < limit);
                    now += wait;
                }
            }
        }
    }
}
