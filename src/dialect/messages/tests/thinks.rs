//! How models are asked to reason, and what that rules out.

use serde_json::{Number, Value, json};

use super::{conversation, written};
use crate::dialect::conversation::{Effort, Thinking};

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
        is_shown: true,
        ..Thinking::default()
    }
}

fn budget(tokens: u64) -> Thinking {
    Thinking {
        budget: Some(tokens),
        is_shown: true,
        ..Thinking::default()
    }
}

fn on() -> Thinking {
    Thinking {
        is_on: Some(true),
        is_shown: true,
        ..Thinking::default()
    }
}

#[test]
fn newer_models_think_as_much_as_they_consider_right() {
    for (model, wanted, expected) in [
        ("claude-opus-5", effort(Effort::Minimal), Some("low")),
        ("claude-sonnet-4-6", effort(Effort::Xhigh), Some("high")),
        ("claude-sonnet-4-6", effort(Effort::Max), Some("max")),
        ("claude-opus-4-7", effort(Effort::Xhigh), Some("xhigh")),
        ("claude-opus-5", budget(5000), Some("medium")),
        ("claude-opus-5", on(), None),
    ] {
        let (body, dropped) = sent(&asking(9000), &wanted, model);
        assert_eq!(
            body["thinking"],
            json!({"type": "adaptive", "display": "summarized"})
        );
        assert_eq!(
            body["output_config"]["effort"].as_str(),
            expected,
            "{model} {wanted:?}"
        );
        assert!(dropped.is_empty(), "{dropped:?}");
    }
}

#[test]
fn older_models_think_within_a_budget() {
    for (model, wanted, most, expected) in [
        ("claude-sonnet-4-5", effort(Effort::Medium), 9000, 4500),
        ("claude-sonnet-4-5", effort(Effort::Low), 9000, 2048),
        ("claude-opus-4-1", budget(50_000), 32_000, 16_000),
        ("claude-opus-4-1", budget(500), 32_000, 1024),
        ("claude-haiku-4-5", on(), 40_000, 16_384),
    ] {
        let (body, dropped) = sent(&asking(most), &wanted, model);
        assert_eq!(
            body["thinking"],
            json!({"type": "enabled", "budget_tokens": expected}),
            "{model} {wanted:?}"
        );
        assert!(
            body["output_config"].is_null() && dropped.is_empty(),
            "{dropped:?}"
        );
    }
    for (model, most) in [
        ("claude-sonnet-4-5", 900),
        ("claude-3-5-haiku-latest", 9000),
    ] {
        let (body, dropped) = sent(&asking(most), &effort(Effort::High), model);
        assert!(body["thinking"].is_null());
        assert_eq!(dropped, ["reasoning_effort"], "{model}");
    }
    for model in ["claude-sonnet-4-5", "claude-opus-5"] {
        let (body, _) = sent(&asking(9000), &Thinking::default(), model);
        assert!(body["thinking"].is_null() && body["output_config"].is_null());
    }
}

#[test]
fn what_the_client_does_not_read_is_not_sent() {
    for (model, expected) in [
        (
            "claude-opus-5",
            json!({"type": "adaptive", "display": "omitted"}),
        ),
        (
            "claude-sonnet-4-5",
            json!({"type": "enabled", "budget_tokens": 2048, "display": "omitted"}),
        ),
    ] {
        let hidden = Thinking {
            is_shown: false,
            ..effort(Effort::Low)
        };
        let (body, _) = sent(&asking(9000), &hidden, model);
        assert_eq!(body["thinking"], expected);
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
