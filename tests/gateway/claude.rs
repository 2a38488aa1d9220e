//! Clients of `OpenAI`'s API, served by upstreams with Anthropic's API.

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Continuing, Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, chat_stream, chat_text, refusal, stream_text};
use crate::streamed::{Streamed, read};

const CHAT: &str = "/v1/chat/completions";
const TEXT: &str = "The quick brown fox jumps over the lazy dog, and then it sleeps.";

async fn simulators() -> (Simulator, Simulator) {
    let openai = Simulator::start("openai", Script::answer(TEXT))
        .await
        .unwrap();
    let claude = Simulator::start("claude", Script::answer(TEXT))
        .await
        .unwrap();
    (openai, claude)
}

/// A gateway with an upstream of either dialect, the first one named before the other.
async fn gateway(
    openai: &Simulator,
    claude: &Simulator,
    order: &[&str],
    more: &str,
) -> TestGateway {
    let candidates = order.iter().map(|name| match *name {
        "claude" => "claude, model: claude-sonnet-4-5",
        _ => "openai, model: gpt-4o",
    });
    let candidates: Vec<&str> = candidates.collect();
    Setup::new()
        .upstream_as(openai, "provider: openai, api_key: openai-key")
        .upstream_as(claude, "provider: anthropic, api_key: claude-key")
        .route_with(&["*"], &candidates, more)
        .lines("timeouts: {first_token: 600ms, answer: 600ms, idle: 400ms, content: 600ms}")
        .start()
        .await
}

fn whole() -> Streamed {
    Streamed {
        text: TEXT.to_owned(),
        claims_end: true,
        ..Streamed::default()
    }
}

#[tokio::test]
async fn when_openai_is_down_claude_answers() {
    for fault in [Fault::status(503), Fault::Reset, Fault::Hang, Fault::Html] {
        let (openai, claude) = simulators().await;
        openai.play(Script::fault(fault)).await;
        let gateway = gateway(&openai, &claude, &["openai", "claude"], "").await;
        let mut body = chat();
        body["seed"] = json!(7);
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!((answered.status, answered.upstream()), (200, "claude"));
        assert_eq!(chat_text(&answered), TEXT);
        assert_eq!(answered.header("x-backstop-dropped"), "seed");
        assert_eq!(answered.json()["object"], "chat.completion");

        let mut body = chat_stream();
        body["stream_options"] = json!({"include_usage": true});
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(stream_text(&answered.text()), (TEXT.to_owned(), true));
        assert!(answered.text().contains("\"prompt_tokens\""));

        let asked = &claude.received()[0];
        assert_eq!(asked.path, "/v1/messages");
        assert_eq!(asked.header("x-api-key"), Some("claude-key"));
        assert_eq!(asked.header("authorization"), None);
        assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));
        let sent = asked.json();
        assert_eq!(sent["model"], "claude-sonnet-4-5");
        assert_eq!(sent["messages"][0]["content"][0]["text"], "hi");
        assert!(sent["max_tokens"].is_u64() && sent["seed"].is_null());
    }
}

#[tokio::test]
async fn when_claude_is_down_openai_answers() {
    let faults = [
        (Fault::status(529), "overloaded"),
        (Fault::status(500), "server_error"),
        (Fault::status(429), "rate_limited"),
        (Fault::status(401), "unauthorized"),
        (Fault::status(402), "quota_exhausted"),
        (Fault::status(404), "model_unavailable"),
        (Fault::ErrorInside { status: 529 }, ""),
        (Fault::Garbage, ""),
        (Fault::Empty, "empty_reply"),
        (Fault::RoleThenEnd, ""),
        (Fault::RoleThenCut, "connection_lost"),
        (Fault::OnlyComments, ""),
        (Fault::NoChoices, "no_answer"),
        (Fault::Truncated, "connection_lost"),
    ];
    for (fault, outcome) in faults {
        for body in [chat(), chat_stream()] {
            let (openai, claude) = simulators().await;
            claude.play(Script::fault(fault.clone())).await;
            let gateway = gateway(&openai, &claude, &["claude", "openai"], "").await;
            let answered = gateway.post(CHAT, &body).await;
            let about = format!("{fault:?} {body} {:?}", answered.trail());
            assert_eq!(
                (answered.status, answered.upstream()),
                (200, "openai"),
                "{about}"
            );
            assert_eq!(answered.trail().len(), 2, "{about}");
            assert!(answered.trail()[0].ends_with(outcome), "{about}");
            let text = match body["stream"] == true {
                true => stream_text(&answered.text()).0,
                false => chat_text(&answered),
            };
            assert_eq!(text, TEXT, "{about}");
        }
    }
}

