//! Whose figures are kept: all clients', one client's, an upstream's, or a model's at it.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::event::ScopeId;

/// A subject by a fingerprint of its names, which is the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Subject(pub(super) u64);

impl Subject {
    /// What clients had, whoever served it.
    pub(super) const CLIENTS: Self = Self(0);

    pub(super) fn of(scope: &ScopeId) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(scope.upstream.as_ref().as_bytes());
        if let Some(model) = &scope.model {
            hasher.write(&[0]);
            hasher.write(model.as_bytes());
        }
        Self(hasher.finish().max(1))
    }

    /// What one client had. No upstream has a name that begins like this.
    pub(super) fn client(name: &str) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(&[0]);
        hasher.write(name.as_bytes());
        Self(hasher.finish().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{ScopeId, Subject};

    #[test]
    fn a_subject_never_changes() {
        let upstream = ScopeId {
            upstream: "openai".into(),
            model: None,
        };
        let model = ScopeId {
            model: Some("gpt-4o".into()),
            ..upstream.clone()
        };
        assert_eq!(Subject::of(&upstream), Subject::of(&upstream.clone()));
        assert_ne!(Subject::of(&upstream), Subject::of(&model));
        assert_ne!(Subject::of(&upstream), Subject::CLIENTS);
        assert_ne!(Subject::of(&upstream), Subject::client("openai"));
    }
}
