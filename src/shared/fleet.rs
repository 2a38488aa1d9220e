//! The fleet as this replica sees it: what it hears, and what follows from that here.

use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::doubts::Doubts;
use super::figures::Figures;
use super::message::{
    Cooldown, FiguresThere, Found, Known, MOST, Message, Owned, RateLimit, Says, TakenThere,
};
use super::roster::Roster;
use super::signer::Signer;
use super::takings::Takings;
use crate::affinity::{Affinity, Owner};
use crate::clients::Usage;
use crate::config::UpstreamId;
use crate::event::{HealthChange, ScopeId, Unusable};
use crate::health::{CooldownReason, Health, RateLimitView, SharedCooldown, SharedScope, causes};
use crate::upstream::Upstream;

/// The upstreams of the configuration that serves, by name.
pub(super) type Upstreams = HashMap<UpstreamId, Arc<Upstream>>;

/// What this replica knows of the others, and tells them.
pub(super) struct Fleet {
    pub(super) health: Arc<Health>,
    pub(super) signer: Signer,
    pub(super) upstreams: Arc<ArcSwap<Upstreams>>,
    pub(super) node: u64,
    pub(super) roster: Roster,
    pub(super) takings: Takings,
    /// What has been counted here.
    pub(super) figures: Option<Figures>,
    doubts: Doubts,
    affinity: Affinity,
    /// The owners that have become known here.
    unsent: mpsc::Receiver<Owner>,
    seq: u64,
    /// What was said last, to see what is new.
    said: HashSet<(u64, u64)>,
}

impl Fleet {
    pub(super) fn new(
        health: Arc<Health>,
        affinity: &Affinity,
        signer: Signer,
        upstreams: Arc<ArcSwap<Upstreams>>,
    ) -> Self {
        Self {
            health,
            signer,
            upstreams,
            node: fastrand::u64(1..),
            unsent: affinity.tell(),
            affinity: affinity.clone(),
            roster: Roster::default(),
            takings: Takings::default(),
            figures: None,
            doubts: Doubts::default(),
            seq: 0,
            said: HashSet::new(),
        }
    }

    /// Another configuration serves, with the clients that are counted now.
    pub(super) fn adopt(&mut self, usage: &Usage) {
        self.takings.adopt(usage, &self.signer);
    }

    /// From now on only what is taken here is known.
    pub(super) fn go_alone(&mut self) {
        self.takings.go_alone();
        for seats in self.upstreams.load().values().filter_map(|one| one.seats()) {
            seats.divide(0, 0, 0);
        }
    }

    /// Another replica says this. `None`: it was our own message.
    pub(super) fn hear(
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
        let mut changes = Vec::new();
        let is_about_keys = !known.cooldowns.is_empty() || !known.rate_limits.is_empty();
        if !news.is_empty() || is_about_keys {
            let scopes = self.scopes();
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
        }
        self.learn(&known.owners);
        changes.extend(self.settle(now));
        changes
    }

