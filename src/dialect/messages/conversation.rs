//! The conversation: the system prompt, messages and their blocks, tool calls and their results.

use serde_json::{Value, json};

use crate::dialect::anthropic::is_thought;
use crate::dialect::instruct::instruct;
use crate::dialect::names::Names;

/// Claude Code puts a line in front that is meant for Anthropic's accounting, and would spoil the caches of others.
const BILLING: &str = "x-anthropic-billing-header";

/// The feature of a message that a chat does not have.
pub(super) fn unsupported_message(message: &Value) -> Option<&'static str> {
    let blocks = message["content"].as_array().into_iter().flatten();
    blocks.filter_map(unsupported_block).next()
}

fn unsupported_block(block: &Value) -> Option<&'static str> {
    match block["type"].as_str() {
        _ if block["source"]["type"] == "file" => Some("file_id"),
        Some("tool_result") => unsupported_message(block),
        Some("document") if block["source"]["type"] == "url" => Some("documents by URL"),
        // Its images would have to stand within its text.
        Some("document") if block["source"]["type"] == "content" => {
            let mut parts = block["source"]["content"].as_array().into_iter().flatten();
            parts
                .any(|part| part["type"] != "text")
                .then_some("images in documents")
        }
        Some("text" | "tool_use" | "thinking" | "redacted_thinking" | "search_result") => None,
        Some("image" | "document") => None,
        // Only the provider can describe what its hosted tool has done.
        _ => Some("content of this kind"),
    }
}

/// Whether there is reasoning, which is not translated.
pub(super) fn has_thoughts(body: &Value) -> bool {
    let messages = body["messages"].as_array().into_iter().flatten();
    let mut blocks =
        messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
    blocks.any(is_thought)
}

/// The messages of a chat, the system prompt first. `more`: further system messages.
pub(super) fn messages(body: &Value, more: &[String], names: &mut Names) -> Vec<Value> {
    let mut messages = Vec::new();
    for text in std::iter::once(&system(&body["system"])).chain(more) {
        if !text.is_empty() {
            instruct(text, &mut messages);
        }
    }
    let turns = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    // Anthropic merges consecutive messages of the assistant; in a chat the results of calls must follow them
    // directly.
    let is_answer = |turn: &Value| turn["role"] == "assistant";
    for turns in turns.chunk_by(|turn, next| is_answer(turn) && is_answer(next)) {
        let blocks: Vec<Value> = turns.iter().flat_map(blocks_of).collect();
        match turns[0]["role"].as_str() {
            Some("assistant") => messages.extend(answer(&blocks, names)),
            Some("system") => instruct(&text_of(&turns[0]["content"], "\n\n"), &mut messages),
            _ => question(&blocks, &mut messages),
        }
    }
    messages
}

fn blocks_of(turn: &Value) -> Vec<Value> {
    match &turn["content"] {
        Value::Array(blocks) => blocks.clone(),
        text => vec![json!({ "type": "text", "text": text })],
    }
}

fn system(content: &Value) -> String {
    match content {
        Value::Array(blocks) => {
            let is_meant = |block: &&Value| {
                let text = block["text"].as_str();
                text.is_some_and(|text| !text.starts_with(BILLING))
            };
            let blocks: Vec<Value> = blocks.iter().filter(is_meant).cloned().collect();
            text_of(&blocks.into(), "\n\n")
        }
        other => text_of(other, "\n\n"),
    }
}

/// The text of a content, its parts joined.
fn text_of(content: &Value, by: &str) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<String> = blocks.iter().filter_map(text_in).collect();
            texts.join(by)
        }
        _ => String::new(),
    }
}

