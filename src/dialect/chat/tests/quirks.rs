//! Conversations, as providers with quirks are sent them.

use serde_json::{Value, json};

use super::{conversation, sent, turn, upstream, written};
use crate::catalogue::Quirks;
use crate::dialect::conversation::{
    Api, Call, CallResult, Content, Conversation, Effort, Input, Part, Role, Streaming, Thought,
    Tool, ToolKind,
};

fn call(id: &str) -> Part {
    Part::new(Content::Call(Call {
        id: id.to_owned(),
        name: "f".to_owned(),
        namespace: None,
        input: Input::Json("{}".to_owned()),
    }))
}

fn result(id: &str) -> Part {
    Part::new(Content::Result(CallResult {
        id: id.to_owned(),
        parts: vec![Part::text("done")],
        is_error: false,
    }))
}

fn thought() -> Part {
    Part::new(Content::Thought(Thought {
        text: "Hm.".to_owned(),
        signature: None,
    }))
}

fn tool(description: &str) -> Tool {
    Tool {
        name: "f".to_owned(),
        namespace: None,
        description: Some(description.to_owned()),
        kind: ToolKind::Function {
            schema: Value::Null,
            strict: None,
        },
        cache: None,
    }
}

fn asked(origin: Api) -> Conversation {
    let mut asked = conversation(origin, vec![turn(Role::User, vec![Part::text("x")])]);
    asked.max_output = Some(50_000);
    asked.sampling.temperature = Some(1.into());
    asked.stop = vec!["END".to_owned()];
    asked
}

fn asked_with_tool(origin: Api) -> Conversation {
    let mut asked = asked(origin);
    asked.tools.list = vec![tool("d")];
    asked
}

/// A conversation in which a tool was called.
fn called(origin: Api, id: &str, with_thought: bool) -> Conversation {
    let mut asked = asked(origin);
    asked.tools.list = vec![tool("d")];
    let answer = if with_thought {
        vec![thought(), call(id)]
    } else {
        vec![call(id)]
    };
    asked.turns.push(turn(Role::Assistant, answer));
    asked
        .turns
        .push(turn(Role::User, vec![result(id), Part::text("and?")]));
    asked
}

#[test]
fn the_limit_has_the_name_that_the_provider_knows() {
    for (quirks, name) in [
        (Quirks::OPENAI, "max_completion_tokens"),
        (Quirks::OLDER, "max_tokens"),
        (Quirks::UNKNOWN, "max_tokens"),
    ] {
        assert_eq!(sent(asked(Api::Messages), "m", quirks).0[name], 50_000);
    }
    let mut upstream = upstream(Quirks::OPENAI);
    upstream.max_output = Some(9000);
    let written = written(asked(Api::Messages), "m", &upstream).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["max_completion_tokens"], 9000);
}

#[test]
fn models_that_think_get_no_sampling_at_openai() {
    let dropped = |model: &str, origin: Api| sent(asked(origin), model, Quirks::OPENAI).1;
    assert_eq!(dropped("gpt-5", Api::Responses), ["stop", "temperature"]);
    assert_eq!(
        dropped("gpt-5", Api::Messages),
        ["stop_sequences", "temperature"]
    );
    // Since gpt-5.1 they think only where an effort is asked for.
    assert_eq!(dropped("gpt-5.1", Api::Responses), ["stop"]);
    assert!(dropped("gpt-4o", Api::Responses).is_empty());
    let mut asked = called(Api::Responses, "c", false);
    asked.tools.parallel = Some(false);
    assert_eq!(
        sent(asked, "o4-mini", Quirks::OPENAI).1,
        ["parallel_tool_calls", "stop", "temperature"]
    );
}

#[test]
fn models_of_moonshots_that_think_keep_their_own_temperature() {
    for (model, dropped) in [
        ("kimi-k2.6", &["temperature"][..]),
        ("kimi-k3", &["temperature"]),
        ("kimi-k2-turbo-preview", &[]),
        ("moonshot-v1-8k", &[]),
    ] {
        assert_eq!(
            sent(asked(Api::Responses), model, Quirks::MOONSHOT).1,
            dropped,
            "{model}"
        );
    }
}

