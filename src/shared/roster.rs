//! Who is in the fleet, and what each of them has found.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Found, Message};
use crate::event::Unusable;

/// Who says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(10);
/// So many replicas are kept apart.
const MOST: usize = 64;

/// The other replicas, by the number that each has chosen.
#[derive(Debug, Default)]
pub(super) struct Roster(HashMap<u64, Replica>);

/// Another replica.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) name: String,
    /// When it last said something.
    pub(super) received: Instant,
    pub(super) up: Duration,
    seq: u64,
    pub(super) found: Vec<Found>,
    /// The part of that from which everything has followed that follows from it.
    settled: Vec<Found>,
}

impl Roster {
    /// A replica says this. Returns the part from which nothing has followed yet.
    pub(super) fn hear(&mut self, message: &Message, now: Instant) -> Result<Vec<Found>, Unusable> {
        self.forget_silent(now);
        let before = self.0.get(&message.node);
        if before.is_some_and(|before| before.seq >= message.seq) {
            return Err(Unusable::Repeated);
        }
        if before.is_none() && self.0.len() >= MOST {
            return Err(Unusable::TooMany);
        }
        if message.is_leaving {
            self.0.remove(&message.node);
            return Ok(Vec::new());
        }
        let settled = before.map_or(&[][..], |before| &before.settled);
        let (settled, news): (Vec<Found>, Vec<Found>) = message
            .found
            .iter()
            .cloned()
            .partition(|found| settled.contains(found));
        let replica = Replica {
            name: message.name.clone(),
            received: now,
            up: Duration::from_secs(message.up),
            seq: message.seq,
            found: message.found.clone(),
            settled,
        };
        self.0.insert(message.node, replica);
        Ok(news)
    }

    /// What has to follow from a finding has followed.
    pub(super) fn settle(&mut self, node: u64, found: Found) {
        if let Some(replica) = self.0.get_mut(&node) {
            replica.settled.push(found);
        }
    }

    /// Forgets those that are gone.
    pub(super) fn forget_silent(&mut self, now: Instant) {
        self.0
            .retain(|_, replica| now.saturating_duration_since(replica.received) < SILENCE);
    }

    /// How many have taken this scope out, by what they found themselves, and for what.
    pub(super) fn votes(&self, scope: u64) -> (usize, Option<&str>) {
        let found = self.0.values().flat_map(|replica| {
            let mut found = replica.found.iter();
            found.find(|found| found.scope == scope && !found.healed)
        });
        let causes: Vec<&str> = found.map(|found| found.cause.as_str()).collect();
        (causes.len(), causes.first().copied())
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&u64, &Replica)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Found, Instant, MOST, Message, Roster, SILENCE, Unusable};

    fn says(node: u64, seq: u64, scopes: &[u64]) -> Message {
        let mut message = Message::new(node, "a");
        message.seq = seq;
        let found = scopes.iter().map(|scope| Found {
            scope: *scope,
            turn: 1,
            level: 1,
            healed: false,
            cause: "failures".to_owned(),
        });
        message.found = found.collect();
        message
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
    fn who_is_silent_or_leaves_is_forgotten_and_a_crowd_is_kept_out() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        for node in 0..MOST as u64 {
            roster.hear(&says(node, 1, &[5]), now).unwrap();
        }
        let one_more = says(MOST as u64, 1, &[5]);
        assert_eq!(roster.hear(&one_more, now), Err(Unusable::TooMany));
        let mut is_leaving = says(0, 2, &[5]);
        is_leaving.is_leaving = true;
        assert_eq!(roster.hear(&is_leaving, now), Ok(Vec::new()));
        assert_eq!(roster.votes(5).0, MOST - 1);
        roster.forget_silent(now + SILENCE + Duration::from_millis(1));
        assert_eq!(roster.votes(5).0, 0);
    }
}
