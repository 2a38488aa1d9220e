//! Conversations that were begun elsewhere: an upstream may refuse what another one has left in them.

use bytes::Bytes;

use super::{anthropic, openai};
use crate::request::Endpoint;

/// The body of a request, which is in the upstream's own API, without what only others can read, and the fields that had to be
/// left out; `None`: there is nothing of that kind.
pub fn cleared(endpoint: Endpoint, body: &[u8]) -> Option<(Bytes, Vec<String>)> {
    match endpoint {
        Endpoint::Responses => {
            let body = openai::without_thoughts(body)?;
            Some((body, vec!["input.reasoning".to_owned()]))
        }
        Endpoint::ChatCompletions => Some((openai::with_short_ids(body)?, Vec::new())),
        Endpoint::Messages => anthropic::cleared(body),
        _ => None,
    }
}
