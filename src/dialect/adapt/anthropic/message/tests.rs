//! What Claude models are asked as fallbacks for one another.

use serde_json::{Value, json};

use super::adapt;

/// The request for a model with at most 32000 tokens, and the fields that were dropped.
fn adapted(body: &Value, model: &str) -> Option<(Value, Vec<String>)> {
    let (body, dropped) = adapt(body.to_string().as_bytes(), model, Some(32_000))?;
    Some((serde_json::from_slice(&body).unwrap(), dropped))
}

fn asking(more: &Value) -> Value {
    let mut body = json!({"max_tokens": 20_000, "messages": [{"role": "user", "content": "hi"}]});
    let fields = body.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn thinking_is_asked_for_as_each_model_takes_it() {
    let none: &[&str] = &[];
    for (model, asked, sent, expected_dropped) in [
        (
            "claude-haiku-4-5",
            json!({"thinking": {"type": "adaptive"}}),
            json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}}),
            none,
        ),
        (
            "claude-sonnet-4-5",
            json!({"thinking": {"type": "adaptive", "display": "omitted"}, "temperature": 1,
                   "output_config": {"effort": "low"}}),
            json!({"thinking": {"type": "enabled", "display": "omitted", "budget_tokens": 2048}}),
            &["temperature"],
        ),
        (
            "claude-opus-4-5",
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}),
            json!({"thinking": {"type": "enabled", "budget_tokens": 8192}, "output_config": {"effort": "medium"}}),
            none,
        ),
        (
            "claude-sonnet-4-5",
            json!({"thinking": {"type": "adaptive"}, "max_tokens": 2000, "output_config": {"effort": "max", "format": {}},
                   "context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}),
            json!({"max_tokens": 2000, "output_config": {"format": {}}, "context_management": {"edits": []}}),
            &["thinking", "output_config.effort"],
        ),
        (
            "claude-opus-4-8",
            json!({"thinking": {"type": "enabled", "budget_tokens": 5000}}),
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "medium"}}),
            none,
        ),
        (
            "claude-opus-5",
            json!({"thinking": {"type": "enabled", "budget_tokens": 5000}, "output_config": {"effort": "low"}}),
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}}),
            none,
        ),
        (
            "claude-3-5-haiku-latest",
            json!({"thinking": {"type": "enabled", "budget_tokens": 5000}}),
            json!({}),
            &["thinking"],
        ),
        (
            "claude-opus-4-1",
            json!({"thinking": {"type": "enabled", "budget_tokens": 50_000}, "max_tokens": 64_000}),
            json!({"thinking": {"type": "enabled", "budget_tokens": 16_000}, "max_tokens": 32_000}),
            none,
        ),
    ] {
        let (body, dropped) = adapted(&asking(&asked), model).unwrap();
        assert_eq!(body, asking(&sent), "{model}");
        assert_eq!(dropped, expected_dropped, "{model}");
    }
}

#[test]
fn who_is_not_to_think_is_told_so_as_each_model_takes_it() {
    let none: &[&str] = &[];
    for (model, asked, sent, expected_dropped) in [
        (
            "claude-sonnet-5-5",
            json!({"thinking": {"type": "disabled"}}),
            json!({"thinking": {"type": "between_tools"}}),
            none,
        ),
        (
            "claude-opus-5",
            json!({"thinking": {"type": "between_tools"}}),
            json!({"thinking": {"type": "disabled"}}),
            none,
        ),
        (
            "claude-opus-5-5",
            json!({"thinking": {"type": "disabled"}}),
            json!({"output_config": {"effort": "low"}}),
            &["thinking"],
        ),
        (
            "claude-fable-5-1",
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}),
            json!({"output_config": {"effort": "high"}}),
            &["thinking"],
        ),
    ] {
        let (body, dropped) = adapted(&asking(&asked), model).unwrap();
        assert_eq!(body, asking(&sent), "{model}");
        assert_eq!(dropped, expected_dropped, "{model}");
    }
    for (model, quiet) in [
        ("claude-opus-5", "disabled"),
        ("claude-sonnet-5-5", "between_tools"),
    ] {
        let asked = asking(&json!({"thinking": {"type": quiet}}));
        assert!(adapted(&asked, model).is_none(), "{model}");
    }
}

#[test]
fn nobody_thinks_with_a_budget_where_that_is_refused() {
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]});
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let turn = |blocks: Value| json!({"role": "assistant", "content": blocks});
    for (more, thinks) in [
        (json!({"tool_choice": {"type": "any"}}), false),
        (json!({"tool_choice": {"type": "auto"}}), true),
        (json!({"messages": [turn(json!("Once"))]}), false),
        (json!({"messages": [turn(json!([call])), result]}), false),
        (
            json!({"messages": [turn(json!([thought, call])), result]}),
            true,
        ),
    ] {
        let mut asked = asking(&more);
        asked["thinking"] = json!({"type": "adaptive"});
        let (body, dropped) = adapted(&asked, "claude-sonnet-4-5").unwrap();
        assert_eq!(body["thinking"]["type"] == "enabled", thinks, "{more}");
        assert_eq!(dropped.is_empty(), thinks, "{more}");
    }
}

