//! What this replica tells the others: what it has found out itself, and all of it once a second.

use std::collections::HashSet;
use std::iter;
use std::time::Duration;

use tokio::time::Instant;

use super::fleet::Fleet;
use super::message::{
    Cooldown, FiguresThere, Found, Known, MOST, Message, Owned, RateLimit, Says, Suspected,
};
use crate::affinity::Owner;
use crate::event::ScopeId;
use crate::health::{RateLimitView, SharedCooldown, SharedScope};

/// How often everything is told.
pub(super) const TELL: Duration = Duration::from_secs(1);

impl Fleet {
    /// A message for the others, if there is something new to tell, or everything has to be told again.
    pub fn tell(&mut self, now: Instant) -> Option<Vec<u8>> {
        let (own, is_news) = self.own(now);
        let since = |then: Instant| now.saturating_duration_since(then);
        if !is_news && self.told_at.is_some_and(|then| since(then) < TELL) {
            return None;
        }
        self.told_at = Some(now);
        Some(self.written(Says::Known(own), now))
    }

    /// The message that says this.
    pub(super) fn written(&mut self, says: Says, now: Instant) -> Vec<u8> {
        self.seq += 1;
        let mut message = Message::new(self.node, &self.name, says);
        message.seq = self.seq;
        message.up = now.saturating_duration_since(self.started).as_secs();
        message.written(&self.signer)
    }

    /// What has been counted here, for the others.
    pub(super) fn own_figures(&self) -> Option<FiguresThere> {
        let hash = |id: &ScopeId| self.hash(id, None);
        self.figures.as_ref().map(|figures| figures.written(hash))
    }

    /// What this replica has found out, and whether any of it is new.
    fn own(&mut self, now: Instant) -> (Known, bool) {
        let mut own = Known::default();
        self.health.each_shared(&mut |scope, name| {
            self.put_own((scope, name), now, &mut own);
        });
        own.found.truncate(MOST);
        own.cooldowns.truncate(MOST);
        own.rate_limits.truncate(MOST);
        own.suspected.truncate(MOST);
        own.owners = self.new_owners();
        let found = own.found.iter();
        // A fifth more or less of the calls succeed: that is news.
        let found = found.map(|found| {
            let odds = u64::from(found.odds / 20) << 1 | u64::from(found.answered);
            (found.scope, u64::from(found.turn) << 8 | odds)
        });
        let cooldowns = own.cooldowns.iter();
        let cooldowns = cooldowns.map(|cooldown| (cooldown.scope, cooldown.key));
        let suspected = own.suspected.iter();
        // A nat more or less is news.
        let suspected = suspected.map(|one| (!one.scope, u64::from(one.score / 100)));
        let says: HashSet<(u64, u64)> = found.chain(cooldowns).chain(suspected).collect();
        let is_news = !own.owners.is_empty() || says.iter().any(|one| !self.said.contains(one));
        self.said = says;
        (own, is_news)
    }

    /// Adds what this replica has found out about a scope.
    fn put_own(&self, (scope, name): (&SharedScope, Option<&str>), now: Instant, own: &mut Known) {
        let finding = scope.own_finding(now);
        let cooldowns: Vec<SharedCooldown> = scope.own_cooldowns(now).collect();
        let rate_limits: Vec<RateLimitView> = scope.own_rate_limits(now).collect();
        let suspicion = scope.own_suspicion(now);
        let is_silent = finding.is_none() && suspicion.is_none();
        if is_silent && cooldowns.is_empty() && rate_limits.is_empty() {
            return;
        }
        let id = scope.id();
        let Some(upstream) = self.upstream(&id) else {
            return;
        };
        let hash = self.hash(&id, name);
        own.found.extend(finding.map(|finding| Found {
            scope: hash,
            turn: finding.turn,
            level: finding.level,
            healed: finding.has_healed,
            answered: finding.has_answered,
            cause: finding.cause.to_owned(),
            odds: percent(finding.odds),
            out_ms: finding.out_for.as_millis() as u64,
        }));
        own.suspected.extend(suspicion.map(|suspicion| Suspected {
            scope: hash,
            score: (suspicion.score * 100.0) as u32,
            odds: percent(suspicion.odds),
        }));
        let cooldowns = cooldowns.iter().filter_map(|cooldown| {
            Some(Cooldown {
                scope: hash,
                key: self.key(upstream, cooldown.key)?,
                reason: cooldown.reason.label().to_owned(),
                ms: cooldown.left.as_millis() as u64,
                for_ms: cooldown.lasts_for.as_millis() as u64,
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

    /// The owners that have become known here, as many as fit into a message.
    fn new_owners(&mut self) -> Vec<Owned> {
        let new = iter::from_fn(|| self.unsent.try_recv().ok()).take(MOST);
        let new: Vec<Owner> = new.collect();
        let owned = new.into_iter().map(|owner| Owned {
            id: owner.id,
            scope: self.hash_of(&owner.upstream),
            chats: owner.is_for_chats,
        });
        owned.collect()
    }
}

fn percent(odds: f32) -> u32 {
    (odds * 100.0).round() as u32
}
