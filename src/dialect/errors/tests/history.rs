//! Refusals that are about the history, the model or the key, and not about what the client asks now.

use super::classify;
use crate::outcome::Outcome;

/// What points into the history, with a code.
const OF_HISTORY: &[(&str, &str)] = &[
    (
        "messages.3.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
        "",
    ),
    ("messages.3.content.0: `tool_use` ids must be unique", ""),
    (
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
        "",
    ),
    (
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "",
    ),
    (
        "messages.2.content.0.thinking: each thinking block must contain signature",
        "",
    ),
    (
        "messages.5: `tool_use` ids were found without `tool_result` blocks immediately after: a",
        "",
    ),
    (
        "Invalid 'messages[1].tool_calls[0].id': string too long.",
        "string_above_max_length",
    ),
    (
        "Invalid 'messages[2].tool_call_id': string too long.",
        "string_above_max_length",
    ),
    (
        "Invalid 'input[3].id': 'fc_1'. Expected an ID that begins with 'msg'.",
        "invalid_value",
    ),
    (
        "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
        "",
    ),
    ("Unexpected role 'user' after role 'tool'", ""),
    (
        "Function call is missing a thought_signature in functionCall parts.",
        "",
    ),
    (
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "",
    ),
    ("No tool output found for function call call_1.", ""),
    (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
        "",
    ),
    (
        "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
        "",
    ),
];

/// What does not.
const OF_REQUEST: &[(&str, &str)] = &[
    ("messages.1.content.0.text: Field required", ""),
    (
        "Invalid 'messages[1].content': string too long.",
        "string_above_max_length",
    ),
    ("Expected `thinking` or `redacted_thinking`", ""),
];

fn outcome(message: &str, code: &str) -> Outcome {
    let body = serde_json::json!({ "error": { "message": message, "code": code } });
    classify(400, None, body.to_string().as_bytes())
}

#[test]
fn what_others_have_left_in_a_conversation_is_no_fault_of_the_clients() {
    for (message, code) in OF_HISTORY {
        let expected = Outcome::ProviderBoundItems { status: 400 };
        assert_eq!(outcome(message, code), expected, "{message}");
    }
    for (message, code) in OF_REQUEST {
        let expected = Outcome::RejectedRequest { status: 400 };
        assert_eq!(outcome(message, code), expected, "{message}");
    }
}

#[test]
fn what_a_model_does_not_take_is_a_fact_about_the_model() {
    for (message, code, label) in [
        (
            "Unsupported parameter: 'temperature' is not supported with this model.",
            "",
            "unsupported",
        ),
        (
            "tool_choice: type \"tool\" and \"any\" are not supported for this model.",
            "",
            "unsupported",
        ),
        (
            "This model does not support effort level 'max'. Supported levels: high.",
            "",
            "unsupported",
        ),
        (
            "The requested model 'm' does not exist.",
            "model_not_found",
            "model_unavailable",
        ),
        (
            "Incorrect API key provided. You can obtain an API key.",
            "invalid-argument",
            "unauthorized",
        ),
    ] {
        assert_eq!(outcome(message, code).label(), label, "{message}");
    }
}
