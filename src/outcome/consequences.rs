//! What follows from an outcome: whose fault it is, whether another attempt makes sense, and what somebody has to see to.

/// Whose fault an outcome is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nobody's but perhaps our own.
    Nobody,
    /// The upstream's, its network's or its credential's.
    Upstream,
    /// The client's.
    Client,
}

/// What may follow an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: the outcome is final.
    Never,
    /// Another candidate.
    Elsewhere,
    /// Another key of the same upstream, then another candidate.
    OtherKey,
}

/// What somebody has to see to before an upstream answers again, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attention {
    /// A key, or the account behind it.
    Key,
    /// The money or the quota of an account.
    Quota,
    /// A model that is not there, or not for this account.
    Model,
}

/// All that follows from an outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consequences {
    pub(super) blame: Blame,
    pub(super) retry: Retry,
    /// Whether the same upstream may well answer the same request a moment later.
    pub(super) may_pass: bool,
    /// Whether the upstream did not even look at the request.
    pub(super) is_unread: bool,
    pub(super) hurts_health: bool,
    pub(super) attention: Option<Attention>,
}

impl Consequences {
    /// Nobody's fault but perhaps our own, and final.
    pub(super) const OURS: Self = Self {
        blame: Blame::Nobody,
        retry: Retry::Never,
        may_pass: false,
        is_unread: false,
        hurts_health: false,
        attention: None,
    };
    /// The client's fault, and final.
    pub(super) const CLIENTS: Self = Self {
        blame: Blame::Client,
        ..Self::OURS
    };
    /// A fact about the upstream, a key or a model, and no evidence about health.
    pub(super) const FACT: Self = Self {
        blame: Blame::Upstream,
        retry: Retry::Elsewhere,
        ..Self::OURS
    };
    /// A failure of the upstream.
    pub(super) const FAILURE: Self = Self {
        hurts_health: true,
        ..Self::FACT
    };

    /// The same, with another retry.
    pub(super) const fn then(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// The same, but it may pass.
    pub(super) const fn passing(self) -> Self {
        Self {
            may_pass: true,
            ..self
        }
    }

    /// The same, but the upstream did not even look at the request, and may do so later.
    pub(super) const fn unread(self) -> Self {
        Self {
            is_unread: true,
            ..self.passing()
        }
    }

    /// The same, but somebody has to act.
    pub(super) const fn calling_for(self, attention: Attention) -> Self {
        Self {
            attention: Some(attention),
            ..self
        }
    }
}