#[tokio::test]
async fn a_stream_of_claudes_that_breaks_never_looks_whole() {
    for fault in [
        Fault::CutAfter(3),
        Fault::ResetAfter(3),
        Fault::EndAfter(3),
        Fault::StallAfter(3),
        Fault::ErrorAfter(3),
        Fault::GarbageAfter(3),
    ] {
        let (openai, claude) = simulators().await;
        claude
            .play(Script::fault(fault.clone()).with_text(TEXT))
            .await;
        let gateway = gateway(&openai, &claude, &["claude", "openai"], "").await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        let streamed = read(&answered.text());
        assert!(
            TEXT.starts_with(&streamed.text) && !streamed.text.is_empty(),
            "{fault:?}"
        );
        assert!(
            !streamed.claims_end && streamed.ends_with_failure,
            "{fault:?}"
        );
        let broken = gateway.events.wait_for(|event| match event {
            Event::RequestFinished(report) => Some(report.result),
            _ => None,
        });
        assert_eq!(broken.await, RequestResult::Broken);
    }
    // After its last event nothing can break it.
    let (openai, claude) = simulators().await;
    claude
        .play(Script::fault(Fault::ResetAtEnd).with_text(TEXT))
        .await;
    let gateway = gateway(&openai, &claude, &["claude", "openai"], "").await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(read(&answered.text()), whole());
}

#[tokio::test]
async fn each_goes_on_where_the_other_broke_off() {
    for (order, mode) in [
        (["openai", "claude"], "prefill"),
        (["openai", "claude"], "regenerate"),
        (["claude", "openai"], "regenerate"),
    ] {
        let (openai, claude) = simulators().await;
        let breaks = Script::fault(Fault::CutAfter(5)).with_text(TEXT);
        let first = if order[0] == "openai" {
            &openai
        } else {
            &claude
        };
        first.play(breaks).await;
        if order[0] == "openai" {
            claude
                .play(Script::answer(TEXT).with_continuing(Continuing::Exactly))
                .await;
        }
        let gateway = gateway(&openai, &claude, &order, &format!("continuation: {mode}")).await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        assert_eq!(read(&answered.text()), whole(), "{order:?} {mode}");
        assert!(answered.text().contains(": continued by "));
    }
}

#[tokio::test]
async fn what_claude_cannot_do_goes_elsewhere_or_is_refused_by_name() {
    let (openai, claude) = simulators().await;
    let both = gateway(&openai, &claude, &["claude", "openai"], "").await;
    let alone = gateway(&openai, &claude, &["claude"], "").await;
    for (field, value, lack) in [
        ("n", json!(2), "n"),
        ("logprobs", json!(true), "logprobs"),
        ("modalities", json!(["audio", "text"]), "audio"),
    ] {
        let mut body = chat();
        body[field] = value;
        assert_eq!(both.post(CHAT, &body).await.trail(), ["openai:ok"]);
        let error = refusal(
            &alone.post(CHAT, &body).await,
            400,
            "unsupported_by_upstreams",
        );
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains(&format!("({lack})")),
            "{error}"
        );
    }
    let stored = json!({"model": "gpt-4o", "input": "hi", "previous_response_id": "resp_1"});
    assert_eq!(
        both.post("/v1/responses", &stored).await.trail(),
        ["openai:ok"]
    );
    assert_eq!(claude.received_count(), 0);
}

/// Agno goes on from the last answer by its id, and sends the whole conversation when `OpenAI` does not find that.
#[tokio::test]
async fn an_answer_that_was_translated_cannot_be_gone_on_from_and_nobody_is_asked() {
    let (openai, claude) = simulators().await;
    let both = gateway(&openai, &claude, &["openai", "claude"], "").await;
    for streamed in [false, true] {
        openai.play(Script::status(503)).await;
        let body = json!({"model": "gpt-4o", "input": "hi", "stream": streamed});
        let answered = both.post("/v1/responses", &body).await;
        assert_eq!(answered.upstream(), "claude");
        let text = answered.text();
        let (_, rest) = text.split_once("\"id\":\"resp_").unwrap();
        let id = format!("resp_{}", rest.split('"').next().unwrap());

        let asked = (openai.received_count(), claude.received_count());
        let body = json!({"model": "gpt-4o", "input": "and?", "previous_response_id": id});
        let answered = both.post("/v1/responses", &body).await;
        let error = refusal(&answered, 400, "previous_response_not_found");
        assert_eq!(error["param"], "previous_response_id");
        let found = format!("Previous response with id '{id}' not found");
        assert!(
            error["message"].as_str().unwrap().starts_with(&found),
            "{error}"
        );
        let missing = both.get(&format!("/v1/responses/{id}")).await;
        let error = refusal(&missing, 404, "response_not_found");
        let found = format!("Response with id '{id}' not found");
        assert!(
            error["message"].as_str().unwrap().starts_with(&found),
            "{error}"
        );
        assert_eq!((openai.received_count(), claude.received_count()), asked);
    }
}

