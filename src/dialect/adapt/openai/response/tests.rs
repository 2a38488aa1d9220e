//! What changes for a provider and for a model, and what does not.

use serde_json::{Value, json};

use super::adapt_response;
use crate::catalogue::{Dialect, Quirks};
use crate::dialect::upstream_api::UpstreamApi;

fn api(quirks: Quirks) -> UpstreamApi {
    UpstreamApi {
        quirks,
        max_output: Some(9000),
        ..UpstreamApi::new(Dialect::OpenAi)
    }
}

#[test]
fn of_a_response_only_the_roles_change() {
    let body = r#"{"max_output_tokens":1,"seed":2,"input":[{"role":"developer","content":"x"},{"type":"web_search_call","call_id":"c"}]}"#;
    let adapted = adapt_response(body.as_bytes(), &api(Quirks::GROQ)).unwrap();
    assert_eq!(adapted.body, body.replace("developer", "system"));
    assert!(adapt_response(body.as_bytes(), &api(Quirks::OPENAI)).is_none());
    assert!(adapt_response(br#"{"input":"developer"}"#, &api(Quirks::GROQ)).is_none());
}

/// What is sent of these fields to a model, and what was left out; `None`: nothing had to change.
fn adapted(quirks: Quirks, model: &str, fields: &Value) -> Option<(Value, Vec<String>)> {
    let mut body = json!({ "model": model, "input": "hi" });
    let own = body.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    let adapted = adapt_response(body.to_string().as_bytes(), &api(quirks))?;
    let mut sent: Value = serde_json::from_slice(&adapted.body).unwrap();
    let own = sent.as_object_mut().unwrap();
    own.remove("model");
    own.remove("input");
    Some((sent, adapted.dropped))
}

#[test]
fn a_model_is_asked_as_it_takes_it() {
    let codex = json!({"reasoning": {"effort": "xhigh", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
        "text": {"verbosity": "low"}, "max_output_tokens": 20_000});
    let sampled = json!({"temperature": 0.5, "top_p": 0.9, "reasoning": {"effort": "minimal"}});
    let none: &[&str] = &[];
    for (model, asked, sent, dropped) in [
        (
            "gpt-4.1-mini",
            &codex,
            json!({"include": [], "text": {}, "max_output_tokens": 9000}),
            &["reasoning", "text.verbosity"][..],
        ),
        (
            "gpt-5",
            &codex,
            json!({"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
                   "text": {"verbosity": "low"}, "max_output_tokens": 9000}),
            none,
        ),
        (
            "o3",
            &codex,
            json!({"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
                   "text": {}, "max_output_tokens": 9000}),
            &["text.verbosity"],
        ),
        (
            "gpt-6-luna",
            &sampled,
            json!({"reasoning": {"effort": "low"}}),
            &["temperature", "top_p"],
        ),
        (
            "gpt-4o",
            &sampled,
            json!({"temperature": 0.5, "top_p": 0.9}),
            &["reasoning"],
        ),
    ] {
        let expected = dropped.iter().map(|field| (*field).to_owned()).collect();
        let seen = adapted(Quirks::OPENAI, model, asked);
        assert_eq!(seen, Some((sent, expected)), "{model}");
    }
}

#[test]
fn what_nobody_knows_of_a_model_is_not_held_against_it() {
    let asked = json!({"temperature": 0.5, "reasoning": {"effort": "minimal"}, "text": {"verbosity": "low"},
        "include": ["reasoning.encrypted_content"], "service_tier": "flex"});
    assert_eq!(adapted(Quirks::OPENAI, "my-deployment", &asked), None);
    let (sent, dropped) = adapted(Quirks::UNKNOWN, "gpt-4o", &asked).unwrap();
    assert_eq!(sent["reasoning"], asked["reasoning"]);
    assert_eq!(dropped, ["service_tier"]);
}
