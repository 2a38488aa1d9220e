//! What clients ask for.

use super::provider::{ALONE, IN_BURSTS};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A small answer to a small request.
    Whole,
    /// A small answer to a large request.
    Large,
    /// Events, each of which is sent once the client has the one before.
    Single,
    /// Events, many at a time.
    Burst,
    /// A stream that stays open.
    Open,
}

impl Kind {
    /// Into how many parts its cost is divided.
    pub(crate) fn parts(self) -> usize {
        match self {
            Self::Whole | Self::Large | Self::Open => 1,
            Self::Single => ALONE,
            Self::Burst => IN_BURSTS,
        }
    }

    /// How it is named in the prompt, so that the provider knows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Whole | Self::Large => "whole",
            Self::Single => "single",
            Self::Burst => "burst",
            Self::Open => "open",
        }
    }
}

/// The API that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Messages,
}