    fn learn(&self, owners: &[Owned]) {
        if owners.is_empty() {
            return;
        }
        let upstreams = self.upstreams.load();
        let hashes = upstreams
            .keys()
            .map(|id| (self.hash_of(&upstreams, id), id));
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
    fn hash_of(&self, upstreams: &Upstreams, upstream: &UpstreamId) -> u64 {
        let id = ScopeId {
            upstream: upstream.clone(),
            model: None,
        };
        self.hash(upstreams, &id, None)
    }

    /// The owners that have become known here, as many as fit into a message.
    fn new_owners(&mut self) -> Vec<Owned> {
        let upstreams = self.upstreams.load_full();
        let new = iter::from_fn(|| self.unsent.try_recv().ok()).take(MOST);
        let new: Vec<Owner> = new.collect();
        let owned = new.into_iter().map(|owner| Owned {
            id: owner.id,
            scope: self.hash_of(&upstreams, &owner.upstream),
            chats: owner.is_for_chats,
        });
        owned.collect()
    }

    /// All scopes, by what stands for them.
    pub(super) fn scopes(&self) -> HashMap<u64, SharedScope> {
        let upstreams = self.upstreams.load();
        let mut scopes = HashMap::new();
        self.health.each_shared(&mut |scope, name| {
            scopes.insert(self.hash(&upstreams, &scope.id(), name), scope.clone());
        });
        scopes
    }

    fn hash(&self, upstreams: &Upstreams, id: &ScopeId, name: Option<&str>) -> u64 {
        let upstream = upstreams.get(&id.upstream);
        let url = upstream.map_or("", |upstream| upstream.base_url());
        self.signer.scope(id, name, url)
    }

    fn believe(&mut self, found: &Found, scope: &SharedScope, now: Instant) -> Vec<HealthChange> {
        if found.healed {
            return scope.heal_as_told(now);
        }
        let Some(cause) = known(&found.cause) else {
            return Vec::new();
        };
        let standing = scope.standing(now);
        if !standing.phase.is_out() {
            let raised_to = scope.doubt(cause, now);
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
            let left = Duration::from_millis(cooldown.ms);
            scope.cool_down(SharedCooldown { key, reason, left }, now);
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
        let upstreams = self.upstreams.load();
        let upstream = upstreams.get(&scope.id().upstream)?;
        (0..upstream.key_count()).find(|key| self.key(upstream, *key) == Some(hash))
    }

    fn key(&self, upstream: &Upstream, key: usize) -> Option<u64> {
        upstream.hash_of_key(key, &|bytes| self.signer.key(bytes))
    }

    /// Takes out what enough others have taken out, and nothing here speaks for.
    pub(super) fn settle(&mut self, now: Instant) -> Vec<HealthChange> {
        let doubted = self.doubts.all();
        if doubted.is_empty() {
            return Vec::new();
        }
        let scopes = self.scopes();
        let mut changes = Vec::new();
        for hash in doubted {
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

    /// What this replica has found out, and whether any of it is new.
    pub(super) fn own(&mut self) -> (Known, bool) {
        let mut own = Known::default();
        let upstreams = self.upstreams.load_full();
        self.health.each_shared(&mut |scope, name| {
            self.put_own(scope, name, &upstreams, &mut own);
        });
        own.found.truncate(MOST);
        own.cooldowns.truncate(MOST);
        own.rate_limits.truncate(MOST);
        own.owners = self.new_owners();
        let found = own.found.iter();
        let found = found.map(|found| (found.scope, u64::from(found.turn)));
        let cooldowns = own.cooldowns.iter();
        let cooldowns = cooldowns.map(|cooldown| (cooldown.scope, cooldown.key));
        let says: HashSet<(u64, u64)> = found.chain(cooldowns).collect();
        let is_news = !own.owners.is_empty() || says.iter().any(|one| !self.said.contains(one));
        self.said = says;
        (own, is_news)
    }

    /// What has been counted here, for the others.
    pub(super) fn own_figures(&self) -> Option<FiguresThere> {
        let upstreams = self.upstreams.load();
        let hash = |id: &ScopeId| self.hash(&upstreams, id, None);
        self.figures.as_ref().map(|figures| figures.written(hash))
    }

    /// A message that says this.
    pub(super) fn message(&mut self, name: &str, says: Says) -> Message {
        self.seq += 1;
        let mut message = Message::new(self.node, name, says);
        message.seq = self.seq;
        message
    }

    /// A tick is over: what has been taken here meanwhile, or all of it, and what is left for this replica.
    pub(super) fn count(&mut self, is_all: bool, now: Instant) -> TakenThere {
        self.roster.forget_silent(now);
        let upstreams = self.upstreams.load_full();
        let limited = upstreams
            .iter()
            .filter_map(|(id, upstream)| Some((self.hash_of(&upstreams, id), upstream.seats()?)));
        let limited: Vec<_> = limited.collect();
        for (scope, seats) in &limited {
            let sitters = self.roster.sitters(*scope, self.node);
            seats.divide(sitters.taken, sitters.replicas, sitters.before);
        }
        self.takings.tick(&limited, &self.roster, is_all, now)
    }

    /// Adds what this replica has found out about a scope.
    fn put_own(
        &self,
        scope: &SharedScope,
        name: Option<&str>,
        upstreams: &Upstreams,
        own: &mut Known,
    ) {
        let now = Instant::now();
        let finding = scope.own_finding(now);
        let cooldowns: Vec<SharedCooldown> = scope.own_cooldowns(now).collect();
        let rate_limits: Vec<RateLimitView> = scope.own_rate_limits(now).collect();
        if finding.is_none() && cooldowns.is_empty() && rate_limits.is_empty() {
            return;
        }
        let id = scope.id();
        let Some(upstream) = upstreams.get(&id.upstream) else {
            return;
        };
        let hash = self.hash(upstreams, &id, name);
        own.found.extend(finding.map(|finding| Found {
            scope: hash,
            turn: finding.turn,
            level: finding.level,
            healed: finding.has_healed,
            cause: finding.cause.to_owned(),
        }));
        let cooldowns = cooldowns.iter().filter_map(|cooldown| {
            Some(Cooldown {
                scope: hash,
                key: self.key(upstream, cooldown.key)?,
                reason: cooldown.reason.label().to_owned(),
                ms: cooldown.left.as_millis() as u64,
            })
        });
        own.cooldowns.extend(cooldowns);
        let rate_limits = rate_limits.iter().filter_map(|rate_limit| {
            Some(RateLimit {
                scope: hash,
                key: self.key(upstream, rate_limit.key.saturating_sub(1))?,
                left: rate_limit.requests,
                limit: rate_limit.limit,
            })
        });
        own.rate_limits.extend(rate_limits);
    }
}

/// The same label, if it is one of ours.
fn known(cause: &str) -> Option<&'static str> {
    causes().into_iter().find(|known| *known == cause)
}
