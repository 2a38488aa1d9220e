//! Whether anything is wrong, at first glance: what is the matter with whom, who answers instead, what clients feel.

use serde_json::{Value, json};

use super::moment::{in_future, rfc3339};
use super::recent::Recent;
use super::route_view::RouteView;
use super::upstream_state::{State, UpstreamState};
use crate::config::UpstreamId;
use crate::event::ScopeId;

/// How things stand as a whole; the worst comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// Nothing is wrong.
    Well,
    /// Something is wrong, and clients do not notice it.
    Covered,
    /// Clients notice it.
    Failing,
}

impl Condition {
    /// A short constant name for JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Covered => "covered",
            Self::Failing => "failing",
        }
    }
}

/// Something that is the matter with an upstream.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    pub(super) of: UpstreamState<'a>,
    answered_by: Vec<UpstreamId>,
    /// The patterns for which nobody answers now, or models behind them.
    unanswered: Vec<String>,
    because: Option<String>,
}

impl<'a> Problem<'a> {
    /// `None` for an upstream that is well.
    pub(super) fn of(
        of: UpstreamState<'a>,
        routes: &'a [RouteView<'a>],
        recent: &Recent,
    ) -> Option<Self> {
        if of.state == State::InRotation {
            return None;
        }
        let id = &of.scope.id;
        let mut answered_by: Vec<UpstreamId> = Vec::new();
        let mut unanswered = Vec::new();
        for route in routes.iter().filter(|route| route.has(&id.upstream, None)) {
            let is_concerned = route.has(&id.upstream, id.model.as_deref());
            for asked in route.asked().filter(|it| !it.is_well_at(&id.upstream)) {
                match asked.first_besides(&id.upstream) {
                    Some(other) if is_concerned && !answered_by.contains(other) => {
                        answered_by.push(other.clone());
                    }
                    Some(_) => {}
                    // Another model of the upstream may be the reason: it is in no better state.
                    None if asked.is_shut() && !unanswered.contains(&asked.what) => {
                        unanswered.push(asked.what);
                    }
                    None => {}
                }
            }
        }
        let because = because(&of, recent);
        Some(Self {
            of,
            answered_by,
            unanswered,
            because,
        })
    }

    /// Whether clients notice it for sure: nobody is left to answer.
    pub(super) fn is_felt(&self) -> bool {
        !self.unanswered.is_empty()
    }

    pub(super) fn json(&self) -> Value {
        let id = &self.of.scope.id;
        let is_ending = self.of.state == State::Recovering;
        json!({
            "upstream": id.upstream.as_ref(),
            "model": id.model.as_deref(),
            "state": self.of.state.name(),
            "what": self.what(),
            "since": self.of.lasts_for().filter(|_| !is_ending).map(rfc3339),
            "until": self.of.ends_in().map(in_future),
            "because": self.because.as_ref().filter(|_| !is_ending),
            "instead": self.instead(),
            "answered_by": self.answered_by.iter().map(AsRef::<str>::as_ref).collect::<Vec<_>>(),
            "unanswered": self.unanswered,
            "needs_action": self.of.state.needs_action(),
        })
    }

    fn what(&self) -> String {
        let scope = subject(&self.of.scope.id);
        match self.of.state {
            State::TakenOut => format!("{scope} is taken out by hand"),
            State::Out | State::Probing | State::PartlyOut => format!("{scope} is down"),
            State::KeyRefused => format!("{scope} refuses us"),
            State::CoolingDown => format!("{scope} is cooling down"),
            State::Recovering => format!(
                "{scope} is coming back: it gets {:.0} % of its traffic",
                self.of.scope.fraction * 100.0
            ),
            State::InRotation => format!("{scope} is in rotation"),
        }
    }

    fn instead(&self) -> String {
        let names: Vec<&str> = self.answered_by.iter().map(AsRef::as_ref).collect();
        let is_ending = self.of.state == State::Recovering;
        let others = match names.as_slice() {
            [] => String::new(),
            names if is_ending => format!("The rest goes to {}", listed(names)),
            [one] => format!("{one} answers instead"),
            several => format!("{} answer instead", listed(several)),
        };
        let unanswered: Vec<&str> = self.unanswered.iter().map(String::as_str).collect();
        match unanswered.as_slice() {
            [] => others,
            patterns if others.is_empty() => {
                format!("Nobody answers instead for {}", listed(patterns))
            }
            patterns => format!("{others}, but nobody for {}", listed(patterns)),
        }
    }
}

/// `openai`, `gpt-4o at openai`, `a model of gpt-* at openai`.
fn subject(scope: &ScopeId) -> String {
    match &scope.model {
        Some(model) if model.ends_with('*') => format!("a model of {model} at {}", scope.upstream),
        Some(_) | None => scope.to_string(),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Why, in the words of the last failure where there is one: `503 overloaded`.
pub(super) fn because(of: &UpstreamState<'_>, recent: &Recent) -> Option<String> {
    let (scope, state) = (of.scope, of.state);
    if matches!(state, State::TakenOut | State::InRotation) {
        return None;
    }
    if of.is_for_a_cooldown() {
        let cooldown = scope.cooldowns.first()?;
        return Some(cooldown.reason.in_words().to_owned());
    }
    let Some(last) = recent.last_failure(&scope.id.upstream) else {
        return Some(in_words(scope.cause));
    };
    let label = in_words(last.outcome.label());
    Some(match last.outcome.status() {
        Some(status) => format!("{status} {label}"),
        None => label,
    })
}

fn in_words(label: &str) -> String {
    label.replace('_', " ")
}
