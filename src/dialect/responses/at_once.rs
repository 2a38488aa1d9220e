//! A whole response as the events of a stream, for a client that asked for one.

use serde_json::{Value, json};

use super::numbered::Numbered;

/// The lists of an item, how the events call the number of a part in each, and how those about a part are called.
const LISTS: [(&str, &str, &str); 2] = [
    (
        "summary",
        "summary_index",
        "response.reasoning_summary_part",
    ),
    ("content", "content_index", "response.content_part"),
];
/// The kinds of parts, the field with the text of each, and how its events are called.
const TEXTS: [(&str, &str, &str); 4] = [
    ("summary_text", "text", "response.reasoning_summary_text"),
    ("reasoning_text", "text", "response.reasoning_text"),
    ("output_text", "text", "response.output_text"),
    ("refusal", "refusal", "response.refusal"),
];
/// The kinds of calls, the field with the input of each, and how its events are called.
const CALLS: [(&str, &str, &str); 2] = [
    (
        "function_call",
        "arguments",
        "response.function_call_arguments",
    ),
    (
        "custom_tool_call",
        "input",
        "response.custom_tool_call_input",
    ),
];

/// The events. Whatever stands beside what is said is kept as it is. `None`: it is no response that has ended.
pub fn as_events(response: &[u8]) -> Option<Vec<u8>> {
    let whole: Value = serde_json::from_slice(response).ok()?;
    let items = whole["output"].as_array()?;
    let end = match whole["status"].as_str() {
        Some("completed") | None => "response.completed",
        Some("incomplete") => "response.incomplete",
        Some(_) => return None,
    };
    let mut begun = whole.clone();
    begun["status"] = "in_progress".into();
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let (mut numbered, mut out) = (Numbered::default(), Vec::new());
    for kind in ["response.created", "response.in_progress"] {
        numbered.tell(kind, &json!({ "response": begun }), &mut out);
    }
    for (index, item) in items.iter().enumerate() {
        numbered.tell_item(
            "response.output_item.added",
            index,
            &begun_item(item),
            &mut out,
        );
        let place = json!({ "item_id": item["id"], "output_index": index });
        tell_parts(item, &place, &mut numbered, &mut out);
        tell_call(item, &place, &mut numbered, &mut out);
        numbered.tell_item("response.output_item.done", index, item, &mut out);
    }
    numbered.tell(end, &json!({ "response": whole }), &mut out);
    Some(out)
}

/// An item without what comes behind its beginning.
fn begun_item(item: &Value) -> Value {
    let mut begun = item.clone();
    let call = CALLS.iter().find(|call| item["type"] == call.0);
    let lists = ["content", "summary"].map(|name| (name, json!([])));
    let input = call.map(|call| (call.1, json!("")));
    let status = ("status", json!("in_progress"));
    for (name, empty) in lists.into_iter().chain(input).chain([status]) {
        if item[name].is_array() || item[name].is_string() {
            begun[name] = empty;
        }
    }
    begun
}

fn tell_parts(item: &Value, place: &Value, numbered: &mut Numbered, out: &mut Vec<u8>) {
    for (list, number, events) in LISTS {
        let parts = item[list].as_array().into_iter().flatten();
        for (index, part) in parts.enumerate() {
            let place = with(place, number, &index.into());
            let mut added = part.clone();
            let text = TEXTS.iter().find(|text| part["type"] == text.0);
            let text = text.filter(|text| part[text.1].is_string());
            if let Some((_, field, _)) = text {
                added[*field] = "".into();
            }
            if part["annotations"].is_array() {
                added["annotations"] = json!([]);
            }
            let added = with(&place, "part", &added);
            numbered.tell(&format!("{events}.added"), &added, out);
            if let Some((_, field, events)) = text {
                tell_text(part, (field, events), &place, numbered, out);
            }
            let done = with(&place, "part", part);
            numbered.tell(&format!("{events}.done"), &done, out);
        }
    }
}

fn tell_text(
    part: &Value,
    (field, events): (&str, &str),
    place: &Value,
    numbered: &mut Numbered,
    out: &mut Vec<u8>,
) {
    let mut of_text = place.clone();
    if part["type"] == "output_text" {
        of_text["logprobs"] = json!([]);
    }
    let delta = with(&of_text, "delta", &part[field]);
    numbered.tell(&format!("{events}.delta"), &delta, out);
    let annotations = part["annotations"].as_array().into_iter().flatten();
    for (index, annotation) in annotations.enumerate() {
        let mut added = with(place, "annotation", annotation);
        added["annotation_index"] = index.into();
        numbered.tell("response.output_text.annotation.added", &added, out);
    }
    let done = with(&of_text, field, &part[field]);
    numbered.tell(&format!("{events}.done"), &done, out);
}

fn tell_call(item: &Value, place: &Value, numbered: &mut Numbered, out: &mut Vec<u8>) {
    let call = CALLS.iter().find(|call| item["type"] == call.0);
    let Some((_, field, events)) = call.filter(|call| item[call.1].is_string()) else {
        return;
    };
    let delta = with(place, "delta", &item[field]);
    numbered.tell(&format!("{events}.delta"), &delta, out);
    let mut done = with(place, field, &item[field]);
    if *field == "arguments" {
        done["name"] = item["name"].clone();
    }
    numbered.tell(&format!("{events}.done"), &done, out);
}

