//! Provider-bound items in a conversation: an upstream may reject what another provider has left there.

use bytes::Bytes;

use super::{UpstreamApi, anthropic, openai};
use crate::config::CallIds;
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
            let adapted = openai::adapt_chat(body, &api, false)?;
            Some((adapted.body, adapted.dropped))
        }
        Endpoint::Messages => anthropic::strip_provider_state(body),
        _ => None,
    }
}
