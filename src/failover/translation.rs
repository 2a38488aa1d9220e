//! Parses large requests and answers into trees: within the memory for bodies, and without blocking other tasks.

use memchr::memmem::find;

use super::decisions::order::RoutingRequest;
use super::decisions::skip::SkipReason;
use crate::catalogue::{Ability, InChats};
use crate::dialect::{RequestKind, Untranslatable, UpstreamApi, UpstreamRequest};
use crate::request::Endpoint;
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

/// What decides in which API a candidate is asked.
pub(super) fn ask<'a>(candidate: &'a Candidate, request: RoutingRequest<'a>) -> RequestKind<'a> {
    let model = candidate.model.as_deref().unwrap_or(request.model);
    let has_tools = request.needs.include(Ability::Tools);
    let in_chats = || candidate.upstream.api(model).in_chats(model);
    // Only then it counts, and the body is scanned.
    let is_decisive = request.endpoint == Endpoint::ChatCompletions
        && has_tools
        && in_chats() == InChats::ToolsUnthinking;
    RequestKind {
        endpoint: request.endpoint,
        model,
        has_tools,
        names_effort: is_decisive && names_effort(request.needs.body),
    }
}

/// Whether a chat asks its model to think.
fn names_effort(body: &[u8]) -> bool {
    let effort = find(body, b"\"reasoning_effort\"");
    let rest = effort.map_or(&[][..], |at| &body[at..]);
    let value = rest
        .splitn(3, |byte| matches!(byte, b':' | b',' | b'}'))
        .nth(1);
    value.is_some_and(|value| !matches!(value.trim_ascii(), b"null" | b"\"none\""))
}

/// The API of a candidate, with what is known of the model.
pub(super) fn api_of(candidate: &Candidate, model: &str) -> UpstreamApi {
    let facts = candidate.facts(model);
    UpstreamApi {
        has_stream_usage: !facts.missing.contains(Ability::StreamUsage),
        max_output: facts.max_output,
        ..candidate.api(model)
    }
}

/// A request in the API of a candidate, or why it cannot be put so; `None`: it need not be translated.
pub(super) fn translated(
    candidate: &Candidate,
    request: RoutingRequest<'_>,
) -> Result<Option<UpstreamRequest>, SkipReason> {
    let api = api_of(candidate, request.model);
    let translated = api.translated(ask(candidate, request), request.needs.body);
    translated.transpose().map_err(|why| match why {
        Untranslatable::Unsupported(lack) => SkipReason::Unsupported(lack),
        Untranslatable::Unreadable => SkipReason::Unreadable,
    })
}

/// The same within the memory for bodies, and without blocking other tasks.
pub(super) async fn translated_within(
    candidate: &Candidate,
    request: RoutingRequest<'_>,
    memory: &Memory,
) -> Result<Option<UpstreamRequest>, SkipReason> {
    if !candidate
        .api(request.model)
        .translates(ask(candidate, request))
    {
        return Ok(None);
    }
    let body = request.needs.body;
    let translate = || match reserve(body, memory) {
        Ok(mut share) => {
            let mut request = translated(candidate, request)?;
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

#[cfg(test)]
mod tests {
    use super::names_effort;

    #[test]
    fn an_effort_counts_unless_it_is_none() {
        for (body, names) in [
            (r#"{"reasoning_effort": "low","model":"m"}"#, true),
            (r#"{"model":"m","reasoning_effort":"none"}"#, false),
            (r#"{"reasoning_effort" : null}"#, false),
            (r#"{"model":"m"}"#, false),
        ] {
            assert_eq!(names_effort(body.as_bytes()), names, "{body}");
        }
    }
}
