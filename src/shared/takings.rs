//! What requests take of limits that hold for the fleet: of their clients', and of the seats of upstreams.
//!
//! Each replica tells the others many times a second what has changed, and all of it once a second, so that a message that is
//! lost does no harm. What is taken is told as a running total: what comes late counts late, and nothing counts twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::message::{ClientCount, MOST, SeatCount, TakenThere};
use super::roster::Roster;
use super::signer::Signer;
use crate::clients::{Amount, Counts, OwnCounts, Usage};
use crate::upstream::Seats;

/// A client whose requests have come to another replica within so much time uses that one, too.
const ACTIVE: Duration = Duration::from_secs(2);
/// What another replica has told is remembered for so long: then none of it counts any more.
const REMEMBERED: Duration = Duration::from_secs(70);

/// What is known of takings.
#[derive(Debug, Default)]
pub(super) struct Takings {
    /// By what stands for them.
    clients: BTreeMap<u64, Client>,
    /// The first client that had no room in the last message.
    next: u64,
    /// What was told last of the seats of upstreams, by what stands for them.
    seats: HashMap<u64, u32>,
}

/// A client that has limits here.
#[derive(Debug)]
struct Client {
    counts: Weak<Counts>,
    sent: OwnCounts,
    /// What others have told, by their numbers.
    received: HashMap<u64, Received>,
}

#[derive(Debug)]
struct Received {
    counts: OwnCounts,
    at: Instant,
    /// When a request of the client came there.
    asked_at: Instant,
}

impl Takings {
    /// These clients have limits from now on.
    pub(super) fn adopt(&mut self, usage: &Usage, signer: &Signer) {
        let mut before = std::mem::take(&mut self.clients);
        for (name, counts) in usage.all() {
            let hash = signer.client(&name);
            let kept = before.remove(&hash);
            let kept = kept.filter(|client| client.counts.ptr_eq(&counts));
            let new = || Client {
                counts,
                sent: OwnCounts::default(),
                received: HashMap::new(),
            };
            self.clients.insert(hash, kept.unwrap_or_else(new));
        }
    }

    /// Another replica tells what has been taken there.
    pub(super) fn hear(&mut self, node: u64, taken: &[ClientCount], roster: &Roster, now: Instant) {
        for sent in taken {
            if let Some(client) = self.clients.get_mut(&sent.client)
                && let Some(counts) = client.counts.upgrade()
            {
                client.hear(&counts, node, OwnCounts::from(sent), now);
                client.divide(&counts, roster, now);
            }
        }
    }

    /// A tick is over: what has been taken here meanwhile, or all of it.
    pub(super) fn tick(
        &mut self,
        limited: &[(u64, &Arc<Seats>)],
        roster: &Roster,
        is_all: bool,
        now: Instant,
    ) -> TakenThere {
        TakenThere {
            clients: self.clients(roster, is_all, now),
            seats: self.seats(limited, is_all),
        }
    }

    /// From now on only what is taken here is known.
    pub(super) fn go_alone(&mut self) {
        for counts in self
            .clients
            .values()
            .filter_map(|client| client.counts.upgrade())
        {
            counts.divide(0, 1);
        }
    }

    fn clients(&mut self, roster: &Roster, is_all: bool, now: Instant) -> Vec<ClientCount> {
        let (mut sent, mut without_room) = (Vec::new(), None);
        let later = self.clients.range(..self.next).count();
        let mut all: Vec<(&u64, &mut Client)> = self.clients.iter_mut().collect();
        // Whoever had no room in the last message comes first.
        all.rotate_left(later);
        for (hash, client) in all {
            let Some(counts) = client.counts.upgrade() else {
                continue;
            };
            client.divide(&counts, roster, now);
            let own = counts.tell(now);
            let is_wanted = own.differs_from(&client.sent) || is_all && own.is_something();
            if is_wanted && sent.len() < MOST {
                client.sent = own;
                sent.push(ClientCount::new(*hash, &own));
            } else if is_wanted {
                without_room = without_room.or(Some(*hash));
            }
        }
        self.next = without_room.unwrap_or(0);
        sent
    }

    fn seats(&mut self, limited: &[(u64, &Arc<Seats>)], is_all: bool) -> Vec<SeatCount> {
        let before = std::mem::take(&mut self.seats);
        let mut sent = Vec::new();
        for (scope, seats) in limited.iter().take(MOST) {
            let open = u32::try_from(seats.open()).unwrap_or(u32::MAX);
            let before = before.get(scope).copied().unwrap_or(0);
            if open != before || is_all && open > 0 {
                let scope = *scope;
                sent.push(SeatCount { scope, open });
            }
            self.seats.insert(*scope, open);
        }
        sent
    }
}

impl Client {
    fn hear(&mut self, counts: &Counts, node: u64, sent: OwnCounts, now: Instant) {
        let before = self.received.get(&node);
        counts.hear(&sent, before.map(|before| &before.counts), now);
        let asked_at = match before {
            Some(before) if sent.asked == before.counts.asked => before.asked_at,
            Some(_) | None => now,
        };
        let received = Received {
            counts: sent,
            at: now,
            asked_at,
        };
        self.received.insert(node, received);
    }

    /// What others take decides what is left for this replica.
    fn divide(&mut self, counts: &Counts, roster: &Roster, now: Instant) {
        if self.received.is_empty() {
            return;
        }
        let since = |then: Instant| now.saturating_duration_since(then);
        self.received
            .retain(|_, received| since(received.at) < REMEMBERED);
        let there = self.received.iter().filter(|(node, _)| roster.has(**node));
        let (mut open, mut sharers) = (0_u64, 1);
        for (_, received) in there {
            open = open.saturating_add(received.counts.open);
            sharers += u64::from(since(received.asked_at) < ACTIVE);
        }
        counts.divide(open, sharers);
    }
}

impl ClientCount {
    fn new(client: u64, own: &OwnCounts) -> Self {
        Self {
            client,
            requests: (own.requests.total, own.requests.sum),
            tokens: (own.tokens.total, own.tokens.sum),
            open: own.open,
            asked: own.asked,
        }
    }
}

impl From<&ClientCount> for OwnCounts {
    fn from(sent: &ClientCount) -> Self {
        let amount = |(total, sum)| Amount { total, sum };
        Self {
            requests: amount(sent.requests),
            tokens: amount(sent.tokens),
            open: sent.open,
            asked: sent.asked,
        }
    }
}

#[cfg(test)]
mod tests;
