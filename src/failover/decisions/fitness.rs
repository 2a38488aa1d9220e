//! Who can serve a request, as far as that is known without translating it.

use super::routing_request::RoutingRequest;
use super::skip::SkipReason;
use crate::catalogue::{Dialect, Facts, Prefill};
use crate::config::Continuation;
use crate::request::Endpoint;
use crate::routing::{Candidate, Rule};

/// Why a candidate cannot serve a request, whatever its model can do.
pub(super) fn obstacle(candidate: &Candidate, request: RoutingRequest<'_>) -> Option<SkipReason> {
    let is_other = |only| only != candidate.upstream.id();
    if request.pinned_to.is_some_and(is_other) {
        return Some(SkipReason::Elsewhere);
    }
    if request.only.is_some_and(is_other) {
        return Some(SkipReason::NotWanted);
    }
    if candidate.upstream.takes_clients_credential() && !request.has_credential {
        return Some(SkipReason::NoCredential);
    }
    let model = candidate.model_for(request.model);
    let has_it = candidate.upstream.api(model).has(request.endpoint);
    (!has_it).then_some(SkipReason::Unsupported("this endpoint"))
}

/// Why its model cannot serve a request, by these facts.
pub(super) fn lack(
    candidate: &Candidate,
    facts: Facts,
    rule: &Rule,
    request: RoutingRequest<'_>,
) -> Option<SkipReason> {
    let mut missing = facts.missing.iter();
    if let Some(lack) = missing.find(|ability| request.needs.include(*ability)) {
        return Some(SkipReason::Unsupported(lack.label()));
    }
    let is_too_long = |window| {
        let may_be_several = request.endpoint.may_have_several_inputs();
        request.needs.exceed(window) && !(may_be_several && request.needs.has_several_inputs())
    };
    if facts.context_window.is_some_and(is_too_long) {
        return Some(SkipReason::TooSmall);
    }
    // Every model continues a plain prompt.
    if request.continuation == Continuation::Prefill
        && request.endpoint != Endpoint::Completions
        && prefill(candidate, request.model) == Prefill::None
    {
        return Some(SkipReason::CannotContinue);
    }
    let is_other_model = || {
        let first = rule.candidates.first();
        first.is_some_and(|first| {
            first.model_for(request.model) != candidate.model_for(request.model)
        })
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
