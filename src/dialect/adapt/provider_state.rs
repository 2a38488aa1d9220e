//! Provider-bound items in a conversation: an upstream may reject what another provider has left there.

use bytes::Bytes;

use super::{anthropic, openai};
use crate::catalogue::CallIds;
use crate::dialect::upstream_api::UpstreamApi;
use crate::request::Endpoint;
use crate::wire::json;

/// The body of a request, in the upstream's own API, without items that only other providers can read; also the
/// fields that had to be dropped. `None`: there are no such items. A chat is written as for a fallback.
pub fn strip_provider_state(
    endpoint: Endpoint,
    body: &[u8],
    mut api: UpstreamApi,
) -> Option<(Bytes, Vec<String>)> {
    let mended = json::mended(body);
    let body = mended.as_deref().unwrap_or(body);
    match endpoint {
        Endpoint::Responses => {
            let body = openai::without_thoughts(body)?;
            Some((body, vec!["input.reasoning".to_owned()]))
        }
        Endpoint::ChatCompletions => {
            if api.quirks.call_ids == CallIds::Any {
                api.quirks.call_ids = CallIds::Short;
            }
            let shown = openai::shown_by_users(body);
            let body = shown.as_deref().unwrap_or(body);
            let stripped = openai::without_marks(body);
            let adapted = openai::adapt_chat(stripped.as_deref().unwrap_or(body), &api);
            let mut dropped = Vec::new();
            if stripped.is_some() {
                dropped.push("messages.reasoning_content".to_owned());
            }
            match adapted {
                Some(adapted) => {
                    dropped.extend(adapted.dropped);
                    Some((adapted.body, dropped))
                }
                None => Some((stripped.or(shown)?, dropped)),
            }
        }
        Endpoint::Messages => anthropic::strip_provider_state(body),
        _ => None,
    }
}

/// The body of a request, in the upstream's own API, without thoughts that no provider can check, because this proxy has put
/// them in the client's words; also the fields that had to be dropped. `None`: there are none.
pub fn without_foreign_thoughts(endpoint: Endpoint, body: &[u8]) -> Option<(Bytes, Vec<String>)> {
    match endpoint {
        Endpoint::Messages | Endpoint::CountTokens => anthropic::without_foreign_thoughts(body),
        Endpoint::Responses => {
            let body = openai::without_own_thoughts(body)?;
            Some((body, vec!["input.reasoning".to_owned()]))
        }
        Endpoint::ChatCompletions
        | Endpoint::Completions
        | Endpoint::Embeddings
        | Endpoint::Realtime
        | Endpoint::Other => None,
    }
}
