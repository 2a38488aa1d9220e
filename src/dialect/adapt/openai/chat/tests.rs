//! What changes for a provider, and what does not.

use serde_json::{Value, json};

use super::adapt_chat;
use crate::catalogue::{Dialect, Quirks};
use crate::dialect::upstream_api::UpstreamApi;

fn adapted(body: &str, quirks: Quirks) -> Option<(String, Vec<String>)> {
    let api = UpstreamApi {
        quirks,
        max_output: Some(9000),
        ..UpstreamApi::new(Dialect::OpenAi)
    };
    let adapted = adapt_chat(body.as_bytes(), &api)?;
    let body = String::from_utf8(adapted.body.to_vec()).unwrap();
    Some((body, adapted.dropped))
}

#[test]
fn what_suits_everybody_is_not_touched() {
    let body = r#"{"model":"m","messages":[{"role":"system","content":"x"}],"max_tokens":5}"#;
    for quirks in [Quirks::OLDER, Quirks::UNKNOWN, Quirks::GEMINI] {
        assert!(adapted(body, quirks).is_none());
    }
}

#[test]
fn only_what_must_change_does() {
    let body = r#"{"model":"m", "max_completion_tokens":5,"messages":[{"role":"developer","content":"x","odd":1e400}],"new": 12345678901234567890123}"#;
    let (body, dropped) = adapted(body, Quirks::OLDER).unwrap();
    assert_eq!(
        body,
        r#"{"model":"m","messages":[{"role":"system","content":"x","odd":1e400}],"new":12345678901234567890123,"max_tokens":5}"#
    );
    assert!(dropped.is_empty());
}

#[test]
fn what_a_provider_refuses_is_left_out_and_told() {
    let body = json!({"model": "m", "seed": 0, "user": "u", "store": false, "logprobs": false, "temperature": 0, "messages": [
        {"role": "assistant", "content": "x", "annotations": [], "tool_calls": [], "name": "n"}]});
    let (body, dropped) = adapted(&body.to_string(), Quirks::MISTRAL).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(dropped, ["messages.name", "seed", "user"]);
    let message = json!({"role": "assistant", "content": "x", "tool_calls": []});
    assert_eq!(
        body,
        json!({"model": "m", "temperature": 0, "messages": [message]})
    );
}

#[test]
fn models_that_think_get_no_sampling_at_openai() {
    let ask = |model: &str| {
        let body = json!({"model": model, "temperature": 0.5, "max_tokens": 5});
        adapted(&body.to_string(), Quirks::OPENAI).unwrap()
    };
    assert_eq!(ask("gpt-5").1, ["temperature"]);
    assert_eq!(ask("gpt-6-luna").1, ["temperature"]);
    assert!(ask("gpt-5.1").1.is_empty(), "it thinks only when asked to");
    let thinking = json!({"model": "gpt-5.1", "temperature": 0.5, "reasoning_effort": "low"});
    let (_, dropped) = adapted(&thinking.to_string(), Quirks::OPENAI).unwrap();
    assert_eq!(dropped, ["temperature"]);
    assert_eq!(
        ask("gpt-4o"),
        (
            r#"{"model":"gpt-4o","temperature":0.5,"max_completion_tokens":5}"#.to_owned(),
            Vec::new()
        )
    );
}

#[test]
fn models_that_think_end_where_they_like_at_openai() {
    let body = |model: &str| json!({"model": model, "stop": ["x"], "parallel_tool_calls": false});
    for (model, expected) in [
        ("gpt-5.1", &["stop"][..]),
        ("o4-mini", &["parallel_tool_calls", "stop"]),
    ] {
        let (_, dropped) = adapted(&body(model).to_string(), Quirks::OPENAI).unwrap();
        assert_eq!(dropped, expected, "{model}");
    }
    assert!(adapted(&body("gpt-4o").to_string(), Quirks::OPENAI).is_none());
}

