//! An estimate of a message's token count, marked as one, for when no upstream counts tokens.

use serde_json::Value;

use super::reject::Rejection;
use super::respond::Own;
use crate::wire::json;
use crate::wire::memory::Memory;
use crate::wire::offload;

/// "Approximately 3.5 English characters" (Anthropic's glossary); 2 of 7 in whole numbers.
const TOKENS_PER_7_LETTERS: usize = 2;
/// The most tokens that an image costs; larger images are scaled down (Anthropic's documentation of vision).
const IMAGE: usize = 1_600;
/// The tokens of a PDF page: its text and its image (Anthropic's documentation of PDF support: 1,500 to 3,000 for the
/// text).
const PAGE: usize = 3_000;
/// The assumed size of a page in base64.
const PAGE_BYTES: usize = 100_000;
/// The overhead of a message or of a tool's description.
const FRAME: usize = 4;

/// The response to a token count request that no upstream has answered.
pub(super) async fn estimated(body: &[u8], memory: &Memory) -> Result<Own, Rejection> {
    let estimate = || {
        let _share = json::reserve(1, body, memory)?;
        let mended = json::mended(body);
        let body = mended.as_deref().unwrap_or(body);
        match serde_json::from_slice(body) {
            Ok(body) => Ok(of_request(&body)),
            Err(error) => {
                Err(json::fault(body).map_or(Rejection::NotJson(error), Rejection::Untranslatable))
            }
        }
    };
    offload::run(body.len(), estimate).await
}

fn of_request(body: &Value) -> Own {
    let parts = ["system", "messages", "tools"];
    let tokens: usize = parts.iter().map(|part| of(&body[part])).sum();
    Own {
        json: serde_json::json!({ "input_tokens": tokens.max(1) }),
        note: Some(("x-backstop-estimated", "input_tokens".to_owned())),
    }
}

fn of(value: &Value) -> usize {
    match value {
        Value::String(text) => of_text(text),
        Value::Array(list) => list.iter().map(of).sum(),
        Value::Object(fields) => match value["type"].as_str() {
            Some("image") => IMAGE,
            Some("document") => of_document(&value["source"]),
            Some("text") => of(&value["text"]),
            Some("tool_use") => of_text(&value["input"].to_string()) + of(&value["name"]) + FRAME,
            Some("tool_result") => of(&value["content"]) + FRAME,
            _ if fields.contains_key("role") => of(&value["content"]) + FRAME,
            _ if fields.contains_key("input_schema") => of_text(&value.to_string()) + FRAME,
            _ => fields.values().map(of).sum(),
        },
        _ => 0,
    }
}

/// A document in plain text or in blocks counts as they do, any other one by its pages.
fn of_document(source: &Value) -> usize {
    match source["type"].as_str() {
        Some("text") => of(&source["data"]),
        Some("content") => of(&source["content"]),
        _ => (source["data"].as_str().map_or(0, str::len) / PAGE_BYTES + 1) * PAGE,
    }
}

/// Letters beyond ASCII, Chinese ones above all, cost about one token each.
fn of_text(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let others = text.chars().filter(|letter| !letter.is_ascii()).count();
    (ascii * TOKENS_PER_7_LETTERS).div_ceil(7) + others
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::of_request;

    fn tokens(body: &Value) -> u64 {
        let own = of_request(body);
        own.json["input_tokens"].as_u64().unwrap()
    }

    fn message(content: &Value) -> Value {
        json!({"model": "claude", "messages": [{"role": "user", "content": content}]})
    }

    #[test]
    fn text_counts_by_its_letters() {
        let english = "the quick brown fox jumps over the lazy dog ".repeat(100);
        assert_eq!(tokens(&message(&json!(english))), 4400 * 2 / 7 + 1 + 4);
        assert_eq!(tokens(&message(&json!("数".repeat(100)))), 104);
        let blocks =
            json!([{"type": "text", "text": english, "cache_control": {"type": "ephemeral"}}]);
        assert_eq!(tokens(&message(&blocks)), tokens(&message(&json!(english))));
    }

    #[test]
    fn an_image_counts_the_same_however_large_its_data() {
        let image = |data: &str| {
            let source = json!({"type": "base64", "media_type": "image/png", "data": data});
            tokens(&message(&json!([{"type": "image", "source": source}])))
        };
        assert_eq!(image("AAAA"), image(&"A".repeat(1_000_000)));
        assert_eq!(image("AAAA"), 1_604);
    }

    #[test]
    fn system_tools_and_their_calls_count_too() {
        let bare = tokens(&message(&json!("hi")));
        let mut body = message(&json!("hi"));
        body["system"] = json!([{"type": "text", "text": "You are terse."}]);
        let with_system = tokens(&body);
        assert!(with_system > bare);
        body["tools"] = json!([{"name": "look", "description": "Looks something up.",
            "input_schema": {"type": "object", "properties": {"what": {"type": "string"}}}}]);
        assert!(tokens(&body) > with_system + 20);
        let call =
            json!([{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"what": "x"}}]);
        assert!(tokens(&message(&call)) > 5);
        assert_eq!(tokens(&json!({})), 1);
    }

    /// Names and arguments of calls, results and descriptions of tools, but no ids: a model does not read them.
    #[test]
    fn calls_results_and_tools_count_by_what_the_model_reads() {
        let block = |block: Value| tokens(&message(&json!([block]))) - 4;
        let (two, four) = ("a".repeat(7), json!({"x": "a".repeat(6)}));
        let call = json!({"type": "tool_use", "id": "toolu_0", "name": two, "input": four});
        assert_eq!(block(call), 2 + 4 + 4);
        let result = json!({"type": "tool_result", "tool_use_id": "toolu_0", "content": two});
        assert_eq!(block(result), 2 + 4);
        let page = json!({"type": "base64", "data": "A".repeat(250_000)});
        assert_eq!(block(json!({"type": "document", "source": page})), 9_000);
        let plain = json!({"type": "text", "media_type": "text/plain", "data": two});
        assert_eq!(block(json!({"type": "document", "source": plain})), 2);
        let blocks = json!({"type": "content", "content": [{"type": "text", "text": two}]});
        assert_eq!(block(json!({"type": "document", "source": blocks})), 2);
        // A block of another type: all its values.
        assert_eq!(block(json!({"type": two, "other": two})), 2 + 2);
        // A tool counts as it is written.
        let tools = json!({"tools": [{"name": two, "input_schema": {}}]});
        assert_eq!(tools["tools"][0].to_string().len(), 36);
        assert_eq!(tokens(&tools), 11 + 4);
    }
}
