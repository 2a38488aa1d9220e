//! The fleet as this replica sees it: what it hears, and what follows from that here.
//!
//! There is no I/O and no clock in here: messages are bytes that come and go, and `now` is an argument. So a simulation plays it on
//! virtual time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::doubts::Doubts;
use super::figures::Figures;
use super::message::{Cooldown, Found, Known, Message, Owned, RateLimit, Says, TakenThere};
use super::roster::Roster;
use super::signer::Signer;
use super::takings::Takings;
use crate::affinity::{Affinity, Owner};
use crate::clients::Usage;
use crate::config::{SharedConfig, UpstreamId};
use crate::event::{HealthChange, ScopeId, Unusable};
use crate::health::{
    CooldownReason, Health, Others, RateLimitView, SharedCooldown, SharedScope, causes,
};
use crate::upstream::Upstream;

/// The upstreams of the configuration that serves, by name.
pub type Upstreams = HashMap<UpstreamId, Arc<Upstream>>;

/// What this replica knows of the others, and tells them. Whoever has it carries the messages.
pub struct Fleet {
    pub(super) health: Arc<Health>,
    pub(super) signer: Signer,
    upstreams: Arc<Upstreams>,
    /// A number of its own.
    pub(super) node: u64,
    /// What this replica is called.
    pub(super) name: String,
    pub(super) started: Instant,
    pub(super) roster: Roster,
    pub(super) takings: Takings,
    /// What has been counted here.
    pub(super) figures: Option<Figures>,
    doubts: Doubts,
    /// Whether others hold something against a scope.
    is_supported: bool,
    affinity: Affinity,
    /// The owners that have become known here.
    pub(super) unsent: mpsc::Receiver<Owner>,
    /// Counts its messages.
    pub(super) seq: u64,
    /// What was said last, to see what is new.
    pub(super) said: HashSet<(u64, u64)>,
    /// When everything was told last; `None`: not since it could be.
    pub(super) told_at: Option<Instant>,
}

impl Fleet {
    /// This replica, which knows of no other yet, and has no upstreams.
    pub fn new(
        config: &SharedConfig,
        health: Arc<Health>,
        affinity: &Affinity,
        now: Instant,
    ) -> Self {
        let node = fastrand::u64(1..);
        Self {
            health,
            signer: Signer::new(config),
            upstreams: Arc::default(),
            node,
            name: config.name.clone().unwrap_or_else(|| machine(node)),
            started: now,
            unsent: affinity.tell(),
            affinity: affinity.clone(),
            roster: Roster::default(),
            takings: Takings::default(),
            figures: None,
            doubts: Doubts::default(),
            is_supported: false,
            seq: 0,
            said: HashSet::new(),
            told_at: None,
        }
    }

    /// Another configuration serves, with these upstreams, and with the clients that are counted now.
    pub fn adopt(&mut self, upstreams: &Upstreams, usage: &Usage) {
        self.upstreams = Arc::new(upstreams.clone());
        self.takings.adopt(usage, &self.signer);
    }

    /// From now on messages go to the others. They are told everything at once, and agree with us on who tries what.
    pub fn join(&mut self) {
        self.told_at = None;
        self.health.fleet_probes().share(true);
    }

    /// From now on only what is found and taken here is known.
    pub fn go_alone(&mut self) {
        self.health.fleet_probes().share(false);
        self.takings.go_alone();
        for seats in self.upstreams.values().filter_map(|one| one.seats()) {
            seats.divide(0, 0, 0);
        }
    }

    /// Another replica says this. Returns what follows from it here; `None`: it was our own message.
    pub fn hear(
        &mut self,
        bytes: &[u8],
        now: Instant,
    ) -> Result<Option<Vec<HealthChange>>, Unusable> {
        let message = Message::read(bytes, &self.signer)?;
        if message.node == self.node {
            return Ok(None);
        }
        let news = self.roster.hear(&message, now)?;
        match &message.says {
            Says::Known(known) => Ok(Some(self.weigh(message.node, known, news, now))),
            Says::Taken(taken) => {
                let roster = &self.roster;
                self.takings.hear(message.node, &taken.clients, roster, now);
                Ok(Some(Vec::new()))
            }
            Says::Figures(_) => Ok(Some(Vec::new())),
            Says::Goodbye => Ok(Some(self.settle(now))),
        }
    }

