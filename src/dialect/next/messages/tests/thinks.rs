//! How models are asked to reason, and what that rules out; and what is cached.

use serde_json::{Number, Value, json};

use super::{conversation, written, written_for};
use crate::catalogue::Dialect;
use crate::dialect::next::conversation::{Effort, Thinking};
use crate::dialect::upstream_api::UpstreamApi;

fn asking(most: u64) -> Value {
    json!({"model": "m", "max_tokens": most, "messages": [{"role": "user", "content": "hi"}]})
}

/// What is sent for this wish, and what was left out.
fn sent(body: &Value, thinking: &Thinking, model: &str) -> (Value, Vec<String>) {
    let mut asked = conversation(body);
    asked.thinking = thinking.clone();
    let (body, written) = written(asked, model).unwrap();
    (body, written.dropped.into_names())
}

fn effort(effort: Effort) -> Thinking {
    Thinking {
        effort: Some(effort),
        ..Thinking::default()
    }
}

#[test]
fn thinking_is_asked_for_as_each_model_takes_it() {
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let within = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let budget = |tokens| Thinking {
        budget: Some(tokens),
        ..Thinking::default()
    };
    let on = Thinking {
        is_on: Some(true),
        ..Thinking::default()
    };
    for (model, wanted, most, thinking, config) in [
        (
            "claude-opus-5",
            effort(Effort::Minimal),
            9000,
            &adaptive,
            json!({"effort": "low"}),
        ),
        (
            "claude-sonnet-4-6",
            effort(Effort::Xhigh),
            9000,
            &adaptive,
            json!({"effort": "high"}),
        ),
        (
            "claude-sonnet-4-6",
            effort(Effort::Max),
            9000,
            &adaptive,
            json!({"effort": "max"}),
        ),
        (
            "claude-opus-4-7",
            effort(Effort::Xhigh),
            9000,
            &adaptive,
            json!({"effort": "xhigh"}),
        ),
        (
            "claude-opus-5",
            budget(5000),
            9000,
            &adaptive,
            json!({"effort": "medium"}),
        ),
        ("claude-opus-5", on.clone(), 9000, &adaptive, Value::Null),
        (
            "claude-sonnet-4-5",
            effort(Effort::Medium),
            9000,
            &within(4500),
            Value::Null,
        ),
        (
            "claude-sonnet-4-5",
            effort(Effort::Low),
            9000,
            &within(2048),
            Value::Null,
        ),
        (
            "claude-opus-4-1",
            budget(50_000),
            32_000,
            &within(16_000),
            Value::Null,
        ),
        (
            "claude-opus-4-1",
            budget(500),
            32_000,
            &within(1024),
            Value::Null,
        ),
        ("claude-haiku-4-5", on, 40_000, &within(16_384), Value::Null),
        (
            "claude-sonnet-4-5",
            Thinking::default(),
            9000,
            &Value::Null,
            Value::Null,
        ),
        (
            "claude-opus-5",
            Thinking::default(),
            9000,
            &Value::Null,
            Value::Null,
        ),
    ] {
        let (body, dropped) = sent(&asking(most), &wanted, model);
        assert_eq!(
            (&body["thinking"], &body["output_config"]),
            (thinking, &config),
            "{model} {wanted:?}"
        );
        assert!(dropped.is_empty(), "{dropped:?}");
    }
    for (model, most) in [
        ("claude-sonnet-4-5", 900),
        ("claude-3-5-haiku-latest", 9000),
    ] {
        let (body, dropped) = sent(&asking(most), &effort(Effort::High), model);
        assert!(body["thinking"].is_null());
        assert_eq!(dropped, ["reasoning_effort"], "{model}");
    }
}

#[test]
fn models_that_think_by_themselves_are_told_not_to() {
    let off = Thinking {
        is_on: Some(false),
        ..Thinking::default()
    };
    for (model, thinking, config, dropped) in [
        ("claude-sonnet-4-5", Value::Null, Value::Null, false),
        ("claude-opus-4-8", Value::Null, Value::Null, false),
        (
            "claude-opus-5",
            json!({"type": "disabled"}),
            Value::Null,
            false,
        ),
        (
            "claude-sonnet-5-5",
            json!({"type": "between_tools"}),
            Value::Null,
            false,
        ),
        (
            "claude-opus-5-5",
            Value::Null,
            json!({"effort": "low"}),
            true,
        ),
        (
            "claude-fable-5-1",
            Value::Null,
            json!({"effort": "low"}),
            true,
        ),
    ] {
        for wanted in [&off, &effort(Effort::None)] {
            let (body, names) = sent(&asking(9000), wanted, model);
            assert_eq!(
                (&body["thinking"], &body["output_config"]),
                (&thinking, &config),
                "{model}"
            );
            assert_eq!(!names.is_empty(), dropped, "{model} {names:?}");
        }
    }
}

#[test]
fn nobody_thinks_where_that_is_refused() {
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "y"}]});
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let user = json!({"role": "user", "content": "hi"});
    let turn = |blocks: Value| json!({"role": "assistant", "content": blocks});
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let (older, newer) = ("claude-sonnet-4-5", "claude-opus-5");
    for (more, model, thinks) in [
        (json!({"tool_choice": {"type": "any"}}), older, false),
        (json!({"tool_choice": {"type": "any"}}), newer, false),
        (json!({"tool_choice": {"type": "auto"}}), older, true),
        (
            json!({"messages": [user, turn(json!("Once"))]}),
            older,
            false,
        ),
        (
            json!({"messages": [user, turn(json!([call])), result]}),
            older,
            false,
        ),
        (
            json!({"messages": [user, turn(json!([call])), result]}),
            newer,
            true,
        ),
        (
            json!({"messages": [user, turn(json!([thought, call])), result]}),
            older,
            true,
        ),
        (
            json!({"messages": [user, turn(json!([call])), result, turn(json!("Done.")), user]}),
            older,
            true,
        ),
    ] {
        let mut body = asking(9000);
        body["tools"] = json!([tool]);
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let (body, dropped) = sent(&body, &effort(Effort::High), model);
        assert_eq!(!body["thinking"].is_null(), thinks, "{more} {model}");
        assert_eq!(dropped.is_empty(), thinks, "{more} {model}");
    }
}

#[test]
fn sampling_is_sent_where_it_is_taken() {
    for (model, thinking, left, dropped) in [
        (
            "claude-3-5-haiku-latest",
            Thinking::default(),
            json!([1, 0.9, 3]),
            &[][..],
        ),
        (
            "claude-sonnet-4-5",
            Thinking::default(),
            json!([1, null, 3]),
            &["top_p"],
        ),
        (
            "claude-opus-4-7",
            Thinking::default(),
            json!([null, null, null]),
            &["temperature", "top_p", "top_k"],
        ),
        (
            "claude-opus-5",
            Thinking::default(),
            json!([null, null, null]),
            &["temperature", "top_p", "top_k"],
        ),
        (
            "claude-sonnet-4-5",
            effort(Effort::Low),
            json!([null, null, null]),
            &["temperature", "top_p", "top_k"],
        ),
        (
            "glm-5",
            Thinking::default(),
            json!([1, null, 3]),
            &["top_p"],
        ),
    ] {
        let mut body = asking(9000);
        body["top_p"] = json!(0.9);
        body["top_k"] = json!(3);
        body["temperature"] = Number::from_f64(1.5).into();
        let (body, names) = sent(&body, &thinking, model);
        assert_eq!(
            json!([body["temperature"], body["top_p"], body["top_k"]]),
            left,
            "{model}"
        );
        assert_eq!(names, dropped, "{model}");
    }
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
