//! Marks of where a prompt that is to be cached ends.

use serde_json::{Map, Value, json};

/// `OpenAI`'s mark (`prompt_cache_breakpoint`) in Anthropic's words (`cache_control`), whose caches last for five minutes or
/// for an hour; `None`: there is no mark.
pub fn cache_mark(breakpoint: &Map<String, Value>) -> Option<Value> {
    if breakpoint.is_empty() {
        return None;
    }
    let ttl = breakpoint.get("ttl").and_then(Value::as_str);
    Some(match ttl {
        Some("12h") => json!({ "type": "ephemeral", "ttl": "1h" }),
        _ => json!({ "type": "ephemeral" }),
    })
}