#[test]
fn models_of_xais_that_think_know_no_penalties_and_end_at_nothing() {
    let mut asked = asked(Api::Chat);
    asked.sampling.presence_penalty = Some(1.into());
    asked.sampling.frequency_penalty = Some(1.into());
    for (model, dropped) in [
        (
            "grok-4.6",
            &["frequency_penalty", "presence_penalty", "stop"][..],
        ),
        ("grok-4.20-0309-non-reasoning", &["presence_penalty"]),
    ] {
        let mut named = sent(asked.clone(), model, Quirks::XAI).1;
        named.sort();
        assert_eq!(named, dropped, "{model}");
    }
}

#[test]
fn fields_that_a_provider_refuses_are_left_out_and_named() {
    let mut asked = asked(Api::Responses);
    asked.sampling.seed = Some(7.into());
    asked.user = Some("u".to_owned());
    asked.streaming = Some(Streaming { with_usage: true });
    let (body, dropped) = sent(asked, "m", Quirks::MISTRAL);
    assert_eq!(dropped, ["seed", "user"]);
    let expected = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "max_tokens": 50_000, "stop": ["END"], "temperature": 1, "stream": true });
    assert_eq!(body, expected);
}

/// The effort that a model is asked for, and whether the client is told that it gets another.
fn effort(mut asked: Conversation, effort: Effort, model: &str, quirks: Quirks) -> (Value, bool) {
    asked.thinking.effort = Some(effort);
    let (body, dropped) = sent(asked, model, quirks);
    let is_dropped = dropped
        .iter()
        .any(|name| name == "thinking" || name == "reasoning");
    (body["reasoning_effort"].clone(), is_dropped)
}

#[test]
fn models_are_asked_to_think_as_hard_as_they_can_be() {
    let effort = |asked: Effort, model: &str, quirks: Quirks| {
        effort(asked_with_tool(Api::Responses), asked, model, quirks)
    };
    let (older, openai) = (Quirks::OLDER, Quirks::OPENAI);
    assert_eq!(effort(Effort::Minimal, "m", older), (json!("low"), false));
    assert_eq!(effort(Effort::Xhigh, "m", older), (json!("high"), false));
    assert_eq!(effort(Effort::None, "m", older), (Value::Null, true));
    assert_eq!(
        effort(Effort::High, "gpt-5.6", openai),
        (json!("none"), true)
    );
    assert_eq!(
        effort(Effort::Xhigh, "gpt-5.2", openai),
        (json!("xhigh"), false)
    );
}

#[test]
fn only_models_that_can_be_asked_are_by_clients_who_always_ask() {
    let effort = |asked: Effort, model: &str, quirks: Quirks| {
        effort(asked_with_tool(Api::Messages), asked, model, quirks)
    };
    let (older, openai) = (Quirks::OLDER, Quirks::OPENAI);
    assert_eq!(
        effort(Effort::Max, "gpt-5.2", openai),
        (json!("high"), false)
    );
    assert_eq!(
        effort(Effort::Low, "openai/gpt-5", Quirks::UNKNOWN),
        (json!("low"), false)
    );
    for (model, quirks) in [
        ("gpt-4o", openai),
        ("gpt-5-chat-latest", openai),
        ("deepseek-r1", older),
    ] {
        assert_eq!(
            effort(Effort::Low, model, quirks),
            (Value::Null, true),
            "{model}"
        );
    }
    let mut budget = asked(Api::Messages);
    budget.thinking.is_on = Some(true);
    budget.thinking.budget = Some(20_000);
    assert_eq!(
        sent(budget, "o3", Quirks::UNKNOWN).0["reasoning_effort"],
        "high"
    );
    let mut off = asked(Api::Messages);
    off.thinking.is_on = Some(false);
    assert_eq!(
        sent(off, "o3", Quirks::UNKNOWN),
        sent(asked(Api::Messages), "o3", Quirks::UNKNOWN)
    );
}

