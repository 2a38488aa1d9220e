//! Whether an answer is the model's refusal to answer.

use serde_json::Value;

use super::conversation::End;
use crate::request::Endpoint;
use crate::wire::sse;

/// Whether a whole answer is a refusal: by its finish reason, or by a field for refusals.
pub fn is_refusal(endpoint: Endpoint, body: &[u8]) -> bool {
    serde_json::from_slice(body).is_ok_and(|answer: Value| refuses(endpoint, &answer))
}

/// Whether a stream starts with a refusal.
pub fn begins_with_refusal(endpoint: Endpoint, events: &[u8]) -> bool {
    sse::events(events).any(|event| {
        let data = event.data.as_deref().unwrap_or_default();
        is_refusal(endpoint, data)
    })
}

/// Answers and events have these fields in the same places, or not at all.
fn refuses(endpoint: Endpoint, answer: &Value) -> bool {
    let has_text = |text: &Value| text.as_str().is_some_and(|text| !text.is_empty());
    match endpoint {
        Endpoint::Responses => {
            let items = answer["output"].as_array().into_iter().flatten();
            let mut parts = items.flat_map(|item| item["content"].as_array().into_iter().flatten());
            answer["type"] == "response.refusal.delta"
                || answer["incomplete_details"]["reason"] == "content_filter"
                || answer["response"]["incomplete_details"]["reason"] == "content_filter"
                || parts.any(|part| part["type"] == "refusal")
        }
        Endpoint::Messages => {
            is_filter(&answer["stop_reason"]) || is_filter(&answer["delta"]["stop_reason"])
        }
        _ => {
            let mut choices = answer["choices"].as_array().into_iter().flatten();
            choices.any(|choice| {
                is_filter(&choice["finish_reason"])
                    || has_text(&choice["message"]["refusal"])
                    || has_text(&choice["delta"]["refusal"])
            })
        }
    }
}

/// Whether it is the word of a provider that keeps the rest of an answer back.
fn is_filter(reason: &Value) -> bool {
    reason.as_str().and_then(End::of) == Some(End::Filtered)
}

#[cfg(test)]
mod tests {
    use super::{begins_with_refusal, is_refusal};
    use crate::request::Endpoint;

    #[test]
    fn refusals_are_told_from_answers() {
        let (chat, responses) = (Endpoint::ChatCompletions, Endpoint::Responses);
        for (endpoint, body) in [
            (chat, r#"{"choices":[{"finish_reason":"content_filter"}]}"#),
            (chat, r#"{"choices":[{"message":{"refusal":"I can't."}}]}"#),
            (
                responses,
                r#"{"output":[{"content":[{"type":"refusal","refusal":"no"}]}]}"#,
            ),
            (
                responses,
                r#"{"output":[],"incomplete_details":{"reason":"content_filter"}}"#,
            ),
            (Endpoint::Messages, r#"{"stop_reason":"refusal"}"#),
            (chat, r#"{"choices":[{"finish_reason":"SAFETY"}]}"#),
        ] {
            assert!(is_refusal(endpoint, body.as_bytes()), "{body}");
        }
        for (endpoint, body) in [
            (
                chat,
                r#"{"choices":[{"message":{"content":"x","refusal":null},"finish_reason":"stop"}]}"#,
            ),
            (
                responses,
                r#"{"output":[{"content":[{"type":"output_text","text":"refusal"}]}]}"#,
            ),
            (Endpoint::Messages, r#"{"stop_reason":"end_turn"}"#),
        ] {
            assert!(!is_refusal(endpoint, body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn a_stream_that_begins_with_a_refusal_is_one() {
        let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"refusal\":\"\"}}]}\n\n\
                      data: {\"choices\":[{\"delta\":{\"refusal\":\"I\"}}]}\n\n";
        assert!(begins_with_refusal(
            Endpoint::ChatCompletions,
            stream.as_bytes()
        ));
        let role = stream.split_inclusive("\n\n").next().unwrap();
        assert!(!begins_with_refusal(
            Endpoint::ChatCompletions,
            role.as_bytes()
        ));
    }
}
