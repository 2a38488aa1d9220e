//! Refusals that are about what was said before: another provider may have left it there.

use super::fields::ErrorFields;

/// Fields that hold what was said before, with a place in them: `messages[3]`, `input.0`.
const LISTS: [&str; 4] = ["messages", "input", "contents", "message"];

/// What may be wrong with a history although the client has kept it as it was: ids, reasoning, signatures, calls and their
/// results, the order of roles.
const SUBJECTS: [&str; 16] = [
    ".id",
    "_id",
    " id ",
    "thinking",
    "reasoning",
    "thought",
    "signature",
    "encrypted",
    "redacted",
    "tool_call",
    "tool_use",
    "tool_result",
    "tool call",
    "function call",
    "function_call",
    "arguments",
];

/// Words that say the same without a place.
const WORDS: [&str; 32] = [
    // OpenAI
    "only allowed for messages with role 'user'",
    "expected an id that begins with",
    "must be followed by tool messages",
    "must be a response to a preceding message",
    "no tool output found for",
    "no tool call found for",
    "without its required following item",
    "without its required 'reasoning' item",
    "could not be decrypted",
    "encrypted content",
    // Anthropic
    "`tool_use` ids",
    "`tool_result` block",
    "`thinking` block",
    "thinking blocks in the latest assistant message",
    // Bedrock
    "toolresult blocks",
    "tooluse blocks",
    // Mistral
    "tool call id was",
    "unexpected role",
    "not the same number of function calls and responses",
    // Gemini
    "thought_signature",
    "thought signature",
    "function response parts",
    "function call turn",
    // DeepSeek, Moonshot
    "reasoning_content",
    "tool_call_id",
    // chat templates
    "roles must alternate",
    "conversation roles",
    // vLLM, MiniMax, llama.cpp: arguments that are no JSON
    "tool call arguments",
    "function arguments",
    "tool result's tool id",
    "unterminated string",
    "expecting value: line",
];

/// Whether a refusal is about what was said before, so that it may help to clear that of what only its provider can read.
pub(super) fn points_into_history(error: &ErrorFields) -> bool {
    if error.behind.as_deref().is_some_and(points_into_history) {
        return true;
    }
    let texts = [error.words(), error.param()];
    let has_place = texts.iter().any(|text| has_place(text));
    let has_subject = || {
        let mut subjects = SUBJECTS.iter();
        subjects.any(|subject| texts.iter().any(|text| text.contains(subject)))
    };
    has_place && has_subject() || WORDS.iter().any(|words| error.words().contains(words))
}

fn has_place(text: &str) -> bool {
    LISTS.iter().any(|list| {
        text.match_indices(list).any(|(at, _)| {
            let rest = &text[at + list.len()..];
            let number = rest.strip_prefix(['[', '.']);
            number.is_some_and(|number| number.starts_with(|letter: char| letter.is_ascii_digit()))
        })
    })
}