#[test]
fn what_is_too_long_for_a_description_is_told_by_the_system() {
    let quirks = Quirks {
        longest_description: Some(3),
        ..Quirks::UNKNOWN
    };
    let mut asked = asked(Api::Messages);
    asked.tools.list = vec![tool("äöü")];
    let (body, _) = sent(asked, "m", quirks);
    assert_eq!(body["tools"][0]["function"]["description"], "ä");
    assert_eq!(
        body["messages"][0],
        json!({ "role": "system", "content": "The description of the tool f goes on: öü" })
    );
}

#[test]
fn calls_get_ids_that_the_provider_takes() {
    let ids = |id: &str, quirks: Quirks| {
        let (body, _) = sent(called(Api::Messages, id, false), "m", quirks);
        let messages = body["messages"].as_array().unwrap();
        let call = messages
            .iter()
            .find(|message| message["role"] == "assistant")
            .unwrap();
        let result = messages
            .iter()
            .find(|message| message["role"] == "tool")
            .unwrap();
        assert_eq!(call["tool_calls"][0]["id"], result["tool_call_id"]);
        result["tool_call_id"].as_str().unwrap().to_owned()
    };
    let long = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
    assert_eq!(ids(long, Quirks::UNKNOWN), long);
    assert!(ids(long, Quirks::OPENAI).len() <= 40);
    assert_eq!(ids("toolu_1", Quirks::OPENAI), "toolu_1");
    let nine = ids("toolu_1", Quirks::MISTRAL);
    assert!(
        nine.len() == 9 && nine.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{nine}"
    );
    assert_eq!(ids("abcDEF123", Quirks::MISTRAL), "abcDEF123");
}

#[test]
fn calls_with_the_same_id_are_told_apart_in_nine_letters_too() {
    let mut asked = called(Api::Responses, "c", false);
    asked.turns.push(turn(Role::Assistant, vec![call("c")]));
    asked.turns.push(turn(Role::User, vec![result("c")]));
    let (body, _) = sent(asked, "m", Quirks::MISTRAL);
    let messages = body["messages"].as_array().unwrap().iter();
    let ids: Vec<&str> = messages
        .filter_map(|message| message["tool_call_id"].as_str())
        .collect();
    assert!(
        ids.len() == 2 && ids[0] != ids[1] && ids.iter().all(|id| id.len() == 9),
        "{ids:?}"
    );
}

#[test]
fn tools_are_answered_before_a_user_speaks() {
    let (body, _) = sent(called(Api::Messages, "c", false), "m", Quirks::MISTRAL);
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<&Value> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"]);
    assert_eq!(messages[3]["content"], "OK.");
}

#[test]
fn calls_of_others_are_signed_for_the_models_that_want_it() {
    let signature = |model: &str| {
        let (body, _) = sent(called(Api::Messages, "c", false), model, Quirks::GEMINI);
        body["messages"][1]["tool_calls"][0]["extra_content"]["google"]["thought_signature"].clone()
    };
    assert_eq!(
        signature("google/gemini-3-pro"),
        "skip_thought_signature_validator"
    );
    assert_eq!(signature("gemini-2.5-flash"), Value::Null);
}

#[test]
fn thoughts_that_must_come_back_do() {
    let sent = |with_thought: bool, is_shown: bool, has_called: bool| {
        let mut asked = called(Api::Messages, "c", with_thought);
        asked.thinking.is_shown = is_shown;
        asked.thinking.effort = Some(Effort::High);
        if !has_called {
            asked.turns.truncate(1);
        }
        let (body, dropped) = sent(asked, "deepseek-v4", Quirks::DEEPSEEK);
        (
            body["messages"][1]["reasoning_content"].clone(),
            body["thinking"]["type"].clone(),
            dropped,
        )
    };
    let dropped = vec!["thinking".to_owned()];
    let off = json!("disabled");
    assert_eq!(
        sent(true, true, true),
        (json!("Hm."), Value::Null, dropped.clone())
    );
    assert_eq!(
        sent(false, true, true),
        (Value::Null, off.clone(), dropped.clone())
    );
    assert_eq!(
        sent(false, true, false),
        (Value::Null, Value::Null, dropped.clone())
    );
    assert_eq!(sent(false, false, false), (Value::Null, off, dropped));
}
