//! What one replica tells the others: everything that it has found out itself and that still holds, once a second; and between
//! that what its clients take.
//!
//! So whoever joins, or has lost the server for a while, knows all within a second, and the server remembers nothing. A message
//! has durations and no times of day, and stands behind its signature:
//!
//! ```text
//! 0123456789abcdef {"v":1,"node":…,"name":"a","seq":7,"up":61,"says":{"known":{"found":[{"scope":…,"turn":3,"level":1,"healed":false,"cause":"failures"}],"cooldowns":[],…}}}
//! 0123456789abcdef {"v":1,"node":…,"name":"a","seq":8,"up":61,"says":{"taken":{"clients":[{"client":…,"requests":[1207,31],"tokens":[0,0],"open":2,"asked":1207}],"seats":[]}}}
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::signer::Signer;
use crate::event::Unusable;
use crate::health::{CooldownReason, causes};

/// The form of messages. Others are counted and ignored.
const VERSION: u32 = 1;
/// The longest message, in bytes.
pub(super) const LONGEST: usize = 64 << 10;
/// So many findings, cooldowns, allowances and owners go into one message.
pub(super) const MOST: usize = 128;
/// So many upstreams, and so many incidents, go into one message with figures.
pub(super) const MOST_UPSTREAMS: usize = 64;
pub(super) const MOST_INCIDENTS: usize = 32;
/// So many windows there are at most.
const MOST_WINDOWS: usize = 8;
const SIGNATURE: usize = 16;
const LONGEST_NAME: usize = 64;
/// No replica asks others for a longer pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What one replica tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    v: u32,
    /// A number that the replica has chosen when it started.
    pub(super) node: u64,
    /// What it is called.
    pub(super) name: String,
    /// Counts its messages.
    pub(super) seq: u64,
    /// For how many seconds it has been running.
    pub(super) up: u64,
    pub(super) says: Says,
}

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Says {
    /// Everything that it has found out and that still holds.
    Known(Known),
    /// What its clients have taken, as far as that is new.
    Taken(TakenThere),
    /// What it has counted, for operators; every few seconds.
    Figures(FiguresThere),
    /// It stops now.
    Goodbye,
}

/// What a replica has found out itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) found: Vec<Found>,
    pub(super) cooldowns: Vec<Cooldown>,
    /// What is left of rate limits.
    pub(super) rate_limits: Vec<RateLimit>,
    /// What its requests hold against scopes that are in rotation. Earlier versions say nothing of it.
    #[serde(default)]
    pub(super) suspected: Vec<Suspected>,
    /// Owners of stored objects that became known since the last message.
    pub(super) owners: Vec<Owned>,
}

/// What has been taken at a replica of limits that hold for the fleet. What is not named is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TakenThere {
    pub(super) clients: Vec<ClientCount>,
    pub(super) seats: Vec<SeatCount>,
}

/// What a client has taken of its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClientCount {
    /// What stands for the client.
    pub(super) client: u64,
    /// Its requests: all that there ever were, and those of the last minute.
    pub(super) requests: (u64, u64),
    /// The same of tokens.
    pub(super) tokens: (u64, u64),
    /// How many requests are open.
    pub(super) open: u64,
    /// How many there ever were, also those that were refused.
    pub(super) asked: u64,
}

/// How many requests are open at an upstream whose `concurrency` is limited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeatCount {
    /// What stands for the upstream.
    pub(super) scope: u64,
    pub(super) open: u32,
}

/// A scope that is out of rotation, or has just healed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) scope: u64,
    /// Another number is another finding.
    pub(super) turn: u32,
    /// How often in a row it has been taken out there.
    pub(super) level: u64,
    pub(super) healed: bool,
    /// Whether it has answered a trial there. Earlier versions say nothing of it.
    #[serde(default)]
    pub(super) answered: bool,
    pub(super) cause: String,
    /// How many of a hundred calls succeed there. Earlier versions say nothing of it.
    #[serde(default = "all")]
    pub(super) odds: u32,
    /// For how long it has been out, in milliseconds.
    #[serde(default)]
    pub(super) out_ms: u64,
}

impl Found {
    /// Whether nothing more follows from it than from the other one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.scope == other.scope
            && self.turn == other.turn
            && self.healed == other.healed
            && self.answered == other.answered
    }
}

fn all() -> u32 {
    100
}

/// A scope that fails more than it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suspected {
    pub(super) scope: u64,
    /// How much evidence its requests have found, in hundredths of a nat.
    pub(super) score: u32,
    /// How many of a hundred calls succeed there.
    pub(super) odds: u32,
}

/// A key, or a key for one model, to which nothing may be sent for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cooldown {
    pub(super) scope: u64,
    pub(super) key: u64,
    pub(super) reason: String,
    /// How much longer.
    pub(super) ms: u64,
    /// For how long it has lasted. Earlier versions say nothing of it.
    #[serde(default)]
    pub(super) for_ms: u64,
}

