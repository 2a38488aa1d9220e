//! The events of a streamed answer, before faults are injected.

use serde_json::Value;

/// The events of one streamed answer, in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The events before the first content.
    pub(super) opening: Vec<String>,
    /// One event per content token.
    pub(super) tokens: Vec<String>,
    /// The finish reason and the events after it.
    pub(super) closing: Vec<String>,
    /// `[DONE]`, if the API has it.
    pub(super) done: Vec<String>,
    /// The events if the answer fails midway.
    pub(super) failure: Vec<String>,
    /// The whole stream of an answer without content.
    pub(super) empty_answer: Vec<String>,
}

/// An event that has only data.
pub(super) fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// An event whose name is the `type` of its data.
pub(super) fn named(value: &Value) -> String {
    let name = value["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {value}\n\n")
}

/// Splits a text into words, each with the space before it; joined, they are the text.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (position, letter) in text.char_indices() {
        if letter.is_whitespace() && in_word {
            tokens.push(&text[start..position]);
            start = position;
        }
        in_word = !letter.is_whitespace();
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

/// The last event of a chat or completion stream.
pub(super) const DONE: &str = "data: [DONE]\n\n";
