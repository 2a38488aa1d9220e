//! A request is answered by the second upstream, whatever the first one does.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    PATIENCE, Setup, TestGateway, chat, chat_stream, chat_text, pass, simulators, stream_text,
};

const TIMEOUTS: &str =
    "timeouts: {connect: 1s, first_token: 300ms, answer: 300ms, idle: 300ms, total: 20s}\n";

/// The faults of an upstream before the client has received anything, and their names in the log of attempts.
fn faults() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::Refuse, "connect_refused"),
        (Fault::Reset, "connection_lost"),
        (Fault::Close, "connection_lost"),
        (Fault::Hang, "first_token_timeout"),
        (Fault::status(500), "server_error"),
        (Fault::status(503), "overloaded"),
        (Fault::status(529), "overloaded"),
        (Fault::status(530), "server_error"),
        (Fault::status(408), "server_error"),
        (Fault::status(429), "rate_limited"),
        (Fault::status(401), "unauthorized"),
        (Fault::status(403), "unauthorized"),
        (Fault::status(404), "model_unavailable"),
        (Fault::Html, "wrong_content_type"),
        (Fault::Empty, "empty_reply"),
        (Fault::ErrorInside { status: 500 }, "server_error"),
        (Fault::NoChoices, "no_answer"),
        (
            Fault::Redirect {
                to: "http://127.0.0.1:9/".to_owned(),
            },
            "redirect",
        ),
    ]
}

