//! Requests in words that only OpenAI's own API has: they reach their own model as they are, and other makers' in words that
//! those know.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Answered, simulators};
use crate::providers::gateway;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const PATCH: &str = "*** Begin Patch\n+\"ä\"\n";

/// One whose first upstream is down.
async fn fallen_back(body: &Value, provider: &str, script: Script) -> (Answered, Simulator) {
    fallen_back_at(CHAT, body, provider, script).await
}

async fn fallen_back_at(
    path: &str,
    body: &Value,
    provider: &str,
    script: Script,
) -> (Answered, Simulator) {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    second.play(script).await;
    let gateway = gateway(&first, &second, provider).await;
    let answered = gateway.post(path, body).await;
    (answered, second)
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}})
}

fn with_choice(mode: &str) -> Value {
    let only = json!([{"type": "function", "function": {"name": "b"}}]);
    json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "hi"}],
        "tools": [function("a"), function("b")],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": only}}})
}

/// A second turn, with a call of a tool that takes a text.
fn with_custom_tool(is_streamed: bool) -> Value {
    let call =
        json!({"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "before"}});
    json!({"model": "gpt-4.1", "stream": is_streamed,
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "done"},
        ],
        "tools": [function("a"), {"type": "custom", "custom": {"name": "patch", "description": "Edits.", "format": {"type": "text"}}}],
        "tool_choice": {"type": "custom", "custom": {"name": "patch"}}})
}

/// Another maker's whole answer.
fn says_whole(message: Value, reason: &str) -> Script {
    let choice = json!({"index": 0, "message": message, "finish_reason": reason});
    let whole =
        json!({"id": "c", "object": "chat.completion", "model": "other", "choices": [choice]});
    Script::fault(Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(whole.to_string()),
    })
}