#[test]
fn models_are_asked_to_think_as_hard_as_they_can_be() {
    let put = |asked: &str, quirks: Quirks| adapted(asked, quirks);
    let effort = |effort: &str| format!(r#"{{"model":"m","reasoning_effort":"{effort}"}}"#);
    for (asked, level) in [("minimal", "low"), ("xhigh", "high"), ("max", "high")] {
        let expected = (effort(level), Vec::new());
        assert_eq!(put(&effort(asked), Quirks::OLDER), Some(expected));
    }
    let dropped = vec!["reasoning_effort".to_owned()];
    let left = (r#"{"model":"m"}"#.to_owned(), dropped.clone());
    assert_eq!(put(&effort("none"), Quirks::GEMINI), Some(left));
    assert_eq!(put(&effort("high"), Quirks::OLDER), None);

    for (model, asked, level) in [
        ("gpt-5", "xhigh", "high"),
        ("gpt-5", "none", "minimal"),
        ("gpt-5.1", "minimal", "low"),
        ("o3", "max", "high"),
    ] {
        let effort =
            |effort: &str| format!(r#"{{"model":"{model}","reasoning_effort":"{effort}"}}"#);
        let expected = Some((effort(level), Vec::new()));
        assert_eq!(put(&effort(asked), Quirks::OPENAI), expected);
        assert_eq!(put(&effort(level), Quirks::OPENAI), None);
    }

    let tools = r#""tools":[{}]"#;
    let plain = format!(r#"{{"model":"gpt-5.6",{tools}}}"#);
    let without = format!(r#"{{"model":"gpt-5.6",{tools},"reasoning_effort":"none"}}"#);
    assert_eq!(
        put(&plain, Quirks::OPENAI),
        Some((without.clone(), Vec::new()))
    );
    let low = without.replace("none", "low");
    assert_eq!(put(&low, Quirks::OPENAI), Some((without.clone(), dropped)));
    for fine in [
        without,
        plain.replace("5.6", "5.1"),
        effort("low").replace("\"m\"", "\"gpt-5.6\""),
    ] {
        assert_eq!(put(&fine, Quirks::OPENAI), None, "{fine}");
    }
}

#[test]
fn thoughts_that_would_have_to_come_back_are_not_thought() {
    let body = |more: &str| format!(r#"{{"model":"m","tools":[{{}}]{more}}}"#);
    let (on, off) = (
        r#","thinking":{"type":"enabled"}"#,
        r#","thinking":{"type":"disabled"}"#,
    );
    let thought = r#"{"tool_calls":[{"id":"a"}],"reasoning_content":"hm"},{"role":"tool","tool_call_id":"a"}"#;
    let other = r#"{"tool_calls":[{"id":"b"}]},{"role":"tool","tool_call_id":"b"}"#;
    let given = format!(r#","messages":[{thought}]"#);
    let missing = format!(r#","messages":[{thought},{other}]"#);
    for (asked, expected) in [
        (String::new(), off.to_owned()),
        (missing.clone(), format!("{missing}{off}")),
        (format!("{on}{missing}"), format!("{off}{missing}")),
    ] {
        let asked = body(&format!(r#"{asked},"reasoning_effort":"high""#));
        let (sent, dropped) = adapted(&asked, Quirks::DEEPSEEK).unwrap();
        assert_eq!(sent, body(&expected));
        assert_eq!(dropped, ["reasoning_effort"]);
    }
    for kept in [
        body(on),
        body(&given),
        r#"{"model":"m","tools":[],"reasoning_effort":"high"}"#.to_owned(),
    ] {
        assert!(adapted(&kept, Quirks::DEEPSEEK).is_none(), "{kept}");
    }
}

#[test]
fn what_is_no_request_stays_as_it_is() {
    for body in ["", "[]", "\"seed\"", r#"{"seed":"#] {
        assert!(adapted(body, Quirks::MISTRAL).is_none(), "{body}");
    }
}

#[test]
fn the_limit_is_no_larger_than_can_be() {
    for (body, expected) in [
        (r#"{"max_tokens":32000}"#, r#"{"max_tokens":9000}"#),
        (
            r#"{"max_completion_tokens":null,"max_tokens":100}"#,
            r#"{"max_tokens":100}"#,
        ),
        (
            r#"{"max_completion_tokens":7,"max_tokens":100}"#,
            r#"{"max_tokens":7}"#,
        ),
    ] {
        assert_eq!(adapted(body, Quirks::OLDER).unwrap().0, expected);
    }
}

#[test]
fn a_model_of_openais_gets_no_hint_that_it_refuses() {
    let asked = |model: &str| {
        format!(r#"{{"model":"{model}","reasoning_effort":"low","verbosity":"low"}}"#)
    };
    for (model, sent, expected) in [
        (
            "gpt-4.1-mini",
            r#"{"model":"gpt-4.1-mini"}"#,
            &["reasoning_effort", "verbosity"][..],
        ),
        (
            "o3",
            r#"{"model":"o3","reasoning_effort":"low"}"#,
            &["verbosity"],
        ),
    ] {
        let (body, dropped) = adapted(&asked(model), Quirks::OPENAI).unwrap();
        assert_eq!(body, sent);
        assert_eq!(dropped, expected);
    }
    for model in ["gpt-5", "my-deployment"] {
        assert_eq!(adapted(&asked(model), Quirks::OPENAI), None, "{model}");
    }
}
