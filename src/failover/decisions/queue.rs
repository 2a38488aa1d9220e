//! The queue of a route: requests that wait until somebody can answer again.
//!
//! They are let out one by one, each in its turn, in the order in which they came. Who comes later and finds a door open that some
//! of them wait for sends the first of those through it, and waits in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::turns::Turns;
use crate::config::UpstreamId;
use crate::health::ModelHealth;

/// The waiting requests of one route.
#[derive(Debug)]
pub(in crate::failover) struct Queue {
    /// How many have a place, in the line or with a turn.
    places: AtomicUsize,
    /// No more requests have one at a time.
    limit: usize,
    line: Mutex<Line>,
}

/// Requests that wait for a turn in one route, as operators see them.
#[derive(Clone, Debug)]
pub struct RouteWaiting {
    /// How many they are; at least one.
    pub requests: usize,
    /// For how long the one that has waited longest has done so.
    pub longest: Duration,
    /// The upstreams whose cooldowns they wait for.
    pub upstreams: BTreeSet<UpstreamId>,
}

/// Those who wait for a turn.
#[derive(Debug)]
struct Line {
    turns: Turns,
    /// By the numbers of their places. Whoever has got a turn is not in it any more.
    waiting: BTreeMap<u64, Waiting>,
    last_number: u64,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    opens_at: Instant,
    /// Whose cooldown it waits for.
    doors: Vec<Arc<ModelHealth>>,
    /// Rings when it is to look again whether it has a turn.
    bell: Arc<Notify>,
}

/// What there is to do for one who waits.
enum Look {
    /// It goes in its turn.
    Turn,
    /// It goes in place of one who came later.
    LetThrough,
    /// Look again at this time.
    At(Instant),
    /// Others come first; its bell will ring.
    OthersFirst,
}

/// A place in a queue, which is given up when it is dropped.
#[derive(Debug)]
pub(in crate::failover) struct Place<'a> {
    queue: &'a Queue,
    number: u64,
    since: Instant,
    /// Whether it was let through in place of one who came later, and not in its turn.
    is_let_through: bool,
}

impl Queue {
    pub(in crate::failover) fn new(limit: usize, now: Instant) -> Self {
        Self {
            places: AtomicUsize::new(0),
            limit,
            line: Mutex::new(Line {
                turns: Turns::new(now, now),
                waiting: BTreeMap::new(),
                last_number: 0,
            }),
        }
    }

    /// A place in the queue, for a request that cannot be answered before `opens_at`; `None` if it is full.
    pub(in crate::failover) fn enter(&self, opens_at: Instant, now: Instant) -> Option<Place<'_>> {
        let before = self.places.fetch_add(1, Ordering::Relaxed);
        let mut place = Place {
            queue: self,
            number: 0,
            since: now,
            is_let_through: false,
        };
        if before >= self.limit {
            return None;
        }
        let mut line = self.line();
        place.number = line.number();
        if before == 0 {
            line.turns = Turns::new(opens_at, now);
        }
        Some(place)
    }

    /// Whether somebody waits for this door.
    pub(in crate::failover) fn is_awaited(&self, door: &Arc<ModelHealth>) -> bool {
        self.places.load(Ordering::Relaxed) > 0 && self.line().first_for(door).is_some()
    }

    /// A place for a request that could pass through this door now: the first who waits for it goes instead. `None` if nobody
    /// does, or the queue is full.
    pub(in crate::failover) fn give_way(
        &self,
        door: &Arc<ModelHealth>,
        now: Instant,
    ) -> Option<Place<'_>> {
        if self.places.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let place = self.enter(now, now)?;
        let is_given = self.line().let_through(door, now);
        is_given.then_some(place)
    }

    /// Who waits for a turn; `None` if nobody does.
    pub(in crate::failover) fn waiting(&self, now: Instant) -> Option<RouteWaiting> {
        let line = self.line();
        let waiting = line.waiting.values();
        let doors = waiting.clone().flat_map(|waiting| &waiting.doors);
        Some(RouteWaiting {
            requests: waiting.len(),
            longest: now.duration_since(waiting.map(|waiting| waiting.since).min()?),
            upstreams: doors.map(|door| door.id().upstream.clone()).collect(),
        })
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// The number of the last place.
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The first one whose door may be open.
    fn first(&self, now: Instant) -> Option<(u64, &Waiting)> {
        let mut waiting = self.waiting.iter();
        let (number, first) = waiting.find(|(_, waiting)| waiting.opens_at <= now)?;
        Some((*number, first))
    }

    fn look(&mut self, number: u64, now: Instant) -> Look {
        let Some(own) = self.waiting.get(&number) else {
            return Look::LetThrough;
        };
        if own.opens_at > now {
            return Look::At(own.opens_at);
        }
        if self.first(now).is_some_and(|(first, _)| first != number) {
            return Look::OthersFirst;
        }
        if self.turns.next() > now {
            return Look::At(self.turns.next());
        }
        self.turns.taken(now);
        self.leave(number, now);
        Look::Turn
    }

    /// Takes one out, so that another one may be the first now.
    fn leave(&mut self, number: u64, now: Instant) {
        if self.waiting.remove(&number).is_some() {
            self.ring(now);
        }
    }

    fn ring(&self, now: Instant) {
        if let Some((_, first)) = self.first(now) {
            first.bell.notify_one();
        }
    }

    fn first_for(&self, door: &Arc<ModelHealth>) -> Option<(u64, &Waiting)> {
        let is_its = |waiting: &Waiting| waiting.doors.iter().any(|own| Arc::ptr_eq(own, door));
        let mut waiting = self.waiting.iter();
        let (number, first) = waiting.find(|(_, waiting)| is_its(waiting))?;
        Some((*number, first))
    }

    /// Gives a turn to the first one who waits for this door; false if nobody does.
    fn let_through(&mut self, door: &Arc<ModelHealth>, now: Instant) -> bool {
        let Some((number, first)) = self.first_for(door) else {
            return false;
        };
        first.bell.notify_one();
        self.leave(number, now);
        true
    }
}

