//! Which requests can be continued: those that ask for one text, and perhaps for calls of tools.

use serde_json::Value;

use crate::request::Endpoint;
use crate::wire::json;

/// Why the answer to a request could not be continued elsewhere; `None` if it could.
pub fn obstacle(endpoint: Endpoint, body: &[u8]) -> Option<&'static str> {
    let mended = json::mended(body);
    let body = mended.as_deref().unwrap_or(body);
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Some("unreadable");
    };
    match endpoint {
        Endpoint::ChatCompletions => of_chat(&body),
        Endpoint::Messages => of_message(&body),
        Endpoint::Completions => of_completion(&body),
        Endpoint::Responses => of_response(&body),
        _ => Some("endpoint"),
    }
}

fn of_chat(body: &Value) -> Option<&'static str> {
    let mut modes = body["modalities"].as_array().into_iter().flatten();
    let has_audio = modes.any(|mode| mode == "audio") || body["audio"].is_object();
    first([
        (is_formed(&body["response_format"]), "json"),
        (is_several(&body["n"]), "n"),
        (body["logprobs"] == true, "logprobs"),
        (has_audio, "audio"),
    ])
    .or_else(|| of_messages(&body["messages"]))
}

fn of_message(body: &Value) -> Option<&'static str> {
    let formats = [&body["output_config"]["format"], &body["output_format"]];
    let has_format = formats.iter().any(|format| !format.is_null());
    // Only the provider keeps the conversation, and its own part of the answer.
    let is_kept_there = !body["thread"].is_null();
    first([(has_format, "json"), (is_kept_there, "stored")])
        .or_else(|| of_messages(&body["messages"]))
}

/// The first obstacle that is there.
fn first<const N: usize>(obstacles: [(bool, &'static str); N]) -> Option<&'static str> {
    let mut there = obstacles.into_iter().filter(|(is_there, _)| *is_there);
    there.next().map(|(_, obstacle)| obstacle)
}

/// An answer that the client has begun itself would be repeated with its own words.
fn of_messages(messages: &Value) -> Option<&'static str> {
    let Some(messages) = messages.as_array() else {
        return Some("unreadable");
    };
    let last = messages.last().map(|last| &last["role"]);
    last.is_some_and(|role| role == "assistant")
        .then_some("prefill")
}

fn of_completion(body: &Value) -> Option<&'static str> {
    let is_several = is_several(&body["n"]) || is_several(&body["best_of"]);
    first([
        (is_several, "n"),
        (body["logprobs"].as_u64().is_some(), "logprobs"),
        (body["echo"] == true || !body["suffix"].is_null(), "echo"),
        (!body["prompt"].is_string(), "prompt"),
    ])
}

fn of_response(body: &Value) -> Option<&'static str> {
    let mut stored = ["previous_response_id", "conversation", "prompt"].into_iter();
    let is_kept_there = stored.any(|field| !body[field].is_null());
    first([
        (is_formed(&body["text"]["format"]), "json"),
        // Only the provider knows the conversation so far.
        (is_kept_there || body["background"] == true, "stored"),
        (!body["top_logprobs"].is_null(), "logprobs"),
    ])
    .or_else(|| match &body["input"] {
        Value::String(_) => None,
        input => of_messages(input),
    })
}

/// Whether the answer has another form than text.
fn is_formed(format: &Value) -> bool {
    format["type"]
        .as_str()
        .is_some_and(|format| format != "text")
}

fn is_several(number: &Value) -> bool {
    number.as_u64().is_some_and(|number| number > 1)
}

#[cfg(test)]
mod tests {
    use super::obstacle;
    use crate::request::Endpoint;

    #[test]
    fn only_requests_for_one_text_can_be_continued() {
        let chat = |more: &str| {
            let body = format!("{{\"messages\":[],\"stream\":true{more}}}");
            obstacle(Endpoint::ChatCompletions, body.as_bytes())
        };
        for plain in [
            "",
            ",\"tools\":[{}]",
            ",\"functions\":[{}]",
            ",\"n\":1",
            ",\"response_format\":{\"type\":\"text\"}",
        ] {
            assert_eq!(chat(plain), None, "{plain}");
        }
        assert_eq!(
            chat(",\"response_format\":{\"type\":\"json_object\"}"),
            Some("json")
        );
        assert_eq!(chat(",\"n\":2"), Some("n"));
        assert_eq!(chat(",\"logprobs\":true"), Some("logprobs"));
        assert_eq!(chat(",\"modalities\":[\"text\",\"audio\"]"), Some("audio"));
        let response = |body: &str| obstacle(Endpoint::Responses, body.as_bytes());
        assert_eq!(response(r#"{"input":"hi"}"#), None);
        assert_eq!(
            response(r#"{"input":"hi","previous_response_id":"resp_1"}"#),
            Some("stored")
        );
        let agent = r#"{"input":[{"type":"function_call_output"}],"tools":[{"type":"function"}]}"#;
        assert_eq!(response(agent), None);
        let message = |body: &str| obstacle(Endpoint::Messages, body.as_bytes());
        let agent =
            r#"{"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"f"}],"thinking":{}}"#;
        assert_eq!(message(agent), None);
        let begun =
            r#"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"{"}]}"#;
        assert_eq!(message(begun), Some("prefill"));
        let schema = r#"{"messages":[],"output_config":{"format":{"type":"json_schema"}}}"#;
        assert_eq!(message(schema), Some("json"));
        let thread = r#"{"messages":[],"thread":{"type":"create"}}"#;
        assert_eq!(message(thread), Some("stored"));
    }
}
