//! Chunks of a reply, rewritten as the rest of another stream of chunks.

use serde_json::{Map, Value, json};

use super::limits::Stop;
use super::rest::{NoSeam, Rest, sum};

/// Writes the chunk that the client gets for a chunk of the reply, if it gets one.
pub(super) fn rewrite(
    rest: &mut Rest,
    mut chunk: Map<String, Value>,
    out: &mut Vec<u8>,
) -> Result<(), NoSeam> {
    let choices = chunk
        .get_mut("choices")
        .map(Value::take)
        .unwrap_or_default();
    let choice = choices.as_array().and_then(|choices| choices.first());
    let mut is_worth_telling = false;
    chunk.insert("choices".to_owned(), json!([]));
    if let Some(choice) = choice {
        let choice = rest_of(rest, choice)?;
        is_worth_telling = !choice["finish_reason"].is_null() || !is_empty(&choice);
        chunk.insert("choices".to_owned(), json!([choice]));
    }
    if let Some(usage) = chunk.get_mut("usage").filter(|usage| usage.is_object()) {
        add_usage(rest, usage);
        is_worth_telling = true;
    }
    if is_worth_telling {
        chunk.extend(rest.transcript().identity.clone());
        out.extend_from_slice(format!("data: {}\n\n", Value::Object(chunk)).as_bytes());
    }
    Ok(())
}

fn is_empty(choice: &Value) -> bool {
    choice["text"].as_str().is_none_or(str::is_empty)
        && choice["delta"].as_object().is_none_or(Map::is_empty)
}

/// The choice with what is new of its text; all that is not text is left out.
fn rest_of(rest: &mut Rest, choice: &Value) -> Result<Value, NoSeam> {
    let mut finish = choice["finish_reason"].clone();
    let is_plain = choice["text"].is_string();
    let piece = if is_plain {
        &choice["text"]
    } else {
        &choice["delta"]["content"]
    };
    let text = rest.new_text(piece.as_str().unwrap_or_default(), !finish.is_null())?;
    match rest.stopped() {
        Some(Stop::Sequence) => finish = "stop".into(),
        Some(Stop::Length) => finish = "length".into(),
        None => {}
    }
    let mut rest = json!({ "index": 0, "logprobs": null, "finish_reason": finish });
    if is_plain {
        rest["text"] = text.into();
    } else if text.is_empty() {
        rest["delta"] = json!({});
    } else {
        rest["delta"] = json!({ "content": text });
    }
    Ok(rest)
}

/// Both upstreams were paid; the client's prompt was one.
fn add_usage(rest: &mut Rest, usage: &mut Value) {
    let transcript = rest.transcript();
    let completion = sum(
        &transcript.usage["completion_tokens"],
        transcript.tokens,
        &usage["completion_tokens"],
    );
    let prompt = match transcript.usage["prompt_tokens"].as_u64() {
        Some(prompt) => prompt,
        None => usage["prompt_tokens"].as_u64().unwrap_or(0),
    };
    usage["prompt_tokens"] = prompt.into();
    usage["completion_tokens"] = completion.into();
    usage["total_tokens"] = (prompt + completion).into();
}