/// The text of a block that can be expressed as text.
fn text_in(block: &Value) -> Option<String> {
    match block["type"].as_str()? {
        "text" => Some(block["text"].as_str()?.to_owned()),
        "search_result" => {
            let (title, source) = (block["title"].as_str(), block["source"].as_str());
            let title = title.unwrap_or_default();
            let source = source.unwrap_or_default();
            let text = text_of(&block["content"], "\n");
            Some(format!("{title} ({source})\n{text}"))
        }
        "document" => {
            let text = match block["source"]["type"].as_str()? {
                "text" => block["source"]["data"].as_str()?.to_owned(),
                "content" => text_of(&block["source"]["content"], "\n"),
                _ => return None,
            };
            let about = [block["title"].as_str(), block["context"].as_str()];
            let about = about.into_iter().flatten().map(str::to_owned);
            Some(about.chain([text]).collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}

/// `None`: it has nothing but reasoning, which is not translated.
fn answer(blocks: &[Value], names: &mut Names) -> Option<Value> {
    let texts = blocks.iter().filter_map(|block| block["text"].as_str());
    let text: String = texts.collect();
    let calls: Vec<Value> = blocks
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| {
            let name = names.send(block["name"].as_str().unwrap_or_default());
            let function = json!({ "name": name, "arguments": block["input"].to_string() });
            json!({ "id": block["id"], "type": "function", "function": function })
        })
        .collect();
    match (text.is_empty(), calls.is_empty()) {
        (true, true) => None,
        (false, true) => Some(json!({ "role": "assistant", "content": text })),
        (true, false) => Some(json!({ "role": "assistant", "content": null, "tool_calls": calls })),
        (false, false) => {
            Some(json!({ "role": "assistant", "content": text, "tool_calls": calls }))
        }
    }
}

/// A user's message: tool results become messages of their own, and come first.
fn question(blocks: &[Value], messages: &mut Vec<Value>) {
    for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
        let mut content = text_of(&block["content"], "\n");
        if block["is_error"] == true {
            content = format!("Error: {content}");
        }
        messages.push(
            json!({ "role": "tool", "tool_call_id": block["tool_use_id"], "content": content }),
        );
    }
    // In a chat, images and files of a tool result must be in a user's message.
    let shown = blocks.iter().filter(|block| block["type"] == "tool_result");
    let shown = shown.flat_map(|block| block["content"].as_array().into_iter().flatten());
    let shown = shown.filter(|block| text_in(block).is_none());
    let others = blocks.iter().filter(|block| block["type"] != "tool_result");
    let parts: Vec<Value> = shown.chain(others).filter_map(part).collect();
    let is_text = |part: &Value| part["type"] == "text";
    if parts.iter().all(is_text) {
        let texts: Vec<&str> = parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect();
        if !texts.is_empty() {
            messages.push(json!({ "role": "user", "content": texts.join("\n\n") }));
        }
    } else {
        messages.push(json!({ "role": "user", "content": parts }));
    }
}

fn part(block: &Value) -> Option<Value> {
    if let Some(text) = text_in(block) {
        return Some(json!({ "type": "text", "text": text }));
    }
    match block["type"].as_str()? {
        "image" => {
            let url = url_of(&block["source"])?;
            Some(json!({ "type": "image_url", "image_url": { "url": url } }))
        }
        "document" => {
            let name = block["title"].as_str().unwrap_or("document.pdf");
            let file = json!({ "filename": name, "file_data": url_of(&block["source"])? });
            Some(json!({ "type": "file", "file": file }))
        }
        _ => None,
    }
}

fn url_of(source: &Value) -> Option<String> {
    match source["type"].as_str()? {
        "base64" => {
            let (media, data) = (source["media_type"].as_str()?, source["data"].as_str()?);
            Some(format!("data:{media};base64,{data}"))
        }
        _ => Some(source["url"].as_str()?.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::messages;
    use crate::dialect::names::Names;

    #[test]
    fn turns_of_the_assistant_in_a_row_are_one() {
        let turn = |role: &str, blocks: Value| json!({"role": role, "content": blocks});
        let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
        let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": id});
        let body = json!({"messages": [
            turn("user", json!("hi")),
            turn("user", json!("there")),
            turn("assistant", json!("Let me ")),
            turn("assistant", json!([{"type": "text", "text": "see."}, call("a")])),
            turn("assistant", json!([call("b")])),
            turn("user", json!([result("a"), result("b")])),
            turn("assistant", json!("Done.")),
        ]});
        let called = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
        assert_eq!(
            messages(&body, &[], &mut Names::up_to(64)),
            [
                turn("user", json!("hi")),
                turn("user", json!("there")),
                json!({"role": "assistant", "content": "Let me see.", "tool_calls": [called("a"), called("b")]}),
                json!({"role": "tool", "tool_call_id": "a", "content": "a"}),
                json!({"role": "tool", "tool_call_id": "b", "content": "b"}),
                turn("assistant", json!("Done.")),
            ]
        );
    }
}