    fn weigh(
        &mut self,
        node: u64,
        known: &Known,
        news: Vec<Found>,
        now: Instant,
    ) -> Vec<HealthChange> {
        self.learn(&known.owners);
        let is_about_keys = !known.cooldowns.is_empty() || !known.rate_limits.is_empty();
        let held = self.roster.held_against();
        let is_held = !held.is_empty();
        let is_supported = mem::replace(&mut self.is_supported, is_held) || is_held;
        if news.is_empty() && !is_about_keys && !is_supported {
            return self.settle(now);
        }
        let mut changes = Vec::new();
        let scopes = self.scopes();
        if is_supported {
            support(&scopes, &held, now);
        }
        for found in news {
            // A name that nobody has asked for here may be asked for later.
            if let Some(scope) = scopes.get(&found.scope) {
                changes.extend(self.believe(&found, scope, now));
                self.roster.settle(node, found);
            }
        }
        for cooldown in &known.cooldowns {
            if let Some(scope) = scopes.get(&cooldown.scope) {
                self.cool_down(cooldown, scope, now);
            }
        }
        for rate_limit in &known.rate_limits {
            if let Some(scope) = scopes.get(&rate_limit.scope) {
                self.allow(rate_limit, scope, now);
            }
        }
        changes.extend(self.settle_among(&scopes, now));
        changes
    }

    fn learn(&self, owners: &[Owned]) {
        if owners.is_empty() {
            return;
        }
        let hashes = self.upstreams.keys().map(|id| (self.hash_of(id), id));
        let by_hash: HashMap<u64, &UpstreamId> = hashes.collect();
        for owned in owners {
            if let Some(upstream) = by_hash.get(&owned.scope) {
                self.affinity.learn(&Owner {
                    id: owned.id,
                    upstream: (*upstream).clone(),
                    is_for_chats: owned.chats,
                });
            }
        }
    }

    /// What stands for an upstream as a whole.
    pub(super) fn hash_of(&self, upstream: &UpstreamId) -> u64 {
        let id = ScopeId {
            upstream: upstream.clone(),
            model: None,
        };
        self.hash(&id, None)
    }

    /// All scopes, by what stands for them.
    pub(super) fn scopes(&self) -> BTreeMap<u64, SharedScope> {
        let mut scopes = BTreeMap::new();
        self.health.each_shared(&mut |scope, name| {
            scopes.insert(self.hash(&scope.id(), name), scope.clone());
        });
        scopes
    }

    /// What stands for a scope, with the name that a client asked for where it stands behind a pattern.
    pub(super) fn hash(&self, id: &ScopeId, name: Option<&str>) -> u64 {
        let upstream = self.upstream(id);
        let url = upstream.map_or("", |upstream| upstream.base_url());
        self.signer.scope(id, name, url)
    }

    fn believe(&mut self, found: &Found, scope: &SharedScope, now: Instant) -> Vec<HealthChange> {
        if found.healed {
            return scope.heal_as_told(now);
        }
        if found.answered {
            // Nothing that speaks against it is new.
            scope.end_pause(now);
            return Vec::new();
        }
        let Some(cause) = known(&found.cause) else {
            return Vec::new();
        };
        let standing = scope.standing(now);
        if scope.has_healed_as_told() {
            // Whoever has believed that it has healed believes that it has not.
            return scope.open_as_told(cause, now).into_iter().collect();
        }
        if !standing.phase.is_out() {
            let (votes, _) = self.roster.votes(found.scope);
            let raised_to = scope.doubt(cause, votes, now);
            self.doubts.begin(found.scope, raised_to, now);
            return Vec::new();
        }
        let change = scope.put_off(found.level, now);
        change.into_iter().collect()
    }

