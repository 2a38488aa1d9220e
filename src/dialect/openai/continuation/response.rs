//! Events of a reply, rewritten as the rest of another stream of Responses events.

use serde_json::{Map, Value, json};

use super::limits::Stop;
use super::rest::{NoSeam, Rest, sum};

/// Writes the events that the client gets for an event of the reply, if it gets any.
pub(super) fn rewrite(
    rest: &mut Rest,
    mut event: Map<String, Value>,
    out: &mut Vec<u8>,
) -> Result<(), NoSeam> {
    let kind = event
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    match kind.as_str() {
        "response.output_text.delta" => {
            let piece = event.get("delta").and_then(Value::as_str);
            let text = rest.new_text(piece.unwrap_or_default(), false)?;
            tell_text(rest, &text, out);
            if rest.stopped().is_some() {
                close(rest, out);
            }
        }
        // The reply's text is complete: text that was held back for the seam goes out first.
        "response.output_text.done" => {
            let text = rest.new_text("", true)?;
            tell_text(rest, &text, out);
            event.insert("text".to_owned(), rest.transcript().text.clone().into());
            tell(rest, event, out);
        }
        "response.content_part.done" if is_text(event.get("part")) => {
            event["part"]["text"] = rest.transcript().text.clone().into();
            tell(rest, event, out);
        }
        "response.output_item.done" if is_message(event.get("item")) => {
            name_message(rest, &mut event["item"]);
            tell(rest, event, out);
        }
        "response.completed" | "response.incomplete" => {
            name_response(rest, &mut event);
            tell(rest, event, out);
        }
        // The client has seen the response and its one message. Anything else in the reply is left out.
        _ => {}
    }
    Ok(())
}

fn is_text(part: Option<&Value>) -> bool {
    part.is_some_and(|part| part["type"] == "output_text")
}

fn is_message(item: Option<&Value>) -> bool {
    item.is_some_and(|item| item["type"] == "message")
}

fn tell_text(rest: &mut Rest, text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let mut event = Map::new();
    event.insert("type".to_owned(), "response.output_text.delta".into());
    event.insert("delta".to_owned(), text.into());
    event.insert("logprobs".to_owned(), json!([]));
    event.insert("item_id".to_owned(), Value::Null);
    event.insert("content_index".to_owned(), Value::Null);
    event.insert("output_index".to_owned(), Value::Null);
    tell(rest, event, out);
}

/// Numbers an event, puts it in its place and writes it.
fn tell(rest: &mut Rest, mut event: Map<String, Value>, out: &mut Vec<u8>) {
    let place = &mut rest.transcript().place;
    place.sequence_number += 1;
    event.insert("sequence_number".to_owned(), place.sequence_number.into());
    for (field, value) in [
        ("item_id", place.item_id.clone()),
        ("output_index", place.output_index.into()),
        ("content_index", place.content_index.into()),
    ] {
        if let Some(old) = event.get_mut(field) {
            *old = value;
        }
    }
    let event = Value::Object(event);
    let kind = event["type"].as_str().unwrap_or_default();
    out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
}

fn name_message(rest: &mut Rest, message: &mut Value) {
    let transcript = rest.transcript();
    message["id"] = transcript.place.item_id.clone();
    let parts = message["content"].as_array_mut();
    let texts = parts
        .into_iter()
        .flatten()
        .filter(|part| part["type"] == "output_text");
    for part in texts {
        part["text"] = transcript.text.clone().into();
    }
}

/// The final response: the first one's name, one message, and what both have used.
fn name_response(rest: &mut Rest, event: &mut Map<String, Value>) {
    let Some(response) = event
        .get_mut("response")
        .filter(|response| response.is_object())
    else {
        return;
    };
    let mut output = response["output"].take();
    let messages = output.as_array_mut().into_iter().flatten();
    let message = messages
        .map(Value::take)
        .find(|item| item["type"] == "message");
    let mut message = message.unwrap_or_else(empty_message);
    name_message(rest, &mut message);
    response["output"] = json!([message]);
    if response["usage"].is_object() {
        let transcript = rest.transcript();
        let usage = &mut response["usage"];
        let output = sum(&Value::Null, transcript.tokens, &usage["output_tokens"]);
        let input = usage["input_tokens"].as_u64().unwrap_or(0);
        usage["output_tokens"] = output.into();
        usage["total_tokens"] = (input + output).into();
    }
    for field in ["id", "created_at", "model"] {
        if let Some(value) = rest.transcript().identity.get(field) {
            response[field] = value.clone();
        }
    }
}

fn empty_message() -> Value {
    message_item("", "completed", json!([text_part("")]))
}

/// Ends a response that stops before its upstream does.
fn close(rest: &mut Rest, out: &mut Vec<u8>) {
    let is_cut = rest.stopped() == Some(Stop::Length);
    let status = if is_cut { "incomplete" } else { "completed" };
    let text = rest.transcript().text.clone();
    let place = json!({ "item_id": null, "output_index": null, "content_index": null });
    let event = |kind: &str, fields: Value| {
        let mut event = place.as_object().cloned().unwrap_or_default();
        event.insert("type".to_owned(), kind.into());
        event.extend(fields.as_object().cloned().unwrap_or_default());
        event
    };
    let mut message = empty_message();
    name_message(rest, &mut message);
    message["status"] = status.into();
    let part = message["content"][0].clone();
    let mut response = rest.transcript().identity.clone();
    response.insert("status".to_owned(), status.into());
    response.insert("output".to_owned(), json!([message]));
    if is_cut {
        response.insert(
            "incomplete_details".to_owned(),
            json!({ "reason": "max_output_tokens" }),
        );
    }
    for event in [
        event(
            "response.output_text.done",
            json!({ "text": text, "logprobs": [] }),
        ),
        event("response.content_part.done", json!({ "part": part })),
        event("response.output_item.done", json!({ "item": message })),
    ] {
        tell(rest, event, out);
    }
    let mut last = Map::new();
    last.insert("type".to_owned(), format!("response.{status}").into());
    last.insert("response".to_owned(), Value::Object(response));
    tell(rest, last, out);
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn message_item(id: &str, status: &str, content: Value) -> Value {
    json!({ "id": id, "type": "message", "role": "assistant", "status": status, "content": content })
}
