//! A whole chat as the events of a stream, for a client that asked for one.

use serde_json::{Value, json};

/// The events: what is said, the reasons of the ends, and what it costs if the client wants to know. Whatever stands beside them
/// is kept as it is. `None`: it is no chat.
pub fn as_events(chat: &[u8], with_usage: bool) -> Option<Vec<u8>> {
    let mut chunk: Value = serde_json::from_slice(chat).ok()?;
    let choices = chunk["choices"].as_array().filter(|all| !all.is_empty())?;
    let (said, ends): (Vec<_>, Vec<_>) = choices.iter().map(in_two).collect::<Option<_>>()?;
    let usage = chunk.as_object_mut()?.remove("usage");
    chunk["object"] = "chat.completion.chunk".into();
    let mut out = Vec::new();
    let mut write = |choices: Vec<Value>, usage: Option<Value>| {
        let mut chunk = chunk.clone();
        chunk["choices"] = choices.into();
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        out.extend_from_slice(format!("data: {chunk}\n\n").as_bytes());
    };
    write(said, None);
    write(ends, None);
    // Who has not asked for it may read a choice of every chunk.
    if with_usage {
        write(Vec::new(), usage);
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
    Some(out)
}

/// The events of a whole answer to a mere prompt, whose chunks have its own form.
pub fn completion_as_events(completion: &[u8]) -> Option<Vec<u8>> {
    let whole: Value = serde_json::from_slice(completion).ok()?;
    whole["choices"].as_array().filter(|all| !all.is_empty())?;
    Some(format!("data: {whole}\n\ndata: [DONE]\n\n").into_bytes())
}

/// A choice of a whole chat as two of a stream: what it says, and why it ends.
fn in_two(choice: &Value) -> Option<(Value, Value)> {
    let mut delta = choice["message"].as_object()?.clone();
    if let Some(calls) = delta.get_mut("tool_calls").and_then(Value::as_array_mut) {
        for (index, call) in calls.iter_mut().enumerate() {
            call.as_object_mut()?.insert("index".into(), index.into());
        }
    }
    let reason = match choice["finish_reason"].as_str() {
        // Clients that go by the reason would not run the calls.
        Some("stop") if delta.get("tool_calls").is_some_and(is_filled) => "tool_calls",
        Some(reason) => reason,
        None => "stop",
    };
    let mut said = choice.clone();
    let fields = said.as_object_mut()?;
    fields.remove("message");
    fields.insert("delta".into(), delta.into());
    fields.insert("finish_reason".into(), Value::Null);
    let index = said["index"].as_u64().unwrap_or_default();
    said["index"] = index.into();
    let end = json!({ "index": index, "delta": {}, "finish_reason": reason });
    Some((said, end))
}

fn is_filled(calls: &Value) -> bool {
    calls.as_array().is_some_and(|calls| !calls.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::as_events;
    use crate::wire::sse;

    fn chunks(chat: &Value, with_usage: bool) -> Vec<Value> {
        let events = as_events(chat.to_string().as_bytes(), with_usage).unwrap();
        assert!(events.ends_with(b"}\n\ndata: [DONE]\n\n"));
        let data = sse::events(&events).filter_map(|event| event.data);
        data.filter_map(|data| serde_json::from_slice(&data).ok())
            .collect()
    }

    #[test]
    fn nothing_of_a_whole_chat_is_lost_in_its_events() {
        let call =
            json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let chat = json!({"id": "x", "object": "chat.completion", "created": 7, "model": "m",
            "system_fingerprint": "p", "usage": {"total_tokens": 5}, "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "Hi", "reasoning": "r"},
                    "logprobs": {"content": []}, "finish_reason": "length"},
                {"index": 1, "message": {"role": "assistant", "content": null, "tool_calls": [call, call]},
                    "finish_reason": "stop"}]});
        let all = chunks(&chat, true);
        assert_eq!(all.len(), 3);
        for chunk in &all {
            assert_eq!(chunk["object"], "chat.completion.chunk");
            let kept = json!([
                chunk["id"],
                chunk["created"],
                chunk["model"],
                chunk["system_fingerprint"]
            ]);
            assert_eq!(kept, json!(["x", 7, "m", "p"]));
        }
        let first = &all[0]["choices"][0];
        assert_eq!(first["delta"], chat["choices"][0]["message"]);
        assert_eq!(first["logprobs"], json!({"content": []}));
        let calls = &all[0]["choices"][1]["delta"]["tool_calls"];
        assert_eq!(json!([calls[0]["index"], calls[1]["index"]]), json!([0, 1]));
        assert_eq!(calls[1]["function"]["name"], "f");
        let ends = all[1]["choices"].as_array().unwrap().iter();
        let ends: Vec<_> = ends.map(|choice| &choice["finish_reason"]).collect();
        assert_eq!(ends, ["length", "tool_calls"]);
        assert_eq!(
            (&all[2]["choices"], &all[2]["usage"]),
            (&json!([]), &json!({"total_tokens": 5}))
        );
        let unasked = chunks(&chat, false);
        assert!(unasked.len() == 2 && unasked.iter().all(|chunk| chunk.get("usage").is_none()));
    }

    #[test]
    fn what_is_no_chat_has_no_events() {
        for other in [
            "{}",
            "[]",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"text":"x"}]}"#,
            "x",
        ] {
            assert_eq!(as_events(other.as_bytes(), true), None, "{other}");
        }
    }
}
