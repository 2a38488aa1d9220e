//! Marks of where a prompt that is to be cached ends.

use serde_json::{Map, Value, json};

/// `OpenAI`'s mark (`prompt_cache_breakpoint`) in Anthropic's words (`cache_control`), whose caches last for five minutes or
/// for an hour; `None`: there is no mark.
pub fn cache_mark(breakpoint: &Map<String, Value>) -> Option<Value> {
    if breakpoint.is_empty() {
        return None;
    }
    Some(ephemeral(
        breakpoint.get("ttl").is_some_and(|ttl| ttl == "12h"),
    ))
}

/// Anthropic's mark, for five minutes or for an hour: there is nothing between.
pub fn ephemeral(for_an_hour: bool) -> Value {
    match for_an_hour {
        true => json!({ "type": "ephemeral", "ttl": "1h" }),
        false => json!({ "type": "ephemeral" }),
    }
}