#[tokio::test]
async fn every_fault_of_the_first_upstream_is_answered_by_the_second() {
    for (fault, outcome) in faults() {
        let (first, second) = simulators().await;
        first.play(Script::fault(fault.clone())).await;
        let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;

        let answered = gateway.post("/v1/chat/completions", &chat()).await;
        assert_eq!(answered.status, 200, "{fault:?}: {:?}", answered.body);
        assert_eq!(chat_text(&answered), "Hello from second.", "{fault:?}");
        assert_eq!(
            answered.trail(),
            [format!("first:{outcome}"), "second:ok".to_owned()],
            "{fault:?}"
        );

        let streamed = gateway.post("/v1/chat/completions", &chat_stream()).await;
        assert_eq!(
            stream_text(&streamed.text()),
            ("Hello from second.".to_owned(), true),
            "{fault:?}"
        );
        assert_eq!(streamed.upstream(), "second", "{fault:?}");
        assert_eq!(second.received_count(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_truncated_body_fails_over_streamed_or_not() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Truncated)).await;
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    for _ in 0..2 {
        let answered = gateway.post("/v1/chat/completions", &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from second.");
        let streamed = gateway.post("/v1/chat/completions", &chat_stream()).await;
        assert_eq!(stream_text(&streamed.text()).0, "Hello from second.");
    }
}

#[tokio::test]
async fn responses_completions_and_embeddings_fail_over_too() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    let cases: [(&str, Value, &str); 3] = [
        (
            "/v1/responses",
            json!({"model": "gpt-4o", "input": "hi"}),
            "/output/0/content/0/text",
        ),
        (
            "/v1/completions",
            json!({"model": "gpt-4o", "prompt": "hi"}),
            "/choices/0/text",
        ),
        (
            "/v1/embeddings",
            json!({"model": "gpt-4o", "input": "hi"}),
            "/data/0/embedding",
        ),
    ];
    for (path, body, answer) in cases {
        let answered = gateway.post(path, &body).await;
        assert_eq!(answered.status, 200, "{path}");
        assert_eq!(answered.upstream(), "second", "{path}");
        assert!(
            answered.json().pointer(answer).is_some(),
            "{path}: {:?}",
            answered.body
        );
    }
}

#[tokio::test]
async fn a_clients_own_fault_goes_back_as_it_is_after_one_call() {
    for status in [400, 413, 422] {
        let (first, second) = simulators().await;
        let body = r#"{"error":{"message":"no such parameter","type":"invalid_request_error","param":"x","code":"y"}}"#;
        first
            .play(Script::fault(Fault::Status {
                code: status,
                headers: Vec::new(),
                body: Some(body.to_owned()),
            }))
            .await;
        let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
        let answered = gateway.post("/v1/chat/completions", &chat()).await;
        assert_eq!(answered.status, status);
        assert_eq!(answered.text(), body);
        assert_eq!(answered.trail(), ["first:rejected"]);
        assert_eq!((first.received_count(), second.received_count()), (1, 0));
    }
}

#[tokio::test]
async fn a_broken_upstream_is_left_alone_and_comes_back_once_it_has_healed() {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    let failures = gateway.ask_until_out(&chat()).await;
    assert!((3..=10).contains(&failures), "{failures}");
    for _ in 0..20 {
        let answered = gateway.post("/v1/chat/completions", &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from second.");
    }
    assert_eq!(first.received_count(), failures);

    first.play(Script::answer("Hello from first.")).await;
    let mut in_a_row = 0;
    let healed = async {
        while in_a_row < 10 {
            // Every request until then is answered as well, by one of them.
            let answered = gateway.post("/v1/chat/completions", &chat()).await;
            let is_back = chat_text(&answered) == "Hello from first.";
            in_a_row = if is_back { in_a_row + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, healed)
        .await
        .expect("the first upstream comes back");
}

#[tokio::test]
async fn a_probe_that_fails_costs_no_client_its_answer() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    let failures = gateway.ask_until_out(&chat()).await;
    // The next call of the first upstream is the half-open probe, after the pause.
    let tried = async {
        while first.received_count() == failures {
            let answered = gateway.post("/v1/chat/completions", &chat()).await;
            assert_eq!(chat_text(&answered), "Hello from second.");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tried)
        .await
        .expect("a half-open probe");
}

#[tokio::test]
async fn a_model_that_one_upstream_lacks_does_not_take_it_out_of_rotation() {
    let (first, second) = simulators().await;
    first.play(Script::status(404)).await;
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    let answered = gateway.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answered.trail(), ["first:model_unavailable", "second:ok"]);
    let answered = gateway.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answered.trail(), ["second:ok"]);
    first.play(Script::healthy()).await;
    let mut other = chat();
    other["model"] = "another".into();
    let answered = gateway.post("/v1/chat/completions", &other).await;
    assert_eq!(answered.trail(), ["first:ok"]);
}

#[tokio::test]
async fn what_is_too_long_for_one_model_goes_to_the_next_and_else_comes_back_as_that() {
    let error = json!({"error": {"message": "m", "type": "invalid_request_error", "code": "context_length_exceeded"}});
    let too_long = Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(error.to_string()),
    });
    // The window of this model is unknown.
    let mut body = chat();
    body["model"] = "house-model".into();
    let (first, second) = simulators().await;
    first.play(too_long.clone()).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for _ in 0..10 {
        let answered = gateway.post("/v1/chat/completions", &body).await;
        assert_eq!(answered.trail(), ["first:too_long", "second:ok"]);
    }
    second.play(too_long).await;
    let answered = gateway.post("/v1/chat/completions", &body).await;
    // The original, byte for byte.
    assert_eq!((answered.status, answered.upstream()), (400, "first"));
    assert_eq!(answered.text(), error.to_string());
    assert_eq!(answered.trail(), ["first:too_long", "second:too_long"]);
}

#[tokio::test]
async fn agents_learn_what_is_too_long_by_their_api_from_whoever_copies_it() {
    let words = "invalid params, context window exceeds limit (2013)";
    let error = json!({"type": "error", "error": {"type": "invalid_request_error", "message": words}, "request_id": null});
    let (first, _) = simulators().await;
    let gateway = TestGateway::start(&format!(
        "upstreams: {{first: {{provider: anthropic, api_key: k, base_url: \"{}\"}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: first}}]}}]\n",
        first.base_url()
    ))
    .await;
    first
        .play(Script::fault(Fault::Status {
            code: 400,
            headers: Vec::new(),
            body: Some(error.to_string()),
        }))
        .await;
    let body = json!({"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let answered = gateway.post("/v1/messages", &body).await;
    assert_eq!(answered.status, 400);
    let said = &answered.json()["error"]["message"];
    assert_eq!(*said, format!("prompt is too long: {words}"));
}

/// A further attempt costs a token only if there is a candidate for it.
#[tokio::test]
async fn a_failover_without_a_candidate_costs_no_budget() {
    let (first, second) = simulators().await;
    let third = Simulator::start("third", Script::answer("Hello from third."))
        .await
        .unwrap();
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .upstream(&third)
        .route(&["*"], &["first", "second, model: b", "third, model: c"])
        .start()
        .await;
    first.play(unsupported()).await;
    second.play(unsupported()).await;
    // Vectors of other models are useless, so the first one is the only candidate.
    let embed = json!({"model": "m", "input": "x"});
    for _ in 0..60 {
        let answered = gateway.post("/v1/embeddings", &embed).await;
        assert_eq!(answered.trail(), ["first:unsupported"]);
    }
    let answered = gateway.post("/v1/chat/completions", &chat()).await;
    let trail = ["first:unsupported", "second:unsupported", "third:ok"];
    assert_eq!(answered.trail(), trail);
}

/// What an upstream answers that does not know a field. It does not count against anybody's health.
pub(crate) fn unsupported() -> Script {
    let body = json!({"error": {"message": "no such field", "code": "unsupported_parameter"}});
    Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(body.to_string()),
    })
}

