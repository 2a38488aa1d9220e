//! Where in the blocks of a stream its client is.

use serde_json::Value;

use crate::dialect::conversation::{OpenPart, Place};

/// Notes what an event changes about that.
pub fn look(place: &mut Place, event: &Value) {
    let index = || {
        let index = event["index"].as_u64().unwrap_or(0);
        usize::try_from(index).unwrap_or(usize::MAX)
    };
    match event["type"].as_str().unwrap_or_default() {
        "content_block_start" => {
            place.index = index();
            match event["content_block"]["type"].as_str() {
                Some(kind @ ("text" | "thinking" | "redacted_thinking")) => {
                    place.open = Some(OpenPart {
                        is_thought: kind != "text",
                        is_ready: true,
                        ..OpenPart::default()
                    });
                }
                Some("tool_use") => {}
                _ => place.obstacle = place.obstacle.or(Some("tools")),
            }
        }
        "content_block_stop" => {
            place.index = index().saturating_add(1);
            place.open = None;
        }
        "content_block_delta" => {
            let obstacle = match event["delta"]["type"].as_str() {
                Some("text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta") => {
                    None
                }
                Some("citations_delta") => Some("citations"),
                _ => Some("unknown content"),
            };
            place.obstacle = place.obstacle.or(obstacle);
        }
        // The message as a whole, pings, and what the API may get one day.
        _ => {}
    }
}
