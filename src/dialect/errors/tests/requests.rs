//! What is wrong with a request, in the words of each provider.

use serde_json::{Value, json};

use super::classify;
use crate::dialect::errors::shaped;
use crate::outcome::Outcome;

#[test]
fn what_is_too_long_is_known_by_the_words_of_each_provider() {
    for words in [
        "Requested token count exceeds the model's maximum context length of 262144 tokens. You requested a total of 262462 tokens: 230462 tokens from the input messages and 32000 tokens for the completion.",
        "The input (516368 tokens) is longer than the model's context length (262144 tokens).",
        "Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).",
        "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 40960 tokens and your request has 12000 input tokens (32000 > 40960 - 12000). None",
        "The decoder prompt (length 50000) is longer than the maximum model length of 40960.",
        "Please reduce the length of the messages or completion.",
        "Prompt contains 40962 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        "prompt token count of 74490 exceeds the limit of 72000",
        "The number of tokens to keep from the initial prompt is greater than the context length. Try to load the model with a larger context length, or provide a shorter input",
        "invalid params, context window exceeds limit (2013)",
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)",
        "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 509178 tokens.",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "The prompt is too long: 140000, model maximum context length: 131071",
        "too many tokens: size limit exceeded by 100 tokens. Try using shorter or fewer inputs.",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        "The model returned the following errors: Input is too long for requested model.",
        "litellm.ContextWindowExceededError: litellm.BadRequestError: too long",
    ] {
        let body =
            json!({"error": {"message": words, "type": "invalid_request_error", "code": 400}})
                .to_string();
        let outcome = classify(400, None, body.as_bytes());
        assert_eq!(outcome, Outcome::TooLong { status: 400 }, "{words}");
    }
    let unsafe_words =
        r#"{"error":{"message":"prompt contains sensitive words","type":"invalid_request_error"}}"#;
    let outcome = classify(400, None, unsafe_words.as_bytes());
    assert_eq!(outcome, Outcome::RejectedRequest { status: 400 });
    // A longer window would not do.
    let most = r#"{"error":{"message":"max_tokens is too large: 99999. This model supports at most 16384 completion tokens.","type":"invalid_request_error"}}"#;
    let outcome = classify(400, None, most.as_bytes());
    assert_eq!(outcome, Outcome::Unsupported { status: 400 });
}

#[test]
fn openrouter_hands_on_what_somebody_behind_it_says() {
    let behind = |raw: Value| {
        let error = json!({"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "Nvidia"}});
        json!({ "error": error }).to_string()
    };
    let length = "This model's maximum context length is 9 tokens.";
    for raw in [
        json!({"error": {"message": length, "code": 400}})
            .to_string()
            .into(),
        json!({"error": {"message": length}}),
        length.into(),
    ] {
        let body = behind(raw);
        assert_eq!(
            classify(400, None, body.as_bytes()),
            Outcome::TooLong { status: 400 },
            "{body}"
        );
        let shown: Value = serde_json::from_slice(&shaped(400, body.into())).unwrap();
        assert_eq!(shown["error"]["message"], length);
        assert_eq!(shown["error"]["code"], "context_length_exceeded");
        assert_eq!(
            shown["error"]["upstream"]["error"]["message"],
            "Provider returned error"
        );
    }
    let history = behind("messages.1.content.0: Invalid `signature` in `thinking` block".into());
    let outcome = classify(400, None, history.as_bytes());
    assert_eq!(outcome, Outcome::ProviderBoundItems { status: 400 });
    // Who has no money there is not who pays here.
    let broke = behind("Your credit balance is too low to access the Anthropic API.".into());
    let outcome = classify(400, None, broke.as_bytes());
    assert_eq!(outcome, Outcome::RejectedRequest { status: 400 });
    for raw in [json!(""), json!(null)] {
        let shown: Value = serde_json::from_slice(&shaped(400, behind(raw).into())).unwrap();
        assert_eq!(shown["error"]["message"], "Provider returned error");
        assert_eq!(shown["error"]["code"], Value::Null);
    }
}

#[test]
fn an_error_nested_without_end_is_read_to_the_provider_behind_openrouter() {
    const DEPTH: usize = 20_000;
    let begin = r#"{"message":"Provider returned error","metadata":{"raw":"#;
    let nested = [&begin.repeat(DEPTH), "1", &"}}".repeat(DEPTH)].concat();
    let body = format!(r#"{{"error":{nested}}}"#);
    let outcome = classify(400, None, body.as_bytes());
    assert_eq!(outcome, Outcome::RejectedRequest { status: 400 });
}
