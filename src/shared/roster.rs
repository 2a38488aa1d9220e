//! Who is in the fleet, and what each of them has found.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{self, FiguresThere, Found, Message, Says, SeatCount, Suspected};
use crate::event::Unusable;
use crate::health::Others;

/// Who says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(10);
/// So many replicas are kept apart.
const MOST: usize = 64;

/// For so long it is remembered that a replica is gone that has not said so.
const MISSED: Duration = Duration::from_secs(3600);

/// The other replicas.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// By the number that each has chosen.
    all: HashMap<u64, Replica>,
    /// Who is gone without a word, by name, and when it was last heard.
    missed: HashMap<String, Instant>,
}

/// Another replica.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) name: String,
    /// When it last said something.
    pub(super) received: Instant,
    pub(super) up: Duration,
    seq: u64,
    pub(super) found: Vec<Found>,
    suspected: Vec<Suspected>,
    /// The part of that from which everything has followed that follows from it.
    settled: Vec<Found>,
    /// How many requests it has open at upstreams whose `concurrency` is limited, by what stands for them.
    seats: HashMap<u64, u32>,
    /// What it has counted, and when it told that.
    pub(super) figures: Option<(Instant, FiguresThere)>,
}

/// Who takes the seats of an upstream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sitters {
    /// How many seats other replicas have taken.
    pub(super) taken: usize,
    /// How many of them there are.
    pub(super) replicas: usize,
    /// How many of those come before this one, wherever not all can have the same.
    pub(super) before: usize,
}

impl Roster {
    /// A replica says this. Returns the part from which nothing has followed yet.
    pub(super) fn hear(&mut self, message: &Message, now: Instant) -> Result<Vec<Found>, Unusable> {
        self.forget_silent(now);
        let before = self.all.get(&message.node);
        if before.is_some_and(|before| before.seq >= message.seq) {
            return Err(Unusable::Repeated);
        }
        if before.is_none() && self.all.len() >= MOST {
            return Err(Unusable::TooMany);
        }
        let replica = self.all.entry(message.node);
        let replica = replica.or_insert_with(|| Replica::unheard(now));
        replica.name.clone_from(&message.name);
        self.missed.remove(&message.name);
        replica.received = now;
        replica.up = Duration::from_secs(message.up);
        replica.seq = message.seq;
        match &message.says {
            Says::Known(known) => {
                replica.suspected.clone_from(&known.suspected);
                return Ok(replica.find(&known.found));
            }
            Says::Taken(taken) => replica.take_seats(&taken.seats),
            Says::Figures(figures) => replica.figures = Some((now, figures.clone())),
            Says::Goodbye => {
                self.all.remove(&message.node);
            }
        }
        Ok(Vec::new())
    }

    /// Who else takes the seats of an upstream, as this replica has to know it.
    pub(super) fn sitters(&self, scope: u64, node: u64) -> Sitters {
        let mut sitters = Sitters::default();
        for (other, replica) in &self.all {
            if let Some(open) = replica.seats.get(&scope) {
                sitters.taken = sitters.taken.saturating_add(*open as usize);
                sitters.replicas += 1;
                sitters.before += usize::from(*other < node);
            }
        }
        sitters
    }

    /// Whether this replica is there.
    pub(super) fn has(&self, node: u64) -> bool {
        self.all.contains_key(&node)
    }

    /// What has to follow from a finding has followed.
    pub(super) fn settle(&mut self, node: u64, found: Found) {
        if let Some(replica) = self.all.get_mut(&node) {
            replica.settled.push(found);
        }
    }

    /// Forgets those that are gone.
    pub(super) fn forget_silent(&mut self, now: Instant) {
        let since = |then: Instant| now.saturating_duration_since(then);
        let is_gone = |_: &u64, replica: &mut Replica| since(replica.received) >= SILENCE;
        for (_, replica) in self.all.extract_if(is_gone) {
            if self.missed.len() < MOST {
                self.missed.insert(replica.name, replica.received);
            }
        }
        self.missed.retain(|_, received| since(*received) < MISSED);
    }

