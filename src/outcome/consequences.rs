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
