//! Parses large requests and answers into trees: within the memory for bodies, and without blocking other tasks.

use super::decisions::routing_request::RoutingRequest;
use super::decisions::skip::SkipReason;
use crate::catalogue::Ability;
use crate::dialect::{Asking, RequestKind, Untranslatable, UpstreamApi, UpstreamRequest};
use crate::routing::Candidate;
use crate::wire::json::{self, Fault};
use crate::wire::memory::{Memory, NoMemory, Share};
use crate::wire::offload;

/// The parsed tree, and the translated one.
const TREES: usize = 2;

/// Reserves memory for the translation of a body.
pub(super) fn reserve(body: &[u8], memory: &Memory) -> Result<Share, NoMemory> {
    json::reserve(TREES, body, memory)
}

/// How a candidate is asked for a request.
pub(super) fn asking<'a>(candidate: &'a Candidate, request: RoutingRequest<'a>) -> Asking<'a> {
    asking_by(candidate.api(request.model), candidate, request)
}

/// The same by an API that may be less than all that the candidate has.
pub(super) fn asking_by<'a>(
    api: UpstreamApi,
    candidate: &'a Candidate,
    request: RoutingRequest<'a>,
) -> Asking<'a> {
    let mut asking = api.asking(RequestKind {
        endpoint: request.endpoint,
        model: candidate.model.as_deref().unwrap_or(request.model),
        has_tools: request.needs.include(Ability::Tools),
        is_fallback: candidate.model.is_some(),
        is_renamed: candidate
            .model
            .as_deref()
            .is_some_and(|model| model != request.model),
        body: request.needs.body,
    });
    // What the client wrote for this model passes through, whatever is known of the model.
    if candidate.model.is_none() && !asking.translates() {
        return asking;
    }
    let facts = candidate.facts(request.model);
    asking.api.has_stream_usage = !facts.missing.contains(Ability::StreamUsage);
    asking.api.max_output = facts.max_output;
    asking
}

/// A request in the API of a candidate, or why it cannot be put so; `None`: it need not be translated.
pub(super) fn translated(
    asking: Asking<'_>,
    body: &[u8],
) -> Result<Option<UpstreamRequest>, SkipReason> {
    let translated = asking.translated(body);
    translated.transpose().map_err(|why| match why {
        Untranslatable::Unsupported(lack) => SkipReason::Unsupported(lack),
        Untranslatable::Unreadable => SkipReason::Unreadable,
    })
}

/// The same within the memory for bodies, and without blocking other tasks.
pub(super) async fn translated_within(
    asking: Asking<'_>,
    body: &[u8],
    memory: &Memory,
) -> Result<Option<UpstreamRequest>, SkipReason> {
    if !asking.translates() {
        return Ok(None);
    }
    let translate = || match reserve(body, memory) {
        Ok(mut share) => {
            let mut request = translated(asking, body)?;
            if let Some(request) = &mut request {
                share.shrink_to(request.body.len());
                request.body = share.hold(std::mem::take(&mut request.body));
            }
            Ok(request)
        }
        Err(NoMemory::Now) => Err(SkipReason::NoMemory),
        Err(NoMemory::Ever) => Err(SkipReason::TooLarge),
    };
    offload::run(body.len(), translate).await
}

/// The error in a request that cannot be parsed.
pub(super) async fn fault(body: &[u8]) -> Option<Fault> {
    let look = || {
        let mended = json::mended(body);
        json::fault(mended.as_deref().unwrap_or(body))
    };
    offload::run(body.len(), look).await
}