#[test]
fn what_a_model_refuses_is_left_out_and_told() {
    let sampling = json!({"temperature": 0.5, "top_p": 0.9, "top_k": 5});
    for (model, asked, expected_dropped) in [
        (
            "claude-opus-4-7",
            &sampling,
            &["temperature", "top_p", "top_k"][..],
        ),
        ("claude-sonnet-4-5", &sampling, &["top_p"]),
        (
            "claude-haiku-4-5",
            &json!({"output_config": {"effort": "low"}}),
            &["output_config.effort"],
        ),
    ] {
        let (body, dropped) = adapted(&asking(asked), model).unwrap();
        assert_eq!(dropped, expected_dropped, "{model}");
        for field in expected_dropped {
            assert!(body[field].is_null(), "{model} {field}");
        }
        assert!(body["output_config"].is_null());
    }
    let (body, dropped) = adapted(
        &asking(&json!({"output_config": {"effort": "xhigh"}})),
        "claude-opus-4-6",
    )
    .unwrap();
    assert_eq!(body["output_config"]["effort"], "high");
    assert!(dropped.is_empty());
}

#[test]
fn a_beginning_is_gone_on_with_by_models_that_answer_users_only() {
    let with_prefill = asking(
        &json!({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "Once"}]}]}),
    );
    let (body, _) = adapted(&with_prefill, "claude-opus-5").unwrap();
    assert_eq!(body["messages"][0], with_prefill["messages"][0]);
    assert_eq!(body["messages"][1]["role"], "user");
    assert!(adapted(&with_prefill, "claude-sonnet-4-5").is_none());
    let paused = json!({"messages": [{"role": "assistant", "content": [{"type": "server_tool_use", "id": "s"}]}]});
    assert!(adapted(&asking(&paused), "claude-opus-5").is_none());
}

#[test]
fn only_what_must_change_does() {
    let body = r#"{"model":"m", "messages":[{"role":"user","content":"é","odd":1e400}],"max_tokens":64000,"new": 12345678901234567890123}"#;
    let (sent, dropped) = adapt(body.as_bytes(), "claude-opus-4-1", Some(32_000)).unwrap();
    let expected = body
        .replace("64000", "32000")
        .replace(": 1", ":1")
        .replace(", ", ",");
    assert_eq!(sent, expected);
    assert!(dropped.is_empty());
    for (model, more) in [
        (
            "claude-opus-4-6",
            json!({"thinking": {"type": "adaptive"}, "temperature": 0.5, "output_config": {"effort": "max"}}),
        ),
        (
            "claude-sonnet-4-6",
            json!({"thinking": {"type": "enabled", "budget_tokens": 40_000}}),
        ),
        (
            "claude-opus-5",
            json!({"thinking": {"type": "disabled"}, "temperature": null}),
        ),
        // Not a Claude model: what it accepts is not known.
        (
            "glm-4.7",
            json!({"thinking": {"type": "enabled", "budget_tokens": 5000}, "temperature": 0.5}),
        ),
        (
            "claude-opus-5",
            json!({"thinking": "x", "output_config": "x", "messages": "x"}),
        ),
    ] {
        assert!(adapted(&asking(&more), model).is_none(), "{model} {more}");
    }
    for body in ["", "[]", "\"thinking\""] {
        assert!(adapt(body.as_bytes(), "claude-opus-5", None).is_none());
    }
}

#[test]
fn what_would_be_refused_is_put_in_order_for_every_model() {
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]});
    let body = asking(&json!({
        "messages": [call],
        "tools": [{"name": "f", "description": "d", "input_schema": {"anyOf": [{"required": ["x"]}, {"required": ["y"]}]}}, {"type": "web_search_20250305", "name": "web_search"}],
    }));
    let (sent, dropped) = adapted(&body, "glm-5").unwrap();
    assert!(dropped.is_empty());
    assert_eq!(sent["messages"][0], call);
    assert_eq!(sent["messages"][1]["content"][0]["tool_use_id"], "a");
    assert_eq!(
        sent["tools"][0]["input_schema"],
        json!({"type": "object", "properties": {}})
    );
    assert!(
        sent["tools"][0]["description"]
            .as_str()
            .unwrap()
            .ends_with("{x} or {y}")
    );
    assert_eq!(sent["tools"][1], body["tools"][1]);
    assert!(adapted(&sent, "glm-5").is_none());
}

#[test]
fn instructions_amid_the_conversation_go_where_the_model_takes_them() {
    let amid = |role: &str| {
        json!({"max_tokens": 100, "messages": [
            {"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "go on"}, {"role": role, "content": "Speak French."},
        ]})
    };
    for model in ["claude-sonnet-5", "claude-opus-4-6", "claude-haiku-4-5"] {
        let (body, dropped) = adapted(&amid("system"), model).unwrap();
        assert_eq!(body, amid("user"), "{model}");
        assert!(dropped.is_empty(), "{model}");
    }
    for model in ["claude-opus-4-8", "claude-sonnet-5-5"] {
        assert!(adapted(&amid("system"), model).is_none(), "{model}");
    }
}

#[test]
fn a_tool_that_the_system_adds_is_named_by_the_user() {
    let tool = json!({"type": "tool_reference", "name": "look"});
    let turn = |role: &str, block| json!({"max_tokens": 100, "messages": [{"role": role, "content": [block]}]});
    let added = turn("system", json!({"type": "tool_addition", "tool": tool}));
    let named = json!({"type": "text", "text": "The tool look is available."});
    let (body, _) = adapted(&added, "claude-haiku-4-5").unwrap();
    assert_eq!(body, turn("user", named));
}
