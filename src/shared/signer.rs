//! What the fleet's secret is for: names and keys leave this process only as hashes with it, and messages are signed.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher128};

use crate::config::{Secret, SharedConfig};
use crate::event::ScopeId;

/// Hashes and signs (SipHash-2-4).
#[derive(Clone, Copy)]
pub(super) struct Signer {
    names: (u64, u64),
    messages: (u64, u64),
}

impl Signer {
    /// By the secret of the fleet, or else by the password of its server; without either, whoever reads this can do the same.
    pub(super) fn new(config: &SharedConfig) -> Self {
        let secret = config.signing_secret();
        let secret = secret.as_ref().map_or("", Secret::expose);
        let key = |purpose: &[u8]| {
            let mut hasher = SipHasher128::new();
            hasher.write(purpose);
            hasher.write(config.fleet.as_bytes());
            hasher.write_u8(0);
            hasher.write(secret.as_bytes());
            hasher.finish128().as_u64()
        };
        Self {
            names: key(b"names "),
            messages: key(b"messages "),
        }
    }

    /// The signature of a message.
    pub(super) fn sign(&self, message: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.messages.0, self.messages.1);
        hasher.write(message);
        hasher.finish()
    }

    /// What stands for a secret key.
    pub(super) fn key(&self, key: &[u8]) -> u64 {
        self.hash(&[b"key", key])
    }

    /// What stands for a client: the same in all replicas whose configurations call it so.
    pub(super) fn client(&self, name: &str) -> u64 {
        self.hash(&[b"client", name.as_bytes()])
    }

    /// What stands for a scope: the same in all replicas whose configurations have the same upstream at the same URL.
    pub(super) fn scope(&self, id: &ScopeId, name: Option<&str>, base_url: &str) -> u64 {
        self.hash(&[
            id.upstream.as_ref().as_bytes(),
            base_url.as_bytes(),
            id.model.as_deref().unwrap_or_default().as_bytes(),
            name.unwrap_or_default().as_bytes(),
        ])
    }

    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.names.0, self.names.1);
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Signer;
    use crate::config::{Secret, SharedConfig};
    use crate::event::ScopeId;

    #[test]
    fn only_who_has_the_secret_of_the_same_fleet_makes_the_same_hashes() {
        let signer = |redis: &str, secret: Option<&str>, fleet: &str| {
            Signer::new(&SharedConfig {
                redis: vec![Secret::from(redis.to_owned())],
                secret: secret.map(|secret| Secret::from(secret.to_owned())),
                fleet: fleet.to_owned(),
                ..SharedConfig::default()
            })
        };
        let one = signer("redis://:p@a", None, "x");
        assert_eq!(one.key(b"k"), signer("redis://:p@b", None, "x").key(b"k"));
        for other in [
            signer("redis://:q@a", None, "x"),
            signer("redis://:p@a", Some("s"), "x"),
            signer("redis://:p@a", None, "y"),
        ] {
            assert_ne!(one.key(b"k"), other.key(b"k"));
            assert_ne!(one.sign(b"m"), other.sign(b"m"));
        }
        assert_ne!(one.client("k"), one.key(b"k"));
        let scope = |model: Option<&str>, name, url| {
            let id = ScopeId {
                upstream: "a".into(),
                model: model.map(Into::into),
            };
            one.scope(&id, name, url)
        };
        let all = [
            scope(None, None, "u"),
            scope(Some("*"), None, "u"),
            scope(Some("*"), Some("m"), "u"),
            scope(None, None, "v"),
        ];
        let different: std::collections::HashSet<u64> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
