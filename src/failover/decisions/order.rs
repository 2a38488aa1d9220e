//! The order of preference among the candidates of a rule for one request, before health is asked.
//!
//! Tiers come strictly in order. Within a tier, candidates whose failure domain is in trouble come last. The route's
//! strategy orders the others: `weighted` sends a conversation to the same candidate each time, so that prompt caches
//! survive (rendezvous hashing: highest random weight, Thaler and Ravishankar, 1998, in proportion to the weights);
//! `latency` takes the less loaded of two that are drawn by weight (power of two choices, Mitzenmacher, 2001).

use super::skip::{SkipReason, Skipped};
use crate::catalogue::{Dialect, Facts, Prefill};
use crate::config::{Continuation, Strategy, UpstreamId};
use crate::request::{Endpoint, ModelRequest, Needs};
use crate::routing::{Candidate, Rule};
use crate::wire::json::fingerprint_of;

/// What of a request decides the order.
#[derive(Clone, Copy, Debug)]
pub struct RoutingRequest<'a> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The model it names.
    pub model: &'a str,
    /// Equal for the requests of one conversation.
    pub session: u64,
    /// How often the client itself has tried before.
    pub retries: usize,
    /// How a stream that broke off is to be continued, if this is a continuation.
    pub continuation: Continuation,
    /// What it requires of a model.
    pub needs: Needs<'a>,
    /// Whether it brings a credential of the client's own.
    pub has_credential: bool,
    /// The owner of an object that it refers to.
    pub pinned_to: Option<&'a UpstreamId>,
    /// The only upstream that it wants to be served by.
    pub only: Option<&'a UpstreamId>,
}

impl<'a> RoutingRequest<'a> {
    /// A request with these properties and no others.
    pub fn new(endpoint: Endpoint, model: &'a str, session: u64) -> Self {
        Self {
            endpoint,
            model,
            session,
            retries: 0,
            needs: Needs::default(),
            has_credential: false,
            pinned_to: None,
            only: None,
            continuation: Continuation::Off,
        }
    }

    pub(in crate::failover) fn of(request: &'a ModelRequest) -> Self {
        Self {
            retries: request.retries,
            needs: request.needs(),
            has_credential: request.credential.is_some(),
            pinned_to: request.pinned_to.as_ref(),
            only: request.control.only.as_ref(),
            ..Self::new(request.endpoint, request.model_name(), request.session)
        }
    }
}

/// The candidates of a rule in order, and those that cannot serve the request at all.
#[derive(Debug)]
pub(in crate::failover) struct Order<'a> {
    /// The request.
    pub(in crate::failover) request: RoutingRequest<'a>,
    pub(in crate::failover) candidates: Vec<&'a Candidate>,
    pub(in crate::failover) skipped: Vec<Skipped>,
}

/// The order for a request. `draw` gives random numbers between 0 and 1.
///
/// If the built-in tables leave nobody, they may be wrong. Then only the configuration excludes candidates, and the
/// client gets the upstream's own error.
pub(in crate::failover) fn order<'a>(
    rule: &'a Rule,
    request: RoutingRequest<'a>,
    draw: impl Fn() -> f64,
) -> Order<'a> {
    let (mut fit, mut skipped) =
        sort_out(rule, request, |candidate| candidate.facts(request.model));
    if fit.is_empty() {
        (fit, skipped) = sort_out(rule, request, |candidate| {
            let model = candidate.model.as_deref().unwrap_or(request.model);
            candidate.knowledge.configured(model)
        });
    }
    let mut ranked: Vec<(&Candidate, (u32, bool, f64))> = Vec::with_capacity(fit.len());
    for candidate in fit {
        let draw = match rule.strategy {
            Strategy::Weighted => affinity(request.session, candidate),
            Strategy::Latency => draw(),
        };
        let rank = rank(candidate.weight, draw);
        ranked.push((
            candidate,
            (
                candidate.tier,
                shares_trouble(candidate, rule, request.model),
                rank,
            ),
        ));
    }
    ranked.sort_by(|(_, a), (_, b)| a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    if rule.strategy == Strategy::Latency {
        take_the_less_loaded(&mut ranked, request.model);
    }
    let mut candidates: Vec<&Candidate> =
        ranked.into_iter().map(|(candidate, _)| candidate).collect();
    if !candidates.is_empty() {
        // If the client retries, the candidate that it got before did not help.
        let other = request.retries % candidates.len();
        candidates.rotate_left(other);
    }
    Order {
        request,
        candidates,
        skipped,
    }
}

