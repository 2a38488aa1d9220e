//! Continuing a prefill, or not.

use serde_json::Value;

use crate::simulator::Continuing;

/// What remains of a text for an upstream with this habit and this request.
pub(super) fn rest(body: &Value, text: String, habit: Continuing) -> String {
    let rest = match habit {
        Continuing::Never => None,
        Continuing::Exactly => prefill_end(body, &text).map(|prefill| text[prefill..].to_owned()),
        Continuing::WithEcho => None,
        Continuing::OnInstruction => wanted_words(body).and_then(|words| {
            let place = text.find(&words)?;
            Some(text[place..].to_owned())
        }),
        Continuing::Unrelated => {
            let is_asked =
                last_message(body, "assistant").is_some() || wanted_words(body).is_some();
            is_asked.then(|| "I would rather talk about something else.".to_owned())
        }
    };
    rest.unwrap_or(text)
}

/// How much of the text is in the request.
fn prefill_end(body: &Value, text: &str) -> Option<usize> {
    if let Some(prompt) = body["prompt"].as_str() {
        let cuts = text.char_indices().map(|(cut, _)| cut);
        return cuts.rev().find(|cut| prompt.ends_with(&text[..*cut]));
    }
    let prefill = last_message(body, "assistant")?;
    text.starts_with(&prefill).then_some(prefill.len())
}

/// The words behind "Its last words are: " at the end of the last message.
fn wanted_words(body: &Value) -> Option<String> {
    let prompt = last_message(body, "user")?;
    prompt
        .rsplit_once("Its last words are: ")
        .map(|(_, words)| words.to_owned())
}

fn last_message(body: &Value, role: &str) -> Option<String> {
    let lists = [&body["messages"], &body["input"]];
    let messages = lists.iter().find_map(|list| list.as_array())?;
    let last = messages.last().filter(|last| last["role"] == role)?;
    match &last["content"] {
        Value::String(text) => Some(text.clone()),
        // Anthropic's blocks.
        Value::Array(blocks) => {
            let texts = blocks.iter().filter_map(|block| block["text"].as_str());
            Some(texts.collect())
        }
        _ => None,
    }
}
