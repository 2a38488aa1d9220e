//! The state of one upstream in one word, from what health believes of it and of its models.

use std::time::Duration;

use crate::health::{CooldownReason, CooldownView, Phase, ScopeView};

/// What is the matter with an upstream; what somebody should know first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Its circuit breaker is open.
    Out,
    /// Somebody has to see to all of its keys: they are refused, or the account is empty.
    KeyRefused,
    /// It is half-open.
    Probing,
    /// One of its models is out, refused or missing.
    PartlyOut,
    /// All of its keys are in a cooldown that ends by itself.
    CoolingDown,
    /// An operator has taken it out.
    TakenOut,
    /// It is in slow start, or one of its models is.
    Recovering,
    /// Nothing is.
    InRotation,
}

/// An upstream's state, and the scope that is the reason.
#[derive(Debug)]
pub(super) struct UpstreamState<'a> {
    pub(super) state: State,
    /// The upstream as a whole, or the model that is the reason.
    pub(super) scope: &'a ScopeView,
    /// The cooldowns of its keys that hold for all models.
    shared: &'a [CooldownView],
}

impl State {
    /// A short constant name for JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TakenOut => "taken_out",
            Self::Out => "out",
            Self::KeyRefused => "key_refused",
            Self::Probing => "probing",
            Self::CoolingDown => "cooling_down",
            Self::PartlyOut => "partly_out",
            Self::Recovering => "recovering",
            Self::InRotation => "in_rotation",
        }
    }

    /// The state of a scope by itself. `shared`: the cooldowns of its keys that hold for all models.
    pub(super) fn of(scope: &ScopeView, shared: &[CooldownView]) -> Self {
        if scope.taken_out_for.is_some() {
            return Self::TakenOut;
        }
        match scope.phase {
            Phase::Open => Self::Out,
            Phase::HalfOpen => Self::Probing,
            Phase::Closed | Phase::SlowStart if is_cooling_down(scope, shared, |_| true) => {
                match is_cooling_down(scope, shared, has_to_be_seen_to) {
                    true => Self::KeyRefused,
                    false => Self::CoolingDown,
                }
            }
            Phase::SlowStart => Self::Recovering,
            Phase::Closed => Self::InRotation,
        }
    }

    /// The same for a model, as its upstream shows it.
    fn of_model(scope: &ScopeView, shared: &[CooldownView]) -> Self {
        let is_pattern = scope
            .id
            .model
            .as_deref()
            .is_some_and(|it| it.ends_with('*'));
        match Self::of(scope, shared) {
            Self::TakenOut | Self::Out | Self::Probing => Self::PartlyOut,
            // Whoever asks for a model that does not exist is no news about the upstream.
            Self::KeyRefused | Self::CoolingDown if is_pattern => Self::InRotation,
            Self::KeyRefused => Self::PartlyOut,
            Self::CoolingDown => Self::CoolingDown,
            Self::PartlyOut | Self::Recovering | Self::InRotation => Self::Recovering,
        }
    }

    /// Whether somebody has to act before it ends.
    pub(super) fn needs_action(self) -> bool {
        matches!(self, Self::KeyRefused)
    }
}

impl<'a> UpstreamState<'a> {
    /// Of the scopes of one upstream: itself, then its models.
    pub(super) fn of(itself: &'a ScopeView, models: &'a [ScopeView]) -> Self {
        let not_well = models
            .iter()
            .filter(|model| State::of(model, &itself.cooldowns) != State::InRotation);
        let of_models = not_well.map(|scope| UpstreamState {
            state: State::of_model(scope, &itself.cooldowns),
            scope,
            shared: &itself.cooldowns,
        });
        let own = UpstreamState {
            state: State::of(itself, &[]),
            scope: itself,
            shared: &[],
        };
        if own.state == State::TakenOut {
            return own;
        }
        of_models.fold(own, |worst, one| match one.state < worst.state {
            true => one,
            false => worst,
        })
    }

    /// Of a model by itself.
    pub(super) fn of_model(scope: &'a ScopeView, itself: &'a ScopeView) -> Self {
        Self {
            state: State::of(scope, &itself.cooldowns),
            scope,
            shared: &itself.cooldowns,
        }
    }

    /// How long it has been so; `None`: since the start.
    pub(super) fn lasts_for(&self) -> Option<Duration> {
        let out = self.scope.taken_out_for.or(self.scope.out_for);
        out.or_else(|| match self.is_for_a_cooldown() {
            true => self.of_keys(|cooldown| cooldown.lasts_for),
            false => self.scope.since,
        })
    }

    /// How long it lasts until the first of its keys may be used again, if a cooldown is why it is as it is.
    pub(super) fn ends_in(&self) -> Option<Duration> {
        let is_it = self.is_for_a_cooldown();
        is_it.then(|| self.of_keys(|cooldown| cooldown.ends_in))?
    }

    /// Whether cooldowns of its keys are why it is as it is.
    pub(super) fn is_for_a_cooldown(&self) -> bool {
        match self.state {
            State::KeyRefused | State::CoolingDown => true,
            State::PartlyOut => !self.scope.phase.is_out(),
            State::Out
            | State::Probing
            | State::TakenOut
            | State::Recovering
            | State::InRotation => false,
        }
    }

    /// Of each key the longest time, of all keys the shortest: the last one that was closed, the first that may be used again.
    fn of_keys(&self, time: fn(&CooldownView) -> Duration) -> Option<Duration> {
        let all = || self.scope.cooldowns.iter().chain(self.shared);
        let of_key = |key| {
            let its = all().filter(|cooldown| cooldown.key == key);
            its.map(time).max()
        };
        (1..=self.scope.keys).filter_map(of_key).min()
    }
}

/// Whether every key is in a cooldown for such a reason, one for this scope or a shared one. Where all are shared, it is not this scope
/// that cools down.
fn is_cooling_down(
    scope: &ScopeView,
    shared: &[CooldownView],
    counts: impl Fn(CooldownReason) -> bool,
) -> bool {
    let is_closed = |key| {
        let mut all = scope.cooldowns.iter().chain(shared);
        all.any(|cooldown| cooldown.key == key && counts(cooldown.reason))
    };
    !scope.cooldowns.is_empty() && (1..=scope.keys).all(is_closed)
}

fn has_to_be_seen_to(reason: CooldownReason) -> bool {
    match reason {
        CooldownReason::Credential | CooldownReason::Quota | CooldownReason::Model => true,
        CooldownReason::RateLimit | CooldownReason::Overload => false,
    }
}