impl Place<'_> {
    /// Waits until it is this request's turn, but not before `opens_at`, unless one who comes later gives way to it. False if
    /// that is not before `until`. `doors`: whose cooldown it waits for.
    pub(in crate::failover) async fn turn(
        &mut self,
        opens_at: Instant,
        until: Instant,
        doors: Vec<Arc<ModelHealth>>,
    ) -> bool {
        let bell = Arc::new(Notify::new());
        let waiting = Waiting {
            since: self.since,
            opens_at,
            doors,
            bell: bell.clone(),
        };
        self.queue.line().waiting.insert(self.number, waiting);
        loop {
            let now = Instant::now();
            let look = self.look(now, until);
            self.is_let_through = matches!(look, Look::LetThrough);
            let again_at = match look {
                Look::Turn | Look::LetThrough => return true,
                Look::At(at) => at.min(until),
                Look::OthersFirst => until,
            };
            if now >= until {
                return false;
            }
            // Either way it looks again.
            let _ = timeout_at(again_at, bell.notified()).await;
        }
    }

    fn look(&self, now: Instant, until: Instant) -> Look {
        let mut line = self.queue.line();
        if now >= until && line.waiting.contains_key(&self.number) {
            line.leave(self.number, now);
            return Look::At(until);
        }
        line.look(self.number, now)
    }

    /// The request that went out has been answered.
    pub(in crate::failover) fn succeeded(&self) {
        let now = Instant::now();
        let mut line = self.queue.line();
        match self.is_let_through {
            true => line.turns.one_more_succeeded(now),
            false => line.turns.succeeded(now),
        }
        // Its turn may come sooner.
        line.ring(now);
    }

    /// It has failed. `is_limited`: it came too early, so it keeps its place; else others come first from now on.
    pub(in crate::failover) fn failed(&mut self, is_limited: bool) {
        let mut line = self.queue.line();
        line.turns.failed(Instant::now());
        if !is_limited {
            self.number = line.number();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.line().leave(self.number, Instant::now());
        self.queue.places.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::{Place, Queue};
    use crate::health::{Health, ModelHealth};

    const LONG: Duration = Duration::from_secs(3600);

    fn seconds(duration: Duration) -> f64 {
        (duration.as_secs_f64() * 10.0).round() / 10.0
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_more_and_more_seldom_until_one_succeeds() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let mut place = queue.enter(start, start).unwrap();
        let mut turns = Vec::new();
        for _ in 0..7 {
            assert!(place.turn(start, start + LONG, Vec::new()).await);
            turns.push(seconds(start.elapsed()));
            place.failed(true);
        }
        assert_eq!(turns, [0.2, 0.6, 1.4, 3.0, 5.0, 7.0, 9.0]);
        place.succeeded();
        for _ in 0..100 {
            assert!(place.turn(start, start + LONG, Vec::new()).await);
            place.succeeded();
        }
        // 4 × 200 ms, 4 × 100 ms, and so on.
        assert_eq!(seconds(start.elapsed()), 10.6);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_rate_limit_each_success_makes_the_pace_twice_as_fast() {
        let start = Instant::now();
        let opens_at = start + Duration::from_secs(2);
        let queue = Queue::new(100, start);
        let mut place = queue.enter(opens_at, start).unwrap();
        let mut turns = Vec::new();
        for _ in 0..5 {
            assert!(place.turn(opens_at, start + LONG, Vec::new()).await);
            turns.push(seconds(start.elapsed()));
            place.succeeded();
        }
        assert_eq!(turns, [2.0, 2.6, 2.8, 3.0, 3.0]);
        for _ in 0..50 {
            assert!(place.turn(opens_at, start + LONG, Vec::new()).await);
            place.succeeded();
        }
        assert_eq!(seconds(start.elapsed()), 3.1);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_long_rate_limit_the_first_failure_shows_the_pace_that_is_kept() {
        let start = Instant::now();
        let opens_at = start + Duration::from_secs(2);
        let queue = Queue::new(100, start);
        let mut place = queue.enter(opens_at, start).unwrap();
        let mut turns = Vec::new();
        for succeeds in [true, false, true, true, true, true] {
            assert!(place.turn(opens_at, start + LONG, Vec::new()).await);
            turns.push(seconds(start.elapsed()));
            match succeeds {
                true => place.succeeded(),
                false => place.failed(true),
            }
        }
        assert_eq!(turns, [2.0, 2.6, 3.7, 4.8, 5.9, 7.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_success_after_failures_brings_back_the_pace_of_the_beginning() {
        for (closed_for, failures, pause) in [(0, 1, 0.2), (0, 2, 0.2), (1, 1, 1.1)] {
            let start = Instant::now();
            let queue = Queue::new(10, start);
            let opens_at = start + Duration::from_secs(closed_for);
            let mut place = queue.enter(opens_at, start).unwrap();
            for _ in 0..failures {
                assert!(place.turn(opens_at, start + LONG, Vec::new()).await);
                place.failed(true);
            }
            assert!(place.turn(opens_at, start + LONG, Vec::new()).await);
            place.succeeded();
            let since = Instant::now();
            assert!(place.turn(opens_at, start + LONG, Vec::new()).await);
            assert_eq!(seconds(since.elapsed()), pause, "{closed_for} {failures}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_hastens_the_turn_of_the_next_one_that_waits_already() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let (mut first, mut second) = (
            queue.enter(start, start).unwrap(),
            queue.enter(start, start).unwrap(),
        );
        for _ in 0..5 {
            assert!(first.turn(start, start + LONG, Vec::new()).await);
            first.failed(true);
        }
        assert!(first.turn(start, start + LONG, Vec::new()).await);
        let since = Instant::now();
        let is_answered = async {
            sleep(Duration::from_millis(100)).await;
            first.succeeded();
        };
        tokio::join!(is_answered, async {
            assert!(second.turn(start, start + LONG, Vec::new()).await);
        });
        assert_eq!(seconds(since.elapsed()), 0.3);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_let_out_before_the_door_opens_or_after_the_end() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let mut place = queue.enter(start, start).unwrap();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(place.turn(at(5), at(10), Vec::new()).await);
        assert_eq!(Instant::now(), at(5));
        assert!(!place.turn(at(20), at(10), Vec::new()).await);
        assert_eq!(Instant::now(), at(10));
    }

    #[tokio::test(start_paused = true)]
    async fn what_became_of_others_counts_for_those_who_find_them_there_alone() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let enter = || queue.enter(start, Instant::now()).unwrap();
        let mut first = enter();
        for _ in 0..5 {
            assert!(first.turn(start, start + LONG, Vec::new()).await);
            first.failed(true);
        }
        let (mut second, since) = (enter(), Instant::now());
        assert!(second.turn(start, start + LONG, Vec::new()).await);
        assert_eq!(seconds(since.elapsed()), 2.0);
        drop((first, second));
        let (mut third, since) = (enter(), Instant::now());
        assert!(third.turn(start, start + LONG, Vec::new()).await);
        assert_eq!(seconds(since.elapsed()), 0.2);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_came_first_go_first() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let order = std::sync::Mutex::new(Vec::new());
        let go = async |mut place: Place<'_>, number: usize| {
            assert!(place.turn(start, start + LONG, Vec::new()).await);
            order
                .lock()
                .unwrap()
                .push((number, seconds(start.elapsed())));
        };
        let [first, second, third] = [(); 3].map(|()| queue.enter(start, start).unwrap());
        // Whoever looks first does not matter.
        tokio::join!(go(third, 3), go(second, 2), async {
            sleep(Duration::from_millis(10)).await;
            go(first, 1).await;
        });
        assert_eq!(*order.lock().unwrap(), [(1, 0.2), (2, 0.4), (3, 0.6)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_met_a_limit_keeps_its_place_and_who_failed_goes_to_the_end() {
        for (is_limited, expected) in [(true, ["first", "second"]), (false, ["second", "first"])] {
            let start = Instant::now();
            let queue = Queue::new(10, start);
            let mut first = queue.enter(start, start).unwrap();
            let second = queue.enter(start, start).unwrap();
            assert!(first.turn(start, start + LONG, Vec::new()).await);
            first.failed(is_limited);
            let order = std::sync::Mutex::new(Vec::new());
            let go = async |mut place: Place<'_>, name| {
                assert!(place.turn(start, start + LONG, Vec::new()).await);
                order.lock().unwrap().push(name);
            };
            tokio::join!(go(second, "second"), go(first, "first"));
            assert_eq!(*order.lock().unwrap(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_a_door_open_sends_the_first_through_that_waits_for_it_and_waits_instead() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let health = Health::new(start);
        let [door, other] = ["a", "b"].map(|id| health.model(&id.into(), &"m".into(), 1));
        assert!(queue.give_way(&door, start).is_none(), "nobody waits");
        let waits = |door: &Arc<ModelHealth>| {
            let (place, doors) = (
                queue.enter(start + LONG, start).unwrap(),
                vec![door.clone()],
            );
            async move {
                let mut place = place;
                assert!(place.turn(start + LONG, start + 2 * LONG, doors).await);
                (place, start.elapsed())
            }
        };
        let comes = async {
            sleep(Duration::from_secs(1)).await;
            let now = Instant::now();
            let unwanted = health.model(&"c".into(), &"m".into(), 1);
            assert!(queue.give_way(&unwanted, now).is_none());
            let mut late = queue.give_way(&door, now).expect("a place");
            assert!(late.turn(now, start + LONG, vec![door.clone()]).await);
            start.elapsed()
        };
        let ((_, by_other), (_, first), late) = tokio::join!(waits(&other), waits(&door), comes);
        assert_eq!(first, Duration::from_secs(1), "at once");
        assert!(late >= first, "{late:?}");
        assert!(by_other >= LONG, "it waits for another door");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_let_through_leaves_the_next_turn_to_the_next_one() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let door = Health::new(start).model(&"a".into(), &"m".into(), 1);
        let [first, second] = [(); 2].map(|()| queue.enter(start, start).unwrap());
        let waits = async |mut place: Place<'_>| {
            assert!(place.turn(start, start + LONG, vec![door.clone()]).await);
            let went_at = seconds(start.elapsed());
            // Its answer takes a while.
            sleep(LONG / 2).await;
            went_at
        };
        let comes = async {
            sleep(Duration::from_millis(100)).await;
            queue.give_way(&door, Instant::now()).expect("a place")
        };
        let (first, second, _) = tokio::join!(waits(first), waits(second), comes);
        assert_eq!((first, second), (0.1, 0.2));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_line_holds_nobody_up() {
        let start = Instant::now();
        let queue = Queue::new(10, start);
        let mut first = queue.enter(start, start).unwrap();
        let mut second = queue.enter(start, start).unwrap();
        let soon = Duration::from_millis(100);
        let goes_away = async {
            let turn = first.turn(start, start + LONG, Vec::new());
            assert!(timeout(soon, turn).await.is_err());
            drop(first);
        };
        let goes = second.turn(start, start + LONG, Vec::new());
        let (has_turn, ()) = tokio::join!(goes, goes_away);
        assert!(has_turn);
        assert_eq!(seconds(start.elapsed()), 0.2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_takes_nobody_and_a_place_is_free_again_when_it_is_left() {
        let now = Instant::now();
        let queue = Queue::new(2, now);
        let first = queue.enter(now, now).unwrap();
        let _second = queue.enter(now, now).unwrap();
        assert!(queue.enter(now, now).is_none());
        drop(first);
        assert!(queue.enter(now, now).is_some());
    }
}