#[tokio::test]
async fn a_clients_own_fault_comes_back_in_openais_shape() {
    let (openai, claude) = simulators().await;
    claude.play(Script::status(400)).await;
    let alone = gateway(&openai, &claude, &["claude"], "").await;
    let answered = alone.post(CHAT, &chat()).await;
    assert_eq!((answered.status, answered.upstream()), (400, "claude"));
    let error: Value = answered.json();
    assert_eq!(error["error"]["type"], "invalid_request_error");
    assert!(error["error"]["message"].is_string() && error["type"].is_null());

    // The rejection may be about our translation: a candidate with the client's own API is tried as well.
    let both = gateway(&openai, &claude, &["claude", "openai"], "").await;
    assert_eq!(
        both.post(CHAT, &chat()).await.trail(),
        ["claude:rejected", "openai:ok"]
    );
    openai.play(Script::status(400)).await;
    let answered = both.post(CHAT, &chat()).await;
    assert_eq!((answered.status, answered.upstream()), (400, "claude"));
}

#[tokio::test]
async fn claude_may_search_after_calls_of_tools_that_are_gone() {
    let (openai, claude) = simulators().await;
    let gateway = gateway(&openai, &claude, &["claude"], "").await;
    let body = json!({"model": "gpt-4o", "tools": [{"type": "web_search"}], "input": [
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {"role": "user", "content": "and what do others say?"},
    ]});
    let answered = gateway.post("/v1/responses", &body).await;
    assert_eq!((answered.status, answered.upstream()), (200, "claude"));
    let sent = claude.received()[0].json();
    assert_eq!(sent["tools"].as_array().unwrap().len(), 1);
    assert_eq!(sent["tools"][0]["type"], "web_search_20250305");
    assert_eq!(sent["tool_choice"], Value::Null);
}

#[tokio::test]
async fn responses_are_had_from_upstreams_that_have_chats_or_messages_only() {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    for upstream in [
        "provider: openai-compatible, responses: false",
        "provider: ernie, api_key: k",
        "provider: anthropic, api_key: k",
    ] {
        let keys = "provider: openai-compatible";
        let gateway = Setup::new()
            .upstream_at("first", &first.base_url(), keys)
            .upstream_at("second", &second.base_url(), upstream)
            .start()
            .await;
        let mut body = json!({"model": "gpt-4o", "input": "hi", "instructions": "Be brief."});
        let answered = gateway.post("/v1/responses", &body).await;
        assert_eq!(
            (answered.status, answered.upstream()),
            (200, "second"),
            "{upstream}"
        );
        let response = answered.json();
        assert_eq!(response["object"], "response", "{upstream}");
        assert_eq!(response["output"][0]["content"][0]["text"], TEXT);
        assert!(response["usage"]["output_tokens"].is_u64());
        body["stream"] = json!(true);
        for fault in [Fault::None, Fault::NoDone, Fault::StallAtEnd] {
            second
                .play(Script::fault(fault.clone()).with_text(TEXT))
                .await;
            let answered = gateway.post("/v1/responses", &body).await;
            assert_eq!(
                read(&answered.text()),
                whole(),
                "{upstream} {fault:?} {}",
                answered.text()
            );
        }
        for fault in [Fault::CutAfter(3), Fault::EndAfter(3), Fault::ErrorAfter(3)] {
            second
                .play(Script::fault(fault.clone()).with_text(TEXT))
                .await;
            let answered = gateway.post("/v1/responses", &body).await;
            let streamed = read(&answered.text());
            assert!(
                streamed.ends_with_failure && !streamed.claims_end,
                "{upstream} {fault:?}"
            );
        }
        let asked = second.received().pop().unwrap();
        assert!(!asked.path.ends_with("/responses"), "{}", asked.path);
        second.play(Script::answer(TEXT)).await;
    }
}

#[tokio::test]
async fn requests_are_adapted_to_another_claude_model_as_fallback() {
    let (first, second) = simulators().await;
    first.play(Script::status(529)).await;
    let keys = "provider: anthropic, api_key: k";
    let gateway = Setup::new()
        .upstream_at("first", &first.base_url(), keys)
        .upstream_at("second", &second.base_url(), keys)
        .route(&["*"], &["first", "second, model: claude-opus-4-1"])
        .start()
        .await;
    let body = json!({
        "model": "claude-sonnet-5", "max_tokens": 64_000, "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"}, "messages": [{"role": "user", "content": "hi"}],
    });
    let answered = gateway.post("/v1/messages", &body).await;
    assert_eq!((answered.status, answered.upstream()), (200, "second"));
    assert_eq!(first.received()[0].json(), body);
    assert_eq!(
        second.received()[0].json(),
        json!({
            "model": "claude-opus-4-1", "max_tokens": 32_000,
            "thinking": {"type": "enabled", "budget_tokens": 8192},
            "messages": [{"role": "user", "content": "hi"}],
        })
    );

    let body = json!({
        "model": "claude-sonnet-5", "max_tokens": 1000, "thinking": {"type": "adaptive"},
        "messages": [{"role": "user", "content": "hi"}],
    });
    let answered = gateway.post("/v1/messages", &body).await;
    assert_eq!(answered.header("x-backstop-dropped"), "thinking");
    assert_eq!(second.received()[1].json()["thinking"], Value::Null);
}