    /// How many have taken this scope out, by what they found themselves, and for what.
    pub(super) fn votes(&self, scope: u64) -> (usize, Option<&str>) {
        let found = self.all.values().flat_map(|replica| {
            let mut found = replica.found.iter();
            found.find(|found| found.scope == scope && !found.healed)
        });
        let causes: Vec<&str> = found.map(|found| found.cause.as_str()).collect();
        (causes.len(), causes.first().copied())
    }

    /// What their requests hold against scopes, by what stands for these.
    pub(super) fn held_against(&self) -> HashMap<u64, Others> {
        let mut held: HashMap<u64, Others> = HashMap::new();
        for replica in self.all.values() {
            for suspected in &replica.suspected {
                let others = held.entry(suspected.scope).or_default();
                others.scores.push(suspected.score as f32 / 100.0);
                others.add_odds(suspected.odds as f32 / 100.0);
            }
            for found in replica.found.iter().filter(|found| !found.healed) {
                let others = held.entry(found.scope).or_default();
                others.add_odds(found.odds as f32 / 100.0);
                others.out_for = others.out_for.max(Duration::from_millis(found.out_ms));
            }
        }
        held
    }

    /// Who is gone without a word, by name, and when it was last heard.
    pub(super) fn missed(&self) -> impl Iterator<Item = (&String, &Instant)> {
        self.missed.iter()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&u64, &Replica)> {
        self.all.iter()
    }
}

impl Replica {
    fn unheard(now: Instant) -> Self {
        Self {
            name: String::new(),
            received: now,
            up: Duration::ZERO,
            seq: 0,
            found: Vec::new(),
            suspected: Vec::new(),
            settled: Vec::new(),
            seats: HashMap::new(),
            figures: None,
        }
    }

    /// It has found this. Returns the part from which nothing has followed yet.
    fn find(&mut self, found: &[Found]) -> Vec<Found> {
        let settled = &self.settled;
        let is_settled = |found: &Found| settled.iter().any(|one| one.is_same(found));
        let found = found.iter().cloned();
        let (settled, news): (Vec<Found>, Vec<Found>) = found.clone().partition(is_settled);
        self.found = found.collect();
        self.settled = settled;
        news
    }