/// A route to three upstreams, with a model of its own for each, that waits for none of them.
pub(crate) async fn three_that_do_not_wait() -> (TestGateway, [Simulator; 3]) {
    let (first, second) = simulators().await;
    let third = Simulator::start("third", Script::healthy()).await.unwrap();
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .upstream(&third)
        .route(&["*"], &["first", "second, model: b", "third, model: c"])
        .lines("timeouts: {wait: 0s}\n")
        .start()
        .await;
    (gateway, [first, second, third])
}

/// Each of these costs one token of fifty, for the time that was lost; five answers bring one back.
#[tokio::test]
async fn a_route_that_has_spent_its_budget_asks_no_third_until_answers_have_earned_it() {
    let (gateway, [first, second, third]) = three_that_do_not_wait().await;
    let slowly = unsupported().with_answer_delay(Duration::from_secs(15));
    first.play(unsupported()).await;
    second.play(slowly).await;
    third.play(unsupported()).await;
    let ask = async |requests: usize| {
        let one = async |_| gateway.post("/v1/chat/completions", &chat()).await.status;
        let all = join_all((0..requests).map(one));
        tokio::join!(all, pass(Duration::from_secs(16))).0
    };
    assert_eq!(ask(60).await, [400; 60]);
    assert_eq!((second.received_count(), third.received_count()), (60, 50));
    first.play(Script::healthy()).await;
    for _ in 0..5 {
        let answered = gateway.post("/v1/chat/completions", &chat()).await;
        assert_eq!(answered.status, 200);
    }
    first.play(unsupported()).await;
    for at_third in [51, 51] {
        ask(1).await;
        assert_eq!(third.received_count(), at_third);
    }
}

/// Only a request of the Responses API can be put in other words for an upstream without its path.
#[tokio::test]
async fn an_upstream_without_the_path_of_chat_is_asked_once() {
    let (first, second) = simulators().await;
    first.play(Script::status(405)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let answered = gateway.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answered.trail(), ["first:endpoint_missing", "second:ok"]);
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

#[tokio::test]
async fn a_model_that_says_nothing_has_answered_only_after_a_tools_result() {
    let nothing = json!({"choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": ""}}]});
    let whole = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(nothing.to_string()),
    };
    let event =
        json!({"choices": [{"index": 0, "finish_reason": "stop", "delta": {"content": ""}}]});
    let streamed = Fault::Raw(format!("data: {event}\n\ndata: [DONE]\n\n"));
    for (fault, mut body) in [(whole, chat()), (streamed, chat_stream())] {
        let (first, second) = simulators().await;
        first.play(Script::fault(fault)).await;
        let gateway = TestGateway::before(&first, &second, "").await;
        let answered = gateway.post("/v1/chat/completions", &body).await;
        assert_eq!(answered.upstream(), "second", "{:?}", answered.trail());
        body["messages"] = json!([{"role": "user", "content": "hi"},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
                "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "done"}]);
        let answered = gateway.post("/v1/chat/completions", &body).await;
        assert_eq!(answered.status, 200, "{}", answered.text());
        assert_eq!(answered.upstream(), "first", "{:?}", answered.trail());
    }
}
