//! What replicas of a simulation share: the real code decides what is told, what is believed, and who tries what. Only what
//! carries the messages is simulated.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use backstop::affinity::Affinity;
use backstop::catalogue::{Dialect, KeyHeader};
use backstop::clients::Usage;
use backstop::config::{Secret, SharedConfig, UpstreamId};
use backstop::dialect::UpstreamApi;
use backstop::event::HealthChange;
use backstop::shared::{Fleet, LEASE, Step, Upstreams};
use backstop::upstream::{Client, Connector, Credential, Key, Upstream};
use backstop::wire::tls;
use tokio::time::Instant;

use crate::replica::Replica;

/// Seconds until a message is with the others.
pub(crate) const DELAY: f64 = 0.025;

/// Replicas that share, and the server between them.
pub(crate) struct Sharing {
    fleets: Vec<Fleet>,
    /// Messages on their way to each replica.
    underway: Vec<VecDeque<Arc<[u8]>>>,
    /// Whether a replica is about to tell its news.
    pub(crate) will_tell: Vec<bool>,
    /// Who may try a scope, and until when.
    trials: HashMap<u64, (u64, Instant)>,
}

impl Sharing {
    pub(crate) fn new(replicas: &[Replica], ids: &[UpstreamId], now: Instant) -> Self {
        let upstreams: Upstreams = ids.iter().filter_map(upstream).collect();
        let fleet = |replica: &Replica| {
            let health = Arc::clone(&replica.health);
            let affinity = Affinity::in_memory();
            let mut fleet = Fleet::new(&SharedConfig::default(), health, &affinity, now);
            fleet.adopt(&upstreams, &Usage::default());
            fleet.join();
            fleet
        };
        Self {
            fleets: replicas.iter().map(fleet).collect(),
            underway: vec![VecDeque::new(); replicas.len()],
            will_tell: vec![false; replicas.len()],
            trials: HashMap::new(),
        }
    }

    /// What follows by and by from what a replica has heard.
    pub(crate) fn settle(&mut self, replica: usize, now: Instant) -> Vec<HealthChange> {
        self.fleets[replica].settle(now)
    }

    /// A replica tells what it has to tell. Whether that is anything.
    pub(crate) fn tell(&mut self, replica: usize, now: Instant) -> bool {
        let Some(message) = self.fleets[replica].tell(now) else {
            return false;
        };
        let message: Arc<[u8]> = message.into();
        // The server sends it back to whoever has told it, too.
        for underway in &mut self.underway {
            underway.push_back(Arc::clone(&message));
        }
        true
    }

    /// A replica hears the next message.
    pub(crate) fn hear(&mut self, replica: usize, now: Instant) -> Vec<HealthChange> {
        let message = self.underway[replica].pop_front().unwrap_or_default();
        let heard = self.fleets[replica].hear(&message, now);
        heard.unwrap_or_default().unwrap_or_default()
    }

    /// A replica agrees with the others on who tries what. The server answers at once: its answer takes less than a tick.
    pub(crate) fn agree(&mut self, replica: usize, now: Instant) {
        let fleet = &self.fleets[replica];
        for claim in fleet.claims(now) {
            let ours = (fleet.node(), now + LEASE);
            let is_free = |trial: &(u64, Instant)| trial.1 <= now;
            let is_ours = match claim.step {
                Step::Take if !self.trials.get(&claim.scope).is_none_or(is_free) => false,
                Step::Take | Step::Keep => {
                    self.trials.insert(claim.scope, ours);
                    true
                }
                Step::GiveBack => {
                    self.trials.remove(&claim.scope);
                    false
                }
            };
            claim.settled(is_ours, now);
        }
    }
}

/// An upstream with one key. Nothing is ever sent to it.
fn upstream(id: &UpstreamId) -> Option<(UpstreamId, Arc<Upstream>)> {
    const URL: &str = "http://127.0.0.1";
    let key = Credential::new(&Secret::from("key".to_owned()), KeyHeader::Bearer)?;
    let tls = tls::unused().ok()?;
    let connector = Connector::to(URL.parse().ok()?, tls, Duration::ZERO);
    let (api, keys) = (UpstreamApi::new(Dialect::OpenAi), vec![Key::Fixed(key)]);
    let upstream = Upstream::new(id.clone(), api, URL, keys, Client::new(connector));
    Some((id.clone(), Arc::new(upstream)))
}
