//! Which optional fields an error refuses by their names.
//!
//! A message may also list the fields that would be known, so only a name that stands where each provider puts the refused one
//! counts.

use super::fields::ErrorFields;
use super::requests::STREAMS;
use crate::catalogue::Unwanted;

/// What stands before the name, or the names, in a message in small letters.
const BEFORE: [&str; 12] = [
    // OpenAI, Azure: `Unrecognized request arguments supplied: metadata, store`
    "unrecognized request argument supplied: ",
    "unrecognized request arguments supplied: ",
    // OpenAI: `Unsupported parameter: 'temperature' is not supported with this model.`
    "unsupported parameter: ",
    "unknown parameter: ",
    "unsupported value: ",
    // TGI and others in Rust: "unknown field `store`, expected one of `model`, ..."
    "unknown field ",
    // Gemini
    "unknown name ",
    // Groq, Cerebras
    "property ",
    // Fireworks
    "extra inputs are not permitted, field: ",
    // xAI
    "argument not supported on this model: ",
    // Pydantic, as vLLM and FastAPI pass it on
    "'loc': ('body', ",
    "\"loc\":[\"body\",",
];
/// What stands behind it: at Anthropic, and whoever writes as it does.
const BEHIND: &str = ": extra inputs are not permitted";

/// What an error says that its upstream does not know.
pub(super) fn unwanted(error: &ErrorFields) -> Unwanted {
    let words = error.words().replace(": [\"body\", ", ":[\"body\",");
    let behind = BEFORE.iter().flat_map(|before| words.split(before).skip(1));
    let begun = words.split_once(BEHIND).map(|(name, _)| name).into_iter();
    let param = error.is_about_param().then(|| error.param());
    let alone = begun.chain(param).filter_map(named);
    // A place within another field (`'messages', 2, 'user'`) ends at that one's name.
    let listed = behind.flat_map(|text| listed(text).map_while(named));
    let streams = STREAMS.iter().any(|mark| error.shows(*mark));
    let streams = streams.then_some(Unwanted::STREAM);
    listed
        .chain(alone)
        .chain(streams)
        .fold(Unwanted::NONE, Unwanted::or)
}

fn named(name: &str) -> Option<Unwanted> {
    Unwanted::named(name.strip_prefix("body.").unwrap_or(name))
}

/// The names with which a text begins, with commas between them. Behind the last one, other words follow.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    let mut is_over = false;
    let listed = text.split(',').map_while(move |piece| {
        let piece = piece.trim();
        let (name, rest) = piece.split_once(' ').unwrap_or((piece, ""));
        let is_listed = !is_over;
        is_over = !rest.is_empty();
        is_listed.then_some(name)
    });
    listed.map(|name| name.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Unwanted;
    use crate::dialect::errors::{ErrorReply, classify, unwanted};
    use crate::outcome::Outcome;

    fn named(names: &[&str]) -> Unwanted {
        let each = names.iter().filter_map(|name| Unwanted::named(name));
        each.fold(Unwanted::NONE, Unwanted::or)
    }

    #[test]
    fn each_provider_names_what_it_does_not_know_in_its_own_words() {
        for (body, names) in [
            (
                r#"{"error":{"message":"Unrecognized request argument supplied: reasoning_effort","type":"invalid_request_error","param":null,"code":null}}"#,
                &["reasoning_effort"][..],
            ),
            (
                r#"{"error":{"message":"Unrecognized request arguments supplied: metadata, store","type":"invalid_request_error"}}"#,
                &["metadata", "store"],
            ),
            (
                r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
                &["max_tokens"],
            ),
            (
                r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#,
                &["temperature"],
            ),
            (
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","verbosity"],"msg":"Extra inputs are not permitted","input":"low"},{"type":"extra_forbidden","loc": ["body", "store"],"msg":"x"}]}"#,
                &["verbosity", "store"],
            ),
            (
                r#"{"detail":[{"type":"extra_forbidden","loc":["body","messages",2,"user","name"],"msg":"Extra inputs are not permitted"}]}"#,
                &[],
            ),
            (
                r#"{"object":"error","message":"[{'type': 'extra_forbidden', 'loc': ('body', 'prompt_cache_key'), 'msg': 'Extra inputs are not permitted', 'input': 'k'}]","type":"BadRequestError","code":400}"#,
                &["prompt_cache_key"],
            ),
            (
                r#"{"error":"Failed to deserialize the JSON body into the target type: unknown field `store`, expected one of `messages`, `seed`, `user` at line 1 column 9"}"#,
                &["store"],
            ),
            (
                r#"{"error":{"message":"property 'parallel_tool_calls' is unsupported, did you mean 'tool_calls'?","type":"invalid_request_error"}}"#,
                &["parallel_tool_calls"],
            ),
            (
                r#"{"error":{"object":"error","type":"invalid_request_error","code":"invalid_request_error","message":"Extra inputs are not permitted, field: 'service_tier', value: 'auto'"}}"#,
                &["service_tier"],
            ),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"stream_options: Extra inputs are not permitted"}}"#,
                &["stream_options"],
            ),
            (
                r#"[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"seed\": Cannot find field.","status":"INVALID_ARGUMENT"}}]"#,
                &["seed"],
            ),
            (
                r#"{"error":{"message":"Unrecognized request argument supplied: tools","type":"invalid_request_error"}}"#,
                &[],
            ),
        ] {
            let outcome = classify(&ErrorReply::new(400, body.as_bytes()));
            assert_eq!(outcome, Outcome::Unsupported { status: 400 }, "{body}");
            assert_eq!(unwanted(body.as_bytes()), named(names), "{body}");
        }
    }

    #[test]
    fn who_does_not_answer_in_events_is_known() {
        for message in [
            "Streaming is not supported for this model",
            "Unsupported value: 'stream' does not support true with this model. Supported values are: false.",
            "This model doesn't support tool use in streaming mode.",
            "Your organization must be verified to stream this model. Please go to: https://platform.openai.com/settings",
        ] {
            let body = serde_json::json!({ "error": { "message": message } }).to_string();
            let outcome = classify(&ErrorReply::new(400, body.as_bytes()));
            assert_eq!(outcome, Outcome::Unsupported { status: 400 }, "{body}");
            assert_eq!(unwanted(body.as_bytes()), Unwanted::STREAM, "{body}");
        }
    }
}