/// An event of its stream.
fn event(delta: Value, reason: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "model": "other", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

/// How another maker's model calls a function.
fn calls_patch(is_streamed: bool) -> Script {
    let arguments = json!({ "input": PATCH }).to_string();
    let call = |arguments: &str| json!({"index": 0, "id": "abc", "type": "function", "function": {"name": "patch", "arguments": arguments}});
    if !is_streamed {
        let message =
            json!({"role": "assistant", "content": null, "tool_calls": [call(&arguments)]});
        return says_whole(message, "tool_calls");
    }
    let (begin, rest) = arguments.split_at(20);
    let piece = json!({"tool_calls": [{"index": 0, "function": {"arguments": rest}}]});
    let events = [
        event(
            json!({"role": "assistant", "tool_calls": [call(begin)]}),
            None,
        ),
        event(piece, None),
        event(json!({}), Some("tool_calls")),
    ];
    Script::fault(Fault::Raw(events.concat() + "data: [DONE]\n\n"))
}

#[tokio::test]
async fn what_is_written_in_openais_own_words_passes_as_it_is_to_its_own_model() {
    for body in [with_choice("auto"), with_custom_tool(false)] {
        let (first, second) = simulators().await;
        let gateway = gateway(&first, &second, "mistral").await;
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(answered.trail(), ["first:ok"]);
        assert_eq!(first.received()[0].body, body.to_string());
    }
    // So does what stands in for it at OpenAI.
    let (answered, second) =
        fallen_back(&with_custom_tool(false), "openai", Script::healthy()).await;
    assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
    let sent = second.received()[0].json();
    assert_eq!(sent["tools"], with_custom_tool(false)["tools"]);
}

#[tokio::test]
async fn a_choice_among_some_tools_is_told_to_others_with_these_tools_alone() {
    for provider in ["mistral", "groq", "openai-compatible"] {
        for (mode, choice) in [("auto", "auto"), ("required", "required")] {
            let (answered, second) =
                fallen_back(&with_choice(mode), provider, Script::healthy()).await;
            assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
            assert_eq!(answered.json()["object"], "chat.completion");
            let sent = second.received()[0].json();
            assert_eq!(sent["tool_choice"], choice, "{provider}");
            assert_eq!(sent["tools"], json!([function("b")]), "{provider}");
            assert_eq!(sent["model"], "other");
        }
    }
}

#[tokio::test]
async fn a_tool_that_takes_a_text_is_a_function_to_others_and_its_call_comes_back_as_a_text() {
    for is_streamed in [false, true] {
        let body = with_custom_tool(is_streamed);
        let (answered, second) = fallen_back(&body, "groq", calls_patch(is_streamed)).await;
        assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
        let sent = second.received()[0].json();
        let tool = &sent["tools"][1]["function"];
        assert_eq!(tool["description"], "Edits.");
        assert_eq!(tool["parameters"]["required"], json!(["input"]));
        let named = json!({"type": "function", "function": {"name": "patch"}});
        assert_eq!(sent["tool_choice"], named);
        assert_eq!(sent["messages"][0]["role"], "system");
        let before = &sent["messages"][2]["tool_calls"][0];
        assert_eq!(before["type"], "function");
        assert_eq!(before["function"]["arguments"], "{\"input\":\"before\"}");
        assert_eq!(sent["messages"][3]["tool_call_id"], before["id"]);

        let (call, input, reason) = called(&answered, is_streamed);
        assert_eq!((input.as_str(), reason), (PATCH, json!("tool_calls")));
        assert_eq!(
            (&call["type"], &call["custom"]["name"]),
            (&json!("custom"), &json!("patch"))
        );
        assert_eq!(call["function"], Value::Null);
    }
}

/// A second turn of Codex's, with a tool that takes a text and a group of tools.
fn with_codex_tools(is_streamed: bool) -> Value {
    let member = json!({"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}});
    json!({"model": "gpt-5.6", "stream": is_streamed, "store": false,
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "before"},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
    ],
    "tools": [
        {"type": "custom", "name": "patch", "description": "Edits.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}},
        {"type": "namespace", "name": "mcp__x", "description": "Tools.", "tools": [member]},
    ]})
}

#[tokio::test]
async fn codexs_tools_are_functions_to_who_copies_responses_in_part() {
    for is_streamed in [false, true] {
        for provider in ["xai", "openrouter", "openai-compatible"] {
            let body = with_codex_tools(is_streamed);
            let script = calls_patch(is_streamed);
            let (answered, second) = fallen_back_at(RESPONSES, &body, provider, script).await;
            assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
            let received = second.received();
            assert_eq!(received[0].path, CHAT, "{provider}");
            let sent = received[0].json();
            let tools = sent["tools"].as_array().unwrap();
            assert_eq!(tools.len(), 2);
            assert!(tools.iter().all(|tool| tool["type"] == "function"));
            let before = &sent["messages"][1]["tool_calls"][0];
            assert_eq!(before["function"]["arguments"], "{\"input\":\"before\"}");

            let whole = match is_streamed {
                false => answered.json(),
                true => {
                    let text = answered.text();
                    let last = text
                        .lines()
                        .rfind(|line| line.starts_with("data: "))
                        .unwrap();
                    let last: Value = serde_json::from_str(&last["data: ".len()..]).unwrap();
                    assert_eq!(last["type"], "response.completed");
                    last["response"].clone()
                }
            };
            let call = &whole["output"][0];
            assert_eq!(
                (&call["type"], &call["name"], &call["input"]),
                (&json!("custom_tool_call"), &json!("patch"), &json!(PATCH))
            );
        }
    }
    // What stands in for them at OpenAI knows them, and who has nothing to say it by is asked as the client asks.
    let body = with_codex_tools(false);
    let (_, second) = fallen_back_at(RESPONSES, &body, "openai", Script::healthy()).await;
    assert_eq!(second.received()[0].path, RESPONSES);
    assert_eq!(second.received()[0].json()["tools"], body["tools"]);
    let mut body = with_codex_tools(false);
    let tools = body["tools"].as_array_mut().unwrap();
    tools.push(json!({"type": "image_generation"}));
    let (_, second) = fallen_back_at(RESPONSES, &body, "openrouter", Script::healthy()).await;
    assert_eq!(second.received()[0].path, RESPONSES);
    assert_eq!(second.received()[0].json()["tools"], body["tools"]);
}

/// The choice of an answer, or of each chunk of one.
fn choices(answered: &Answered, is_streamed: bool) -> Vec<Value> {
    if !is_streamed {
        return vec![answered.json()["choices"][0].clone()];
    }
    let text = answered.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: {"));
    let chunks = events.map(|rest| serde_json::from_str(&format!("{{{rest}")).unwrap());
    chunks
        .map(|chunk: Value| chunk["choices"][0].clone())
        .collect()
}

/// The beginning of the call, all of its input, and why the answer has ended.
fn called(answered: &Answered, is_streamed: bool) -> (Value, String, Value) {
    let choices = choices(answered, is_streamed);
    let said = if is_streamed { "delta" } else { "message" };
    let calls: Vec<&Value> = choices
        .iter()
        .map(|choice| &choice[said]["tool_calls"][0])
        .filter(|call| !call.is_null())
        .collect();
    let input = calls
        .iter()
        .filter_map(|call| call["custom"]["input"].as_str());
    let reason = choices
        .iter()
        .map(|choice| &choice["finish_reason"])
        .rfind(|why| !why.is_null());
    (calls[0].clone(), input.collect(), reason.unwrap().clone())
}

/// How a model of Mistral's answers that has thought.
fn thinks_in_content(is_streamed: bool) -> Script {
    let thinks =
        |text: &str| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    if !is_streamed {
        let content = json!([thinks("Hm. So."), {"type": "text", "text": "Yes."}]);
        return says_whole(json!({"role": "assistant", "content": content}), "stop");
    }
    let events = [
        event(json!({"role": "assistant", "content": ""}), None),
        event(json!({"content": [thinks("Hm. ")]}), None),
        event(json!({"content": [thinks("So.")]}), None),
        event(json!({"content": "Yes."}), None),
        event(json!({"content": ""}), Some("stop")),
    ];
    Script::fault(Fault::Raw(events.concat() + "data: [DONE]\n\n"))
}

#[tokio::test]
async fn thoughts_in_the_content_come_beside_it_to_who_has_asked_another_maker() {
    for is_streamed in [false, true] {
        let mut body = json!({"model": "gpt-5.2", "reasoning_effort": "high", "stream": is_streamed,
            "messages": [{"role": "user", "content": "hi"}]});
        let (answered, second) =
            fallen_back(&body, "mistral", thinks_in_content(is_streamed)).await;
        assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
        assert_eq!(second.received()[0].json()["model"], "other");
        let choices = choices(&answered, is_streamed);
        let said = if is_streamed { "delta" } else { "message" };
        let text = |field: &str| {
            let texts = choices.iter().map(|choice| &choice[said][field]);
            let texts = texts.filter(|text| !text.is_null());
            texts.map(|text| text.as_str().unwrap()).collect::<String>()
        };
        assert_eq!(
            (text("reasoning_content"), text("content")),
            ("Hm. So.".to_owned(), "Yes.".to_owned())
        );
        // What only a chat can ask for is still asked, in words of its own.
        body["n"] = 2.into();
        let (answered, second) =
            fallen_back(&body, "mistral", thinks_in_content(is_streamed)).await;
        assert_eq!(second.received()[0].json()["n"], 2, "{answered:?}");
        // Who has asked for this very model knows how it answers.
        body["model"] = "other".into();
        body["n"] = 1.into();
        let script = thinks_in_content(is_streamed);
        let (answered, _) = fallen_back(&body, "mistral", script).await;
        assert!(answered.text().contains(r#""type":"thinking""#));
    }
}

#[tokio::test]
async fn who_cannot_search_the_web_is_not_asked_to() {
    let mut body = with_choice("auto");
    body["web_search_options"] = json!({"search_context_size": "low"});
    body.as_object_mut().unwrap().shift_remove("tools");
    body.as_object_mut().unwrap().shift_remove("tool_choice");
    let (answered, second) = fallen_back(&body, "deepseek", Script::healthy()).await;
    assert_eq!(second.received_count(), 0);
    assert_eq!(answered.status, 503);
    let said = answered.text();
    assert!(said.contains("hosted tools"), "{said}");
    for provider in ["perplexity", "openrouter"] {
        let (answered, second) = fallen_back(&body, provider, Script::healthy()).await;
        assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
        let sent = second.received()[0].json();
        assert_eq!(sent["web_search_options"], body["web_search_options"]);
    }
}

#[tokio::test]
async fn hints_that_only_openai_knows_are_left_out_and_named() {
    let hints = json!({"metadata": {"a": "b"}, "prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k",
        "prompt_cache_retention": "24h", "safety_identifier": "s", "store": true, "verbosity": "low"});
    let names: Vec<&String> = hints.as_object().unwrap().keys().collect();
    let mut body = json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(hints.as_object().unwrap().clone());
    for (provider, kept) in [
        ("groq", &[][..]),
        ("cerebras", &[]),
        ("xai", &[]),
        ("mistral", &["prediction", "prompt_cache_key"]),
        (
            "openrouter",
            &[
                "metadata",
                "prediction",
                "prompt_cache_key",
                "prompt_cache_retention",
                "safety_identifier",
                "store",
                "verbosity",
            ],
        ),
    ] {
        let (answered, second) = fallen_back(&body, provider, Script::healthy()).await;
        assert_eq!(answered.trail(), ["first:overloaded", "second:ok"]);
        let sent = second.received()[0].json();
        let dropped = answered.header("x-backstop-dropped");
        for name in &names {
            let is_kept = kept.contains(&name.as_str());
            assert_eq!(sent.get(*name).is_some(), is_kept, "{provider} {name}");
            assert_eq!(
                dropped.split(", ").any(|it| it == name.as_str()),
                !is_kept,
                "{dropped}"
            );
        }
    }
}
