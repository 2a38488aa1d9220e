//! Who is measured, and doing what.

use super::provider::CONNECTIONS;
use super::work::{Api, Kind};

/// A proxy, or one of ours that is configured in a special way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Backstop,
    Nginx,
    Floor,
    /// Backstop with 1,000 keys of clients.
    ManyKeys,
    /// Backstop with 32 candidates for each model.
    ManyCandidates,
}

impl Who {
    pub(crate) const ALL: [Self; 5] = [
        Self::Backstop,
        Self::Nginx,
        Self::Floor,
        Self::ManyKeys,
        Self::ManyCandidates,
    ];

    /// Whether it does no more than to pass requests on.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Backstop | Self::Nginx | Self::Floor)
    }

    fn is_ours(self) -> bool {
        !matches!(self, Self::Nginx | Self::Floor)
    }
}

/// Some work.
pub(crate) struct Case {
    name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) speaker: Api,
    /// How many requests each has in a round.
    pub(crate) requests: usize,
    /// By how many clients, each of which asks again as soon as it is answered.
    pub(crate) clients: usize,
    /// Whether backstop is measured in all its configurations.
    is_varied: bool,
}

impl Case {
    const fn of(name: &'static str, kind: Kind, speaker: Api, requests: usize) -> Self {
        Self {
            name,
            kind,
            speaker,
            requests,
            clients: CONNECTIONS,
            is_varied: false,
        }
    }

    /// Only backstop translates.
    pub(crate) fn is_for(&self, who: Who) -> bool {
        match self.speaker {
            Api::Messages => who == Who::Backstop,
            Api::Chat => who.is_plain() || self.is_varied && who.is_ours(),
        }
    }

    pub(crate) fn name_for(&self, who: Who) -> &'static str {
        match who {
            Who::Backstop | Who::Nginx | Who::Floor => self.name,
            Who::ManyKeys => "a request, 1,000 client keys",
            Who::ManyCandidates => "a request, 32 candidates",
        }
    }
}

pub(crate) const CASES: &[Case] = &[
    Case {
        is_varied: true,
        ..Case::of("a request", Kind::Whole, Api::Chat, 3200)
    },
    // Here everybody waits as often, and is woken as often.
    Case {
        clients: 1,
        ..Case::of("a request, one client", Kind::Whole, Api::Chat, 800)
    },
    Case::of("a request of 1 MiB", Kind::Large, Api::Chat, 96),
    Case::of("an event that comes alone", Kind::Single, Api::Chat, 32),
    Case::of("an event in a burst of 64", Kind::Burst, Api::Chat, 64),
    Case::of("a request, translated", Kind::Whole, Api::Messages, 1600),
    Case::of(
        "an event that comes alone, translated",
        Kind::Single,
        Api::Messages,
        32,
    ),
    Case::of(
        "an event in a burst of 64, translated",
        Kind::Burst,
        Api::Messages,
        64,
    ),
];
