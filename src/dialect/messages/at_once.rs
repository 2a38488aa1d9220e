//! A whole message as the events of a stream, for a client that asked for one.

use serde_json::{Value, json};

use super::write_stream::tell;

/// The texts of a block: the field, and the type of the events that bring it.
const TEXTS: [(&str, &str); 3] = [
    ("text", "text_delta"),
    ("thinking", "thinking_delta"),
    ("signature", "signature_delta"),
];

/// What of a message is known only at its end: SDKs take it from there, and null where it is missing.
const ENDS: [&str; 4] = ["stop_reason", "stop_sequence", "stop_details", "container"];

/// The events. Whatever stands beside what is said is kept as it is. `None`: it is no message.
pub fn as_events(message: &[u8]) -> Option<Vec<u8>> {
    let mut message: Value = serde_json::from_slice(message).ok()?;
    let fields = message.as_object_mut()?;
    let Value::Array(blocks) = fields.insert("content".into(), json!([]))? else {
        return None;
    };
    let mut end = json!({});
    for name in ENDS {
        end[name] = fields.insert(name.into(), Value::Null).unwrap_or_default();
    }
    // SDKs look into it, also where the upstream says nothing.
    let mut usage = json!({ "input_tokens": 0, "output_tokens": 0 });
    if let (Some(all), Some(Value::Object(said))) = (usage.as_object_mut(), fields.remove("usage"))
    {
        all.extend(said);
    }
    let mut begun = usage.clone();
    begun["output_tokens"] = 0.into();
    fields.insert("usage".into(), begun);
    let mut ended = json!({ "type": "message_delta", "delta": end, "usage": usage });
    if let Some(management) = fields.remove("context_management") {
        ended["context_management"] = management;
    }
    let mut out = Vec::new();
    tell(
        &json!({ "type": "message_start", "message": message }),
        &mut out,
    );
    for (index, mut block) in blocks.into_iter().enumerate() {
        let deltas = deltas_of(&mut block);
        let start =
            json!({ "type": "content_block_start", "index": index, "content_block": block });
        tell(&start, &mut out);
        for delta in deltas {
            let delta = json!({ "type": "content_block_delta", "index": index, "delta": delta });
            tell(&delta, &mut out);
        }
        tell(
            &json!({ "type": "content_block_stop", "index": index }),
            &mut out,
        );
    }
    tell(&ended, &mut out);
    tell(&json!({ "type": "message_stop" }), &mut out);
    Some(out)
}

/// Takes out of a block what comes behind its beginning.
fn deltas_of(block: &mut Value) -> Vec<Value> {
    let kind = block["type"].as_str().unwrap_or_default().to_owned();
    let mut deltas = Vec::new();
    if kind.ends_with("tool_use") && block["input"].is_object() {
        let input = std::mem::replace(&mut block["input"], json!({})).to_string();
        deltas.push(json!({ "type": "input_json_delta", "partial_json": input }));
    }
    if matches!(kind.as_str(), "text" | "thinking") {
        for (field, delta) in TEXTS {
            if block[field].is_string() {
                let text = std::mem::replace(&mut block[field], "".into());
                deltas.push(json!({ "type": delta, field: text }));
            }
        }
        if let Some(Value::Array(citations)) = block.get_mut("citations") {
            let citations = citations.drain(..);
            deltas
                .extend(citations.map(|one| json!({ "type": "citations_delta", "citation": one })));
        }
    }
    deltas
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::as_events;
    use crate::wire::sse;

    fn events(message: &Value) -> Vec<Value> {
        let events = as_events(message.to_string().as_bytes()).unwrap();
        let data = sse::events(&events).filter_map(|event| event.data);
        data.map(|data| serde_json::from_slice(&data).unwrap())
            .collect()
    }

    #[test]
    fn nothing_of_a_whole_message_is_lost_in_its_events() {
        let result = json!({ "type": "web_search_tool_result", "tool_use_id": "s", "content": [{ "title": "t" }] });
        let message = json!({ "id": "m1", "type": "message", "role": "assistant", "model": "m",
            "content": [
                { "type": "thinking", "thinking": "hm", "signature": "proof" },
                { "type": "redacted_thinking", "data": "x" },
                result,
                { "type": "text", "text": "Hi", "citations": [{ "url": "u" }] },
                { "type": "tool_use", "id": "c", "name": "f", "input": { "a": 1 } },
            ],
            "stop_reason": "tool_use", "stop_sequence": null, "usage": { "input_tokens": 3, "output_tokens": 5 } });
        let all = events(&message);
        let of = |kind: &'static str| all.iter().filter(move |event| event["type"] == kind);
        let start = &all[0]["message"];
        assert_eq!(
            json!([
                start["id"],
                start["content"],
                start["stop_reason"],
                start["usage"]
            ]),
            json!(["m1", [], null, { "input_tokens": 3, "output_tokens": 0 }])
        );
        let deltas: Vec<Value> = of("content_block_delta")
            .map(|event| json!([event["index"], event["delta"]]))
            .collect();
        assert_eq!(
            json!(deltas),
            json!([
                [0, { "type": "thinking_delta", "thinking": "hm" }],
                [0, { "type": "signature_delta", "signature": "proof" }],
                [3, { "type": "text_delta", "text": "Hi" }],
                [3, { "type": "citations_delta", "citation": { "url": "u" } }],
                [4, { "type": "input_json_delta", "partial_json": "{\"a\":1}" }],
            ])
        );
        let blocks: Vec<&Value> = of("content_block_start")
            .map(|event| &event["content_block"])
            .collect();
        assert_eq!((blocks.len(), of("content_block_stop").count()), (5, 5));
        assert_eq!(
            blocks[0],
            &json!({ "type": "thinking", "thinking": "", "signature": "" })
        );
        assert_eq!((blocks[1], blocks[2]), (&message["content"][1], &result));
        assert_eq!(
            blocks[3],
            &json!({ "type": "text", "text": "", "citations": [] })
        );
        assert_eq!(
            blocks[4],
            &json!({ "type": "tool_use", "id": "c", "name": "f", "input": {} })
        );
        let end = of("message_delta").next().unwrap();
        assert_eq!(end["delta"]["stop_reason"], "tool_use");
        assert_eq!(end["usage"], message["usage"]);
        assert_eq!(all.last().unwrap()["type"], "message_stop");
    }

    /// SDKs take this from the end of a stream, whatever its beginning says.
    #[test]
    fn why_a_message_ends_is_said_where_it_ends() {
        let (details, container) = (json!({ "category": "cyber" }), json!({ "id": "c" }));
        let message = json!({ "content": [], "stop_reason": "refusal", "stop_sequence": null, "stop_details": details,
            "container": container, "context_management": { "applied_edits": [] }, "usage": null });
        let all = events(&message);
        let none = json!({ "input_tokens": 0, "output_tokens": 0 });
        let delta = json!({ "stop_reason": "refusal", "stop_sequence": null, "stop_details": details, "container": container });
        assert_eq!(
            all[1],
            json!({ "type": "message_delta", "delta": delta, "usage": none,
                "context_management": { "applied_edits": [] } })
        );
        let start = &all[0]["message"];
        assert_eq!(
            json!([start["usage"], start["stop_details"], start["container"]]),
            json!([none, null, null])
        );
    }

    #[test]
    fn what_is_no_message_has_no_events() {
        for other in ["{}", "[]", r#"{"content":"x"}"#, "x"] {
            assert_eq!(as_events(other.as_bytes()), None, "{other}");
        }
    }
}
