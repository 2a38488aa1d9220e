//! What is marked for the provider's prompt cache.

use serde_json::{Value, json};

use super::{conversation, written, written_for};
use crate::catalogue::Dialect;
use crate::dialect::upstream_api::UpstreamApi;

fn asking(most: u64) -> Value {
    json!({"model": "m", "max_tokens": most, "messages": [{"role": "user", "content": "hi"}]})
}

fn mark() -> Value {
    json!({"type": "ephemeral"})
}

/// The request with caching marks where the client sets none.
fn cached(body: &Value) -> (Value, Vec<String>) {
    let upstream = UpstreamApi::new(Dialect::Anthropic);
    let (body, written) = written_for(conversation(body), "claude-opus-5", upstream).unwrap();
    (body, written.dropped.into_names())
}

#[test]
fn a_long_prompt_is_marked_for_the_cache() {
    let answered = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]);
    let tools = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    let (plain, mut talk, mut armed) = (asking(9), asking(9), asking(9));
    talk["messages"] = answered;
    armed["tools"] = tools;
    for (body, expected) in [(&plain, Value::Null), (&talk, mark()), (&armed, mark())] {
        assert_eq!(cached(body).0["cache_control"], expected);
        let (unmarked, _) = written(conversation(body), "claude-opus-5").unwrap();
        assert_eq!(unmarked["cache_control"], Value::Null);
    }
    let mut asked = conversation(&talk);
    asked.caching.retention = Some("24h".to_owned());
    let (body, _) =
        written_for(asked, "claude-opus-5", UpstreamApi::new(Dialect::Anthropic)).unwrap();
    assert_eq!(
        body["cache_control"],
        json!({"type": "ephemeral", "ttl": "1h"})
    );
}

#[test]
fn what_the_client_marked_is_marked() {
    let block = |text: &str| json!({"type": "text", "text": text, "cache_control": mark()});
    let mut body = asking(9);
    body["tools"] =
        json!([{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark()}]);
    body["system"] = json!([block("a")]);
    body["messages"] =
        json!([{"role": "user", "content": [block("b"), {"type": "text", "text": "c"}]}]);
    let (sent, dropped) = cached(&body);
    assert_eq!(sent["cache_control"], Value::Null);
    assert_eq!(sent["tools"][0]["cache_control"], mark());
    assert_eq!(
        (&sent["system"], &sent["messages"]),
        (&body["system"], &body["messages"])
    );
    assert!(dropped.is_empty());

    // No more than four: the last ones cover most.
    body["messages"] = json!([{"role": "user", "content": [block("b"), block("c"), block("d")]}]);
    let (sent, dropped) = cached(&body);
    assert_eq!(sent["tools"][0]["cache_control"], Value::Null);
    assert_eq!(
        (&sent["system"], &sent["messages"]),
        (&body["system"], &body["messages"])
    );
    assert_eq!(dropped, ["cache_control"]);

    body["cache_control"] = mark();
    let (sent, _) = cached(&body);
    assert_eq!(sent["cache_control"], mark());
    assert_eq!(sent["system"][0]["cache_control"], Value::Null);
    assert_eq!(sent["messages"], body["messages"]);
}
