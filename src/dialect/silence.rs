//! Requests to which saying nothing is an answer.

use serde_json::Value;

use super::conversation::Api;
use crate::request::Endpoint;

/// Whether a model that says nothing has answered: after the result of a tool it may have nothing to add, and a request that
/// only warms up a cache wants no answer.
pub fn may_be_silent(endpoint: Endpoint, body: &[u8]) -> bool {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let last = |list: &str| request[list].as_array().and_then(|list| list.last());
    match Api::of(endpoint) {
        Some(Api::Chat) => last("messages")
            .is_some_and(|last| last["role"] == "tool" || last["role"] == "function"),
        Some(Api::Messages) => last("messages").is_some_and(|last| {
            let mut blocks = last["content"].as_array().into_iter().flatten();
            blocks.any(|block| block["type"] == "tool_result")
        }),
        Some(Api::Responses) => {
            let is_result = |item: &Value| {
                let kind = item["type"].as_str().unwrap_or_default();
                kind.ends_with("_call_output")
            };
            request["prompt_cache_options"]["prewarm"] == true
                || last("input").is_some_and(is_result)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_silent;
    use crate::request::Endpoint;

    #[test]
    fn silence_is_an_answer_after_a_result() {
        let (chat, messages, responses) = (
            Endpoint::ChatCompletions,
            Endpoint::Messages,
            Endpoint::Responses,
        );
        for (endpoint, body) in [
            (chat, r#"{"messages":[{"role":"user"},{"role":"tool"}]}"#),
            (
                messages,
                r#"{"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}"#,
            ),
            (responses, r#"{"input":[{"type":"function_call_output"}]}"#),
            (
                responses,
                r#"{"input":"x","prompt_cache_options":{"prewarm":true}}"#,
            ),
        ] {
            assert!(may_be_silent(endpoint, body.as_bytes()), "{body}");
        }
        for (endpoint, body) in [
            (chat, r#"{"messages":[{"role":"tool"},{"role":"user"}]}"#),
            (messages, r#"{"messages":[{"role":"user","content":"hi"}]}"#),
            (responses, r#"{"input":"x"}"#),
            (responses, "x"),
        ] {
            assert!(!may_be_silent(endpoint, body.as_bytes()), "{body}");
        }
    }
}