/// Separates the candidates that can serve a request from those that cannot, by these facts.
fn sort_out<'a>(
    rule: &'a Rule,
    request: RoutingRequest<'_>,
    facts: impl Fn(&Candidate) -> Facts,
) -> (Vec<&'a Candidate>, Vec<Skipped>) {
    let mut fit = Vec::with_capacity(rule.candidates.len());
    let mut skipped = Vec::new();
    for candidate in &rule.candidates {
        match ineligible(candidate, facts(candidate), rule, request) {
            None => fit.push(candidate),
            Some(why) => skipped.push(Skipped::new(candidate, why)),
        }
    }
    (fit, skipped)
}

/// Why a candidate cannot serve a request, as far as that is known without translating it.
fn ineligible(
    candidate: &Candidate,
    facts: Facts,
    rule: &Rule,
    request: RoutingRequest<'_>,
) -> Option<SkipReason> {
    if request
        .pinned_to
        .is_some_and(|at| at != candidate.upstream.id())
    {
        return Some(SkipReason::Elsewhere);
    }
    let is_wanted = |only| only == candidate.upstream.id();
    if !request.only.is_none_or(is_wanted) {
        return Some(SkipReason::NotWanted);
    }
    if candidate.upstream.takes_clients_credential() && !request.has_credential {
        return Some(SkipReason::NoCredential);
    }
    let model = candidate.model.as_deref().unwrap_or(request.model);
    if !candidate.upstream.api(model).has(request.endpoint) {
        return Some(SkipReason::Unsupported("this endpoint"));
    }
    let mut missing = facts.missing.iter();
    if let Some(lack) = missing.find(|ability| request.needs.include(*ability)) {
        return Some(SkipReason::Unsupported(lack.label()));
    }
    let window = facts.context_window;
    if window.is_some_and(|window| request.needs.exceed(window)) {
        return Some(SkipReason::TooSmall);
    }
    // Every model continues a plain prompt.
    if request.continuation == Continuation::Prefill
        && request.endpoint != Endpoint::Completions
        && prefill(candidate, request.model) == Prefill::None
    {
        return Some(SkipReason::CannotContinue);
    }
    let model_of = |candidate: &Candidate| {
        candidate
            .model
            .clone()
            .unwrap_or_else(|| request.model.into())
    };
    let is_other_model = || {
        let first = rule.candidates.first().map(model_of);
        first.is_some_and(|first| first != model_of(candidate))
    };
    (request.endpoint == Endpoint::Embeddings && is_other_model()).then_some(SkipReason::OtherModel)
}

/// How a candidate is asked to continue the start of an answer.
pub(in crate::failover) fn prefill(candidate: &Candidate, model: &str) -> Prefill {
    let api = candidate.api(model);
    match api.dialect {
        Dialect::OpenAi => api.prefill,
        Dialect::Anthropic if candidate.facts(model).takes_prefill => Prefill::Trailing,
        Dialect::Anthropic => Prefill::None,
    }
}

/// Whether another upstream in the same failure domain is out of rotation for failures that may affect the whole
/// domain.
fn shares_trouble(candidate: &Candidate, rule: &Rule, model: &str) -> bool {
    let Some(domain) = &candidate.domain else {
        return false;
    };
    rule.candidates.iter().any(|other| {
        other.upstream.id() != candidate.upstream.id()
            && other.domain.as_ref() == Some(domain)
            && other.health_of(model).has_failed()
    })
}

/// Sorting by `-ln(u)/w` draws without replacement in proportion to the weights (Efraimidis and Spirakis, 2006).
fn rank(weight: u32, draw: f64) -> f64 {
    -draw.max(f64::MIN_POSITIVE).ln() / f64::from(weight)
}

/// A number between 0 and 1 that is always the same for a conversation and a candidate.
fn affinity(session: u64, candidate: &Candidate) -> f64 {
    let number = fingerprint_of(&(session, candidate.upstream.id(), &candidate.model));
    (number >> 11) as f64 / (1u64 << 53) as f64
}

fn take_the_less_loaded(ranked: &mut [(&Candidate, (u32, bool, f64))], model: &str) {
    let [(first, of_first), (second, of_second), ..] = ranked else {
        return;
    };
    let is_same_tier = (of_first.0, of_first.1) == (of_second.0, of_second.1);
    let load = |candidate: &Candidate| candidate.health_of(model).load() / candidate.weight as f32;
    if is_same_tier && load(second) < load(first) {
        ranked.swap(0, 1);
    }
}
