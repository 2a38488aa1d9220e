//! Tests of how what is left is divided.

use std::collections::BTreeMap;

use tokio::time::advance;

use super::{Duration, Instant, MOST, Roster, Signer, Takings, Usage};
use crate::clients::{Client, Cost, Taken};
use crate::config::{ClientConfig, ClientLimits, SharedConfig};
use crate::shared::message::{Message, Says};

/// Replicas without anything but one client, and a server that passes their messages on.
struct Replicas {
    all: Vec<Replica>,
    seq: u64,
}

struct Replica {
    anna: Client,
    _usage: Usage,
    takings: Takings,
    roster: Roster,
}

impl Replicas {
    fn new(count: usize, limits: ClientLimits) -> Self {
        let (all, seq) = (Vec::new(), 0);
        let mut replicas = Self { all, seq };
        for _ in 0..count {
            replicas.join(limits);
        }
        replicas
    }

    /// One more starts.
    fn join(&mut self, limits: ClientLimits) {
        let config = ClientConfig {
            name: "anna".to_owned(),
            limits,
            ..ClientConfig::default()
        };
        let usage = Usage::default();
        let anna = Client::new(&config, &usage);
        let mut takings = Takings::default();
        takings.adopt(&usage, &Signer::new(&SharedConfig::default()));
        self.all.push(Replica {
            anna,
            _usage: usage,
            takings,
            roster: Roster::default(),
        });
    }

    /// A tick of one of them is over, and the others hear what it tells.
    fn tick(&mut self, index: usize, is_all: bool) {
        let now = Instant::now();
        let teller = &mut self.all[index];
        let taken = teller.takings.tick(&[], &teller.roster, is_all, now);
        self.seq += 1;
        let mut message = Message::new(index as u64, "a", Says::Taken(taken.clone()));
        message.seq = self.seq;
        for (other, replica) in self.all.iter_mut().enumerate() {
            if other != index {
                replica.roster.hear(&message, now).unwrap();
                let roster = &replica.roster;
                replica
                    .takings
                    .hear(index as u64, &taken.clients, roster, now);
            }
        }
    }

    fn tick_all(&mut self) {
        (0..self.all.len()).for_each(|index| self.tick(index, true));
    }

    fn take(&self, index: usize, prompt: u64) -> Option<Taken> {
        let cost = Cost { prompt, output: 0 };
        let taken = self.all[index].anna.take(cost, Instant::now()).ok()?;
        Some(taken.expect("it has limits"))
    }
}

fn requests(most: u64) -> ClientLimits {
    ClientLimits {
        requests_per_minute: Some(most),
        ..ClientLimits::default()
    }
}

fn tokens(most: u64) -> ClientLimits {
    ClientLimits {
        tokens_per_minute: Some(most),
        ..ClientLimits::default()
    }
}

