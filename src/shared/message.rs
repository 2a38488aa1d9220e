//! What one replica tells the others: everything that it has found out itself and that still holds, once a second.
//!
//! So whoever joins, or has lost the server for a while, knows all within a second, and the server remembers nothing. A message
//! has durations and no times of day, and stands behind its signature:
//!
//! ```text
//! 0123456789abcdef {"v":1,"node":…,"name":"a","seq":7,"up":61,"found":[{"scope":…,"turn":3,"level":1,"healed":false,"cause":"failures"}],"cooldowns":[]}
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
    /// Whether it stops now.
    #[serde(default)]
    pub(super) is_leaving: bool,
    pub(super) found: Vec<Found>,
    pub(super) cooldowns: Vec<Cooldown>,
    /// What is left of rate limits.
    #[serde(default)]
    pub(super) rate_limits: Vec<RateLimit>,
    /// Owners of stored objects that became known since the last message.
    #[serde(default)]
    pub(super) owners: Vec<Owned>,
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
    pub(super) cause: String,
}

/// A key, or a key for one model, to which nothing may be sent for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cooldown {
    pub(super) scope: u64,
    pub(super) key: u64,
    pub(super) reason: String,
    /// How much longer.
    pub(super) ms: u64,
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

/// Only the version of a message, whatever else stands there.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl Message {
    pub(super) fn new(node: u64, name: &str) -> Self {
        Self {
            v: VERSION,
            node,
            name: name.chars().take(LONGEST_NAME / 4).collect(),
            seq: 0,
            up: 0,
            is_leaving: false,
            found: Vec::new(),
            cooldowns: Vec::new(),
            rate_limits: Vec::new(),
            owners: Vec::new(),
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
        let is_cause = |found: &Found| causes().contains(&found.cause.as_str());
        let is_pause = |cooldown: &Cooldown| {
            CooldownReason::from_label(&cooldown.reason).is_some()
                && Duration::from_millis(cooldown.ms) <= LONGEST_PAUSE
        };
        self.name.len() <= LONGEST_NAME
            && !self.name.chars().any(char::is_control)
            && self.found.len() <= MOST
            && self.cooldowns.len() <= MOST
            && self.rate_limits.len() <= MOST
            && self.owners.len() <= MOST
            && self.found.iter().all(is_cause)
            && self.cooldowns.iter().all(is_pause)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cooldown, Found, LONGEST, MOST, Message, Owned, RateLimit};
    use crate::config::SharedConfig;
    use crate::event::Unusable;
    use crate::shared::signer::Signer;

    fn signer() -> Signer {
        Signer::new(&SharedConfig::default())
    }

    fn message() -> Message {
        let mut message = Message::new(7, "a");
        message.found.push(Found {
            scope: u64::MAX,
            turn: 3,
            level: 1,
            healed: false,
            cause: "failures".to_owned(),
        });
        message.cooldowns.push(Cooldown {
            scope: 1,
            key: 2,
            reason: "rate_limit".to_owned(),
            ms: 1500,
        });
        message
    }

    fn read(message: &Message) -> Result<Message, Unusable> {
        Message::read(&message.written(&signer()), &signer())
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&message()), Ok(message()));
        let mut most = message();
        most.found = vec![message().found[0].clone(); MOST];
        most.cooldowns = vec![message().cooldowns[0].clone(); MOST];
        let owned = Owned {
            id: u64::MAX,
            scope: u64::MAX,
            chats: false,
        };
        most.owners = vec![owned; MOST];
        let rate_limit = RateLimit {
            scope: u64::MAX,
            key: u64::MAX,
            left: u32::MAX,
            limit: Some(u64::MAX),
        };
        most.rate_limits = vec![rate_limit; MOST];
        assert!(most.written(&signer()).len() < LONGEST);
        assert_eq!(read(&most), Ok(most));
    }

    #[test]
    fn a_lie_is_told_from_a_message() {
        let changed = |change: fn(&mut Message)| {
            let mut message = message();
            change(&mut message);
            read(&message)
        };
        assert_eq!(changed(|m| m.v = 2), Err(Unusable::OtherVersion));
        for change in [
            (|m| m.cooldowns[0].ms = u64::MAX) as fn(&mut Message),
            |m| m.cooldowns[0].reason = "whim".to_owned(),
            |m| m.found[0].cause = "envy".to_owned(),
            |m| m.name = "x".repeat(65),
            |m| m.name = "\u{1b}[31m".to_owned(),
            |m| m.found = vec![m.found[0].clone(); MOST + 1],
        ] {
            assert_eq!(changed(change), Err(Unusable::Malformed));
        }
        let good = message().written(&signer());
        let mut bent = good.clone();
        bent[40] ^= 1;
        let long = vec![b'x'; LONGEST + 1];
        for (bytes, why) in [
            (bent.as_slice(), Unusable::Forged),
            (&long, Unusable::TooLong),
            (b"", Unusable::Malformed),
            (b"zzzzzzzzzzzzzzzz {}", Unusable::Malformed),
            (&good[..16], Unusable::Malformed),
            (b"0000000000000000 {}", Unusable::Forged),
        ] {
            assert_eq!(Message::read(bytes, &signer()), Err(why));
        }
    }
}
