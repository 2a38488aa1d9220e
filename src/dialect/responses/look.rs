//! Where in the items of a stream its client is.

use serde_json::Value;

use crate::dialect::conversation::{OpenPart, Place};

/// Notes what an event changes about that.
pub fn look(place: &mut Place, event: &Value) {
    if let Some(number) = event["sequence_number"].as_u64() {
        place.number = number.saturating_add(1);
    }
    let kind = event["type"].as_str().unwrap_or_default();
    let obstacle = match kind.strip_prefix("response.").unwrap_or(kind) {
        "output_item.added" => begin(place, event),
        "output_item.done" => {
            place.output.push(event["item"].clone());
            place.index = index_of(event).saturating_add(1);
            place.open = None;
            None
        }
        "content_part.added" if event["part"]["type"] == "output_text" => {
            say(place, event);
            None
        }
        "content_part.added" if event["part"]["type"] == "refusal" => Some("refusal"),
        "reasoning_summary_part.added" | "output_text.delta" | "reasoning_summary_text.delta" => {
            say(place, event);
            None
        }
        "output_text.done" | "reasoning_summary_text.done" => {
            leave(place, None);
            None
        }
        "content_part.done" | "reasoning_summary_part.done" => {
            leave(place, Some(&event["part"]));
            None
        }
        "output_text.annotation.added" => Some("citations"),
        "refusal.delta" => Some("refusal"),
        kind if is_known(kind) => None,
        _ => Some("unknown content"),
    };
    place.obstacle = place.obstacle.or(obstacle);
}

/// Whether such events change nothing here: those about the whole response, about calls, and about reasoning that is not
/// summarised.
fn is_known(kind: &str) -> bool {
    let (what, _) = kind.rsplit_once('.').unwrap_or_default();
    match kind {
        "created" | "queued" | "in_progress" | "completed" | "incomplete" => true,
        "keepalive" | "ping" | "content_part.added" => true,
        _ => matches!(
            what,
            "function_call_arguments" | "custom_tool_call_input" | "reasoning_text"
        ),
    }
}

fn begin(place: &mut Place, event: &Value) -> Option<&'static str> {
    place.index = index_of(event);
    let is_thought = match event["item"]["type"].as_str() {
        Some("message") => false,
        Some("reasoning") => true,
        Some("function_call" | "custom_tool_call") => return None,
        _ => return Some("tools"),
    };
    place.open = Some(OpenPart {
        id: text_of(&event["item"]["id"]),
        is_thought,
        ..OpenPart::default()
    });
    None
}

/// A part begins, or there is more of it; some copies of the API announce none.
fn say(place: &mut Place, event: &Value) {
    let open = place.open.get_or_insert_with(|| OpenPart {
        id: text_of(&event["item_id"]),
        is_thought: event["summary_index"].is_u64(),
        ..OpenPart::default()
    });
    open.is_ready = true;
    open.text += event["delta"].as_str().unwrap_or_default();
}

/// The text of a part is complete, or all of it.
fn leave(place: &mut Place, part: Option<&Value>) {
    let Some(open) = &mut place.open else { return };
    open.is_ready = false;
    if let Some(part) = part {
        open.parts.push(part.clone());
        open.text.clear();
    }
}

fn index_of(event: &Value) -> usize {
    let index = event["output_index"].as_u64().unwrap_or(0);
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
