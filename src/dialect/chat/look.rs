//! What the client of a stream has, beside texts, thoughts and calls.

use serde_json::Value;

use crate::dialect::conversation::Place;
use crate::dialect::conversation::fields::says_something;

/// Notes what of a chunk cannot be gone on with. Chunks have no places.
pub fn look(place: &mut Place, chunk: &Value) {
    for choice in chunk["choices"].as_array().into_iter().flatten() {
        let delta = choice["delta"].as_object();
        let filled = delta
            .into_iter()
            .flatten()
            .filter(|(_, value)| says_something(value));
        let mut obstacle = filled.filter_map(|(field, _)| obstacle(field)).next();
        if choice["index"].as_u64().unwrap_or(0) > 0 {
            obstacle = Some("n");
        } else if says_something(&choice["logprobs"]) {
            obstacle = Some("logprobs");
        }
        place.obstacle = place.obstacle.or(obstacle);
    }
}

fn obstacle(field: &str) -> Option<&'static str> {
    match field {
        "role" | "content" | "refusal" | "tool_calls" | "function_call" => None,
        "audio" => Some("audio"),
        "annotations" => Some("citations"),
        field if field.starts_with("reasoning") || field.starts_with("thinking") => None,
        _ => Some("unknown content"),
    }
}
