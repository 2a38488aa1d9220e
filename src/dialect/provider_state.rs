//! Conversations that were begun elsewhere: an upstream may refuse what another one has left in them.

use bytes::Bytes;

use super::{UpstreamApi, anthropic, openai};
use crate::config::CallIds;
use crate::request::Endpoint;
use crate::wire::json;

/// The body of a request, which is in the upstream's own API, without what only others can read, and the fields that had to be
/// left out; `None`: there is nothing of that kind. A chat is put as to one who stands in.
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
            let adapted = openai::adapt_chat(body, &api, false)?;
            Some((adapted.body, adapted.dropped))
        }
        Endpoint::Messages => anthropic::strip_provider_state(body),
        _ => None,
    }
}