/// What is left of the rate limit of a key for a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RateLimit {
    pub(super) scope: u64,
    pub(super) key: u64,
    /// How many more requests pass.
    pub(super) left: u32,
    /// How many pass when nothing has been used.
    pub(super) limit: Option<u64>,
}

/// Which upstream has a stored object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owned {
    /// The fingerprint of an id that the upstream has made up.
    pub(super) id: u64,
    /// What stands for the upstream.
    pub(super) scope: u64,
    pub(super) chats: bool,
}

/// Requests, and those of them that failed.
pub type Had = (u64, u64);

/// What has been counted at a replica, in each window of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FiguresThere {
    pub(super) clients: Vec<Had>,
    /// By what stands for the upstreams.
    pub(super) upstreams: Vec<(u64, Vec<Had>)>,
    pub(super) incidents: Vec<IncidentThere>,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IncidentThere {
    /// What stands for the upstream or model; none: the replica's own network.
    pub(super) scope: Option<u64>,
    pub(super) cause: String,
    /// How many seconds ago it began, and ended.
    pub(super) began: u64,
    pub(super) ended: Option<u64>,
    /// Failed attempts, requests that others answered, requests that failed for clients.
    pub(super) counts: (u64, u64, u64),
}

/// Only the version of a message, whatever else stands there.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl Message {
    pub(super) fn new(node: u64, name: &str, says: Says) -> Self {
        Self {
            v: VERSION,
            node,
            name: name.chars().take(LONGEST_NAME / 4).collect(),
            seq: 0,
            up: 0,
            says,
        }
    }

    /// The bytes to send.
    pub(super) fn written(&self, signer: &Signer) -> Vec<u8> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = format!("{:016x} ", signer.sign(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads what came.
    pub(super) fn read(bytes: &[u8], signer: &Signer) -> Result<Self, Unusable> {
        if bytes.len() > LONGEST {
            return Err(Unusable::TooLong);
        }
        let (signature, rest) = bytes
            .split_at_checked(SIGNATURE)
            .ok_or(Unusable::Malformed)?;
        let body = rest.strip_prefix(b" ").ok_or(Unusable::Malformed)?;
        let signature = std::str::from_utf8(signature).map_err(|_| Unusable::Malformed)?;
        let signature = u64::from_str_radix(signature, 16).map_err(|_| Unusable::Malformed)?;
        if signature != signer.sign(body) {
            return Err(Unusable::Forged);
        }
        let versioned: Versioned = serde_json::from_slice(body).map_err(|_| Unusable::Malformed)?;
        if versioned.v != VERSION {
            return Err(Unusable::OtherVersion);
        }
        let message: Self = serde_json::from_slice(body).map_err(|_| Unusable::Malformed)?;
        match message.is_sound() {
            true => Ok(message),
            false => Err(Unusable::Malformed),
        }
    }

    fn is_sound(&self) -> bool {
        self.name.len() <= LONGEST_NAME
            && !self.name.chars().any(char::is_control)
            && match &self.says {
                Says::Known(known) => known.is_sound(),
                Says::Taken(taken) => taken.clients.len() <= MOST && taken.seats.len() <= MOST,
                Says::Figures(figures) => figures.is_sound(),
                Says::Goodbye => true,
            }
    }
}

impl FiguresThere {
    fn is_sound(&self) -> bool {
        let windows = self.upstreams.iter().map(|(_, windows)| windows);
        let mut windows = windows.chain([&self.clients]);
        // It is a label.
        let is_cause = |incident: &IncidentThere| {
            let is_plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            incident.cause.len() <= LONGEST_NAME && incident.cause.bytes().all(is_plain)
        };
        self.upstreams.len() <= MOST_UPSTREAMS
            && windows.all(|windows| windows.len() <= MOST_WINDOWS)
            && self.incidents.len() <= MOST_INCIDENTS
            && self.incidents.iter().all(is_cause)
    }
}

impl Known {
    fn is_sound(&self) -> bool {
        let is_cause = |found: &Found| causes().contains(&found.cause.as_str());
        let is_pause = |cooldown: &Cooldown| {
            CooldownReason::from_label(&cooldown.reason).is_some()
                && Duration::from_millis(cooldown.ms) <= LONGEST_PAUSE
        };
        self.found.len() <= MOST
            && self.cooldowns.len() <= MOST
            && self.rate_limits.len() <= MOST
            && self.suspected.len() <= MOST
            && self.owners.len() <= MOST
            && self.found.iter().all(is_cause)
            && self.cooldowns.iter().all(is_pause)
    }
}

#[cfg(test)]
mod tests;