    fn cool_down(&self, cooldown: &Cooldown, scope: &SharedScope, now: Instant) {
        let key = self.key_of(scope, cooldown.key);
        let reason = CooldownReason::from_label(&cooldown.reason);
        if let (Some(key), Some(reason)) = (key, reason) {
            let cooldown = SharedCooldown {
                key,
                reason,
                lasts_for: Duration::from_millis(cooldown.for_ms),
                left: Duration::from_millis(cooldown.ms),
            };
            scope.cool_down(cooldown, now);
        }
    }

    fn allow(&self, rate_limit: &RateLimit, scope: &SharedScope, now: Instant) {
        if let Some(key) = self.key_of(scope, rate_limit.key) {
            let view = RateLimitView {
                key: key + 1,
                requests: rate_limit.left,
                limit: rate_limit.limit,
            };
            scope.allow(view, now);
        }
    }

    /// The position of the key for which this stands.
    fn key_of(&self, scope: &SharedScope, hash: u64) -> Option<usize> {
        let upstream = self.upstream(&scope.id())?;
        (0..upstream.key_count()).find(|key| self.key(upstream, *key) == Some(hash))
    }

    /// The upstream of a scope, if the configuration that serves has it.
    pub(super) fn upstream(&self, id: &ScopeId) -> Option<&Arc<Upstream>> {
        self.upstreams.get(&id.upstream)
    }

    /// What stands for a key.
    pub(super) fn key(&self, upstream: &Upstream, key: usize) -> Option<u64> {
        upstream.hash_of_key(key, &|bytes| self.signer.key(bytes))
    }

    /// Takes out what enough others have taken out, and nothing here speaks for. Returns what follows from it here.
    pub fn settle(&mut self, now: Instant) -> Vec<HealthChange> {
        match self.doubts.is_empty() {
            true => Vec::new(),
            false => self.settle_among(&self.scopes(), now),
        }
    }

    fn settle_among(
        &mut self,
        scopes: &BTreeMap<u64, SharedScope>,
        now: Instant,
    ) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        for hash in self.doubts.all() {
            let Some(scope) = scopes.get(&hash) else {
                continue;
            };
            let (votes, cause) = self.roster.votes(hash);
            let is_true = self.doubts.is_true(hash, votes, &scope.standing(now), now);
            if is_true && let Some(cause) = cause.and_then(known) {
                changes.extend(scope.open_as_told(cause, now));
            }
        }
        self.doubts.forget(now);
        changes
    }

    /// A tick is over: what has been taken here meanwhile, or all of it, and what is left for this replica.
    pub(super) fn count(&mut self, is_all: bool, now: Instant) -> TakenThere {
        self.roster.forget_silent(now);
        let upstreams = Arc::clone(&self.upstreams);
        let limited = upstreams
            .iter()
            .filter_map(|(id, upstream)| Some((self.hash_of(id), upstream.seats()?)));
        let limited: Vec<_> = limited.collect();
        for (scope, seats) in &limited {
            let sitters = self.roster.sitters(*scope, self.node);
            seats.divide(sitters.taken, sitters.replicas, sitters.before);
        }
        self.takings.tick(&limited, &self.roster, is_all, now)
    }
}

/// What others hold against scopes counts here from now on, and nothing else.
fn support(scopes: &BTreeMap<u64, SharedScope>, held: &HashMap<u64, Others>, now: Instant) {
    let nothing = Others::default();
    for (hash, scope) in scopes {
        scope.support(held.get(hash).unwrap_or(&nothing), now);
    }
}

/// The same label, if it is one of ours.
fn known(cause: &str) -> Option<&'static str> {
    causes().into_iter().find(|known| *known == cause)
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fleet({})", self.name)
    }
}

/// The machine's name; else a number.
fn machine(node: u64) -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => format!("{node:016x}"),
        name => name.to_owned(),
    }
}