    fn take_seats(&mut self, seats: &[SeatCount]) {
        for seat in seats {
            if seat.open == 0 {
                self.seats.remove(&seat.scope);
            } else if self.seats.len() < message::MOST || self.seats.contains_key(&seat.scope) {
                self.seats.insert(seat.scope, seat.open);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Duration, Found, Instant, MISSED, MOST, Message, Roster, SILENCE, Says, SeatCount, Sitters,
        Suspected, Unusable,
    };
    use crate::shared::message::{Known, TakenThere};

    fn says(node: u64, seq: u64, scopes: &[u64]) -> Message {
        let found = scopes.iter().map(|scope| Found {
            scope: *scope,
            turn: 1,
            level: 1,
            healed: false,
            answered: false,
            cause: "failures".to_owned(),
            odds: 100,
            out_ms: 0,
        });
        let known = Known {
            found: found.collect(),
            ..Known::default()
        };
        message(node, seq, Says::Known(known))
    }

    /// A replica that suspects a scope, and has taken another one out.
    fn suspects(node: u64, seq: u64, score: u32) -> Message {
        let mut known = Known::default();
        known.suspected.push(Suspected {
            scope: 5,
            score,
            odds: 60,
        });
        known.found.push(Found {
            scope: 6,
            turn: seq as u32,
            level: 1,
            healed: false,
            answered: false,
            cause: "failures".to_owned(),
            odds: 10,
            out_ms: 1000 * node,
        });
        message(node, seq, Says::Known(known))
    }

    fn message(node: u64, seq: u64, says: Says) -> Message {
        let mut message = Message::new(node, "a", says);
        message.seq = seq;
        message
    }

    fn sits(node: u64, seq: u64, open: u32) -> Message {
        let taken = TakenThere {
            seats: vec![SeatCount { scope: 5, open }],
            ..TakenThere::default()
        };
        message(node, seq, Says::Taken(taken))
    }

    #[test]
    fn what_is_said_again_is_no_news_and_what_came_before_is_ignored() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let mut news = |node, seq, scopes: &[u64]| {
            let news = roster.hear(&says(node, seq, scopes), now)?;
            // Nobody here knows scope 9.
            for found in news.iter().filter(|found| found.scope != 9) {
                roster.settle(node, found.clone());
            }
            Ok(news.iter().map(|found| found.scope).collect::<Vec<_>>())
        };
        assert_eq!(news(1, 1, &[5]), Ok(vec![5]));
        assert_eq!(news(1, 2, &[5, 6]), Ok(vec![6]));
        assert_eq!(news(1, 2, &[7]), Err(Unusable::Repeated));
        assert_eq!(news(1, 3, &[5, 9]), Ok(vec![9]));
        assert_eq!(news(1, 4, &[5, 6, 9]), Ok(vec![6, 9]));
        assert_eq!(news(2, 1, &[5]), Ok(vec![5]));
        assert_eq!(roster.votes(5), (2, Some("failures")));
        assert_eq!(roster.votes(6).0, 1);
        assert_eq!(roster.votes(7), (0, None));
    }

    #[test]
    fn what_each_holds_against_a_scope_is_what_it_said_last() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        for (node, score) in [(1, 500), (2, 300)] {
            roster.hear(&suspects(node, 1, score), now).unwrap();
        }
        let held = roster.held_against();
        let mut scores = held[&5].scores.clone();
        scores.sort_by(f32::total_cmp);
        assert_eq!((scores, held[&5].odds), (vec![3.0, 5.0], 0.6));
        assert_eq!(held[&6].out_for, Duration::from_secs(2));
        assert!(held[&6].scores.is_empty());
        roster.hear(&suspects(1, 2, 200), now).unwrap();
        roster.hear(&says(2, 2, &[]), now).unwrap();
        assert_eq!(roster.held_against()[&5].scores, [2.0]);
    }

    #[test]
    fn who_is_silent_or_leaves_is_forgotten_and_a_crowd_is_kept_out() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        for node in 0..MOST as u64 {
            roster.hear(&says(node, 1, &[5]), now).unwrap();
        }
        let one_more = says(MOST as u64, 1, &[5]);
        assert_eq!(roster.hear(&one_more, now), Err(Unusable::TooMany));
        let goodbye = message(0, 2, Says::Goodbye);
        assert_eq!(roster.hear(&goodbye, now), Ok(Vec::new()));
        assert_eq!(roster.votes(5).0, MOST - 1);
        roster.forget_silent(now + SILENCE + Duration::from_millis(1));
        assert_eq!(roster.votes(5).0, 0);
        let missed: Vec<_> = roster.missed().collect();
        assert_eq!(missed, [(&"a".to_owned(), &now)], "all have the same name");
        roster.forget_silent(now + MISSED);
        assert_eq!(roster.missed().count(), 0);
    }

    #[test]
    fn seats_are_taken_until_they_are_given_back_or_their_replica_is_gone() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let sitters = |taken, replicas, before| Sitters {
            taken,
            replicas,
            before,
        };
        roster.hear(&says(1, 1, &[7]), now).unwrap();
        roster.hear(&sits(1, 2, 3), now).unwrap();
        roster.hear(&sits(9, 1, 2), now).unwrap();
        assert_eq!(roster.sitters(5, 4), sitters(5, 2, 1));
        assert_eq!(roster.sitters(6, 4), Sitters::default());
        assert_eq!(roster.votes(7).0, 1, "what it has found still holds");
        roster.hear(&sits(1, 3, 0), now).unwrap();
        assert_eq!(roster.sitters(5, 4), sitters(2, 1, 0));
        roster.forget_silent(now + SILENCE);
        assert_eq!(roster.sitters(5, 4), Sitters::default());
    }
}