/// How many pass in the first minute, and most of all in any, where so many come to each of three replicas in 10 ms on
/// average.
async fn passed(limit: u64, rates: [f64; 3]) -> (usize, usize) {
    let mut replicas = Replicas::new(3, requests(limit));
    let (mut due, mut passed) = ([0.0; 3], Vec::new());
    for moment in 0_usize..7_500 {
        for index in 0..3 {
            due[index] += rates[index];
            while due[index] >= 1.0 {
                due[index] -= 1.0;
                passed.extend(replicas.take(index, 1).map(|_| moment));
            }
            // Each ticks at another time.
            if moment % 5 == index {
                replicas.tick(index, moment % 100 == index);
            }
        }
        advance(Duration::from_millis(10)).await;
    }
    let within = |from: usize| {
        let minute = from..from + 6_000;
        passed.iter().filter(|at| minute.contains(at)).count()
    };
    let most = passed.iter().map(|at| within(*at)).max();
    (within(0), most.unwrap_or(0))
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_for_all_replicas_together() {
    for rates in [
        [0.1, 0.1, 0.1],
        [1.0, 1.0, 1.0],
        [2.9, 0.07, 0.03],
        [4.0, 4.0, 4.0],
        [0.0, 0.5, 0.0],
    ] {
        let (first, most) = passed(600, rates).await;
        assert!((594..=612).contains(&first), "{rates:?}: {first}");
        assert!((594..=612).contains(&most), "{rates:?}: {most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_uses_one_replica_has_the_whole_limit_there() {
    let mut replicas = Replicas::new(3, requests(60));
    replicas.tick_all();
    let at_once = (0..100).filter(|_| replicas.take(1, 1).is_some());
    assert_eq!(at_once.count(), 60);
    replicas.tick_all();
    assert!(replicas.take(0, 1).is_none() && replicas.take(2, 1).is_none());
    advance(Duration::from_secs(62)).await;
    assert!(replicas.take(2, 1).is_some(), "all of it has left");
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_given_back_are_free_for_all() {
    let mut replicas = Replicas::new(2, tokens(1000));
    replicas.tick_all();
    let taken = replicas.take(0, 900).unwrap();
    replicas.tick_all();
    assert!(replicas.take(1, 200).is_none());
    taken.settle(Some(100));
    replicas.tick_all();
    assert!(replicas.take(1, 901).is_none());
    assert!(replicas.take(1, 900).is_some());
}

#[tokio::test(start_paused = true)]
async fn open_requests_count_for_all_until_they_end_or_their_replica_is_gone() {
    let limits = ClientLimits {
        concurrent: Some(2),
        ..ClientLimits::default()
    };
    let mut replicas = Replicas::new(3, limits);
    let [one, two] = [0, 1].map(|index| replicas.take(index, 1));
    replicas.tick_all();
    assert!((0..3).all(|index| replicas.take(index, 1).is_none()));
    drop(one);
    replicas.tick_all();
    let three = replicas.take(2, 1);
    assert!(three.is_some());
    // The second one says nothing more.
    for _ in 0..20 {
        advance(Duration::from_secs(1)).await;
        let now = Instant::now();
        replicas.tick(0, true);
        replicas.tick(2, true);
        replicas.all[0].roster.forget_silent(now);
    }
    replicas.tick(0, true);
    assert!(replicas.take(0, 1).is_some());
    drop((two, three));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_later_learns_what_counts_and_whoever_returns_adds_what_was_missed() {
    let mut replicas = Replicas::new(2, requests(10));
    let taken = |replicas: &Replicas, index| {
        (0..20)
            .filter(|_| replicas.take(index, 1).is_some())
            .count()
    };
    (0..3).for_each(|_| drop(replicas.take(0, 1)));
    replicas.tick_all();
    // These are taken while the server is away.
    (0..3).for_each(|_| drop(replicas.take(0, 1)));
    replicas.join(requests(10));
    replicas.tick_all();
    replicas.tick_all();
    advance(Duration::from_secs(3)).await;
    replicas.tick_all();
    assert_eq!(taken(&replicas, 2), 4);
    replicas.tick_all();
    assert_eq!(taken(&replicas, 1), 0);
    for replica in &mut replicas.all {
        replica.takings.go_alone();
    }
    advance(Duration::from_secs(62)).await;
    assert_eq!([0, 1, 2].map(|index| taken(&replicas, index)), [10; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_message_has_room_for_some_and_the_others_come_next() {
    let usage = Usage::default();
    let clients: Vec<Client> = (0..MOST + 30)
        .map(|number| {
            let config = ClientConfig {
                name: number.to_string(),
                limits: requests(5),
                ..ClientConfig::default()
            };
            Client::new(&config, &usage)
        })
        .collect();
    let (mut takings, roster) = (Takings::default(), Roster::default());
    takings.adopt(&usage, &Signer::new(&SharedConfig::default()));
    let mut sent = BTreeMap::new();
    for _ in 0..2 {
        for client in &clients {
            client.take(Cost::default(), Instant::now()).unwrap();
        }
        let taken = takings.tick(&[], &roster, false, Instant::now());
        assert_eq!(taken.clients.len(), MOST);
        sent.extend(
            taken
                .clients
                .iter()
                .map(|count| (count.client, count.requests)),
        );
    }
    assert_eq!(sent.len(), clients.len());
}
