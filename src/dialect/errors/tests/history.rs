//! Refusals that are about the history, the model or the key, and not about what the client asks now.

use super::classify;

/// What points into the history, and what does not.
const OF_HISTORY: &str = r#"
provider_bound_items - messages.3.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'
provider_bound_items - messages.3.content.0: `tool_use` ids must be unique
provider_bound_items - messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.
provider_bound_items - messages.1.content.0: Invalid `signature` in `thinking` block
provider_bound_items - messages.2.content.0.thinking: each thinking block must contain signature
provider_bound_items - messages.5: `tool_use` ids were found without `tool_result` blocks immediately after: a
provider_bound_items string_above_max_length Invalid 'messages[1].tool_calls[0].id': string too long.
provider_bound_items string_above_max_length Invalid 'messages[2].tool_call_id': string too long.
provider_bound_items invalid_value Invalid 'input[3].id': 'fc_1'. Expected an ID that begins with 'msg'.
provider_bound_items - Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.
provider_bound_items - Unexpected role 'user' after role 'tool'
provider_bound_items - Function call is missing a thought_signature in functionCall parts.
provider_bound_items - The `reasoning_content` in the thinking mode must be passed back to the API.
provider_bound_items - No tool output found for function call call_1.
provider_bound_items - An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.
provider_bound_items - Item 'rs_1' of type 'reasoning' was provided without its required following item.
provider_bound_items invalid_value Invalid 'messages[2]'. Image URLs are only allowed for messages with role 'user', but this message with role 'tool' contains an image URL.
provider_bound_items - invalid params, tool result's tool id(call_1) not found (2013)
rejected - messages.1.content.0.text: Field required
rejected string_above_max_length Invalid 'messages[1].content': string too long.
rejected - Expected `thinking` or `redacted_thinking`
"#;

/// What a model, or an account, does not take.
const OF_MODELS: &str = r#"
unsupported - Unsupported parameter: 'temperature' is not supported with this model.
unsupported - tool_choice: type "tool" and "any" are not supported for this model.
unsupported - Unexpected value(s) `per-turn-control-2026-07-01` for the `anthropic-beta` header. Please consult our documentation.
unsupported - invalid beta flag
unsupported - Model grok-4.20-0309-reasoning does not support parameter reasoningEffort.
unsupported - max_tokens is too large: 99999. This model supports at most 16384 completion tokens.
unsupported - max_tokens: 204096 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5-20250929
unsupported - Invalid max_tokens value, the valid range of max_tokens is [1, 8192]
unsupported - `max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model
unsupported - <400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]
unsupported array_above_max_length Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length 140 instead.
unsupported - "auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set
unsupported - "gemma3" does not support thinking
unsupported - Thinking mode does not support this tool_choice
unsupported - tool_choice 'required' is incompatible with thinking enabled
unsupported - invalid temperature: only 1 is allowed for this model
unsupported - This model only support stream mode, please enable the stream parameter to access the model.
unsupported - <400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set to required or object in thinking mode
unsupported - parameter.enable_thinking must be set to false for non-streaming calls
unsupported - This model doesn't support tool use in streaming mode.
unsupported - json mode cannot be combined with tool/function calling
unsupported - response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later
unsupported - The long context beta is not yet available for this subscription.
unsupported - Schema is too complex for compilation.
unsupported - tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level
unsupported - Thinking may not be enabled when tool_choice forces tool use.
unsupported - Invalid content type. image_url is only supported by certain models.
unsupported - The model is not multimodal. Please remove image inputs.
unsupported - At most 0 image(s) may be provided in one prompt.
unsupported - At most 1 image(s) may be provided in one request.
unsupported - Qwen/Qwen3-0.6B is not a multimodal model None
unsupported - The provided JSON schema contains features not supported by xgrammar.
unsupported - Grammar error: Unknown format: uri
unsupported - Failed to initialize samplers: failed to parse grammar
unsupported - System message must be at the beginning.
unsupported - As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the tokenizer does not define one.
unsupported - Unable to generate parser for this template. Automatic parser generation failed
unsupported - Only a tool_choice of 'auto' is supported for this model.
unsupported - messages.38.content.0.pdf.source.base64.data: A maximum of 100 PDF pages may be provided.
unsupported - too many images and documents: 104 + 1 > 100
unsupported - messages.14.content.1.image.source.base64.data: At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels
unsupported - messages.0.content.0.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes
unsupported - messages.5.content.1.image.source.base64: The image was specified using the image/jpeg media type, but the image appears to be a image/png image
unsupported - This model does not support effort level 'max'. Supported levels: high.
model_unavailable model_not_found The requested model 'm' does not exist.
unauthorized invalid-argument Incorrect API key provided. You can obtain an API key.
"#;

/// Checks a table: in each line the outcome, the code if there is one, and the message.
fn check(table: &str) {
    for line in table.trim().lines() {
        let mut columns = line.splitn(3, ' ');
        let [label, code, message] = std::array::from_fn(|_| columns.next().unwrap());
        let code = code.trim_matches('-');
        let body = serde_json::json!({ "error": { "message": message, "code": code } });
        let outcome = classify(400, None, body.to_string().as_bytes());
        assert_eq!(outcome.label(), label, "{line}");
    }
}

#[test]
fn what_others_have_left_in_a_conversation_is_no_fault_of_the_clients() {
    check(OF_HISTORY);
}

#[test]
fn what_a_model_does_not_take_is_a_fact_about_the_model() {
    check(OF_MODELS);
}