/// These fields and this one.
fn with(fields: &Value, name: &str, value: &Value) -> Value {
    let mut fields = fields.clone();
    fields[name] = value.clone();
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::as_events;
    use crate::wire::sse;

    fn whole() -> Value {
        json!({ "id": "r", "object": "response", "status": "completed", "model": "m", "usage": { "total_tokens": 5 },
            "output": [
                { "type": "reasoning", "id": "a", "summary": [{ "type": "summary_text", "text": "hm" }], "encrypted_content": "x" },
                { "type": "message", "id": "b", "role": "assistant", "status": "completed", "content": [
                    { "type": "output_text", "text": "Hi", "annotations": [{ "url": "u" }], "logprobs": [] },
                    { "type": "refusal", "refusal": "no" }] },
                { "type": "function_call", "id": "c", "call_id": "d", "name": "f", "arguments": "{}", "status": "completed" },
                { "type": "web_search_call", "id": "e", "action": { "query": "q" } },
            ] })
    }

    fn events(response: &Value) -> Vec<Value> {
        let events = as_events(response.to_string().as_bytes()).unwrap();
        let data = sse::events(&events).filter_map(|event| event.data);
        data.map(|data| serde_json::from_slice(&data).unwrap())
            .collect()
    }

    /// SDKs append parts in their order, and texts to texts.
    #[test]
    fn parts_come_in_their_order_whatever_they_are_and_what_is_no_text_is_not_added_to_one() {
        let content = json!([{ "type": "refusal", "refusal": "no" }, { "type": "hologram", "x": 1 },
            { "type": "output_text", "text": "Hi" }, { "type": "output_text", "text": null }]);
        let output = json!([{ "type": "message", "id": "a", "content": content },
            { "type": "function_call", "id": "b", "name": "f", "arguments": null }]);
        let events = events(&json!({ "output": output }));
        let places = all(&events, "response.content_part.added", "content_index");
        assert_eq!(json!(places), json!([0, 1, 2, 3]));
        let parts = all(&events, "response.content_part.done", "part");
        assert_eq!(json!(parts), content);
        let deltas: Vec<&Value> = events
            .iter()
            .filter_map(|event| event.get("delta"))
            .collect();
        assert_eq!(json!(deltas), json!(["no", "Hi"]));
    }

    /// What stands in this field of all events of this type.
    fn all<'a>(events: &'a [Value], kind: &str, field: &str) -> Vec<&'a Value> {
        let its = events.iter().filter(|event| event["type"] == kind);
        its.map(|event| &event[field]).collect()
    }

    #[test]
    fn nothing_of_a_whole_response_is_lost_in_its_events() {
        let (whole, events) = (whole(), events(&whole()));
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], number, "{event}");
        }
        let begun = &events[0]["response"];
        assert_eq!(
            json!([begun["id"], begun["status"], begun["output"]]),
            json!(["r", "in_progress", []])
        );
        let done = all(&events, "response.output_item.done", "item");
        assert_eq!(json!(done), whole["output"]);
        let added = all(&events, "response.output_item.added", "item");
        let first = json!([added[0]["summary"], added[0]["encrypted_content"]]);
        assert_eq!(first, json!([[], "x"]));
        let second = json!([added[1]["content"], added[1]["status"]]);
        assert_eq!(second, json!([[], "in_progress"]));
        let third = json!([added[2]["arguments"], added[2]["name"]]);
        assert_eq!(third, json!(["", "f"]));
        assert_eq!(events.last().unwrap()["response"], whole);
    }

    #[test]
    fn each_text_comes_as_an_addition_and_as_a_whole() {
        let events = events(&whole());
        for (kind, field, texts) in [
            ("response.reasoning_summary_text", "text", json!(["hm"])),
            ("response.output_text", "text", json!(["Hi"])),
            ("response.refusal", "refusal", json!(["no"])),
            (
                "response.function_call_arguments",
                "arguments",
                json!(["{}"]),
            ),
        ] {
            let deltas = all(&events, &format!("{kind}.delta"), "delta");
            let done = all(&events, &format!("{kind}.done"), field);
            assert_eq!(
                (json!(deltas), json!(done)),
                (texts.clone(), texts),
                "{kind}"
            );
        }
        let names = all(&events, "response.function_call_arguments.done", "name");
        assert_eq!(json!(names), json!(["f"]));
        let sources = "response.output_text.annotation.added";
        let sources = all(&events, sources, "annotation");
        assert_eq!(json!(sources), json!([{ "url": "u" }]));
        let places = all(&events, "response.refusal.done", "content_index");
        assert_eq!(json!(places), json!([1]));
        let parts = all(&events, "response.content_part.done", "part");
        assert_eq!(json!(parts), whole()["output"][1]["content"]);
    }

    #[test]
    fn what_has_not_ended_has_no_events() {
        for other in ["{}", r#"{"output":[],"status":"queued"}"#, "x"] {
            assert_eq!(as_events(other.as_bytes()), None, "{other}");
        }
        let cut = as_events(br#"{"output":[],"status":"incomplete"}"#).unwrap();
        assert!(
            String::from_utf8(cut)
                .unwrap()
                .contains("event: response.incomplete\n")
        );
    }
}
