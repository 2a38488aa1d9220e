//! Clients of Anthropic's Messages API, such as Claude Code.

use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Framing, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answered, Setup, TestGateway, simulators};

const MESSAGES: &str = "/v1/messages?beta=true";
const TIMEOUTS: &str =
    "timeouts: {first_token: 600ms, answer: 600ms, idle: 400ms, content: 600ms, reasoning: 600ms}";
const JSON: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("x-api-key", "client-key"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "claude-code-20250219"),
];

async fn gateway(first: &Simulator, second: &Simulator) -> TestGateway {
    claude_twice(first, second)
        .lines("clients: [{name: me, key: client-key}]")
        .lines(TIMEOUTS)
        .start()
        .await
}

/// Two upstreams with Anthropic's API.
fn claude_twice(first: &Simulator, second: &Simulator) -> Setup {
    Setup::new()
        .upstream_as(first, "provider: anthropic, api_key: first-key")
        .upstream_as(second, "provider: anthropic, api_key: second-key")
        .route(&["claude-*"], &["first", "second"])
}

fn message(stream: bool) -> String {
    let messages = json!([{"role": "user", "content": "hi"}]);
    json!({"model": "claude-opus-5", "max_tokens": 9, "stream": stream, "messages": messages, "unheard_of": 1}).to_string()
}

/// The text, whether the stream ended as complete, and the types of its errors.
fn read(answered: &Answered) -> (String, bool, Vec<String>) {
    let (mut text, mut is_whole, mut errors) = (String::new(), false, Vec::new());
    let body = answered.text().replace('\r', "");
    for event in body.split("\n\n").filter(|event| !event.is_empty()) {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: ").unwrap(), data["type"]);
        text += data["delta"]["text"].as_str().unwrap_or_default();
        is_whole |= data["type"] == "message_stop";
        if let Some(kind) = data["error"]["type"].as_str() {
            errors.push(kind.to_owned());
        }
    }
    (text, is_whole, errors)
}

#[tokio::test]
async fn messages_pass_byte_for_byte_and_fail_over() {
    let faults = [
        Fault::None,
        Fault::status(529),
        Fault::status(500),
        Fault::status(429),
        Fault::Reset,
        Fault::Hang,
        Fault::Empty,
        Fault::Garbage,
        Fault::RoleThenEnd,
        Fault::ErrorInside { status: 529 },
        Fault::OnlyComments,
    ];
    for fault in faults {
        for stream in [false, true] {
            let (first, second) = simulators().await;
            first.play(Script::fault(fault.clone())).await;
            let gateway = gateway(&first, &second).await;
            let answered = gateway
                .send(Method::POST, MESSAGES, JSON, message(stream))
                .await;
            let name = if fault == Fault::None {
                "first"
            } else {
                "second"
            };
            let about = format!(
                "{fault:?} {stream} {:?} {}",
                answered.trail(),
                answered.text()
            );
            assert_eq!(
                (answered.status, answered.upstream()),
                (200, name),
                "{about}"
            );
            let text = format!("Hello from {name}.");
            if stream {
                assert_eq!(read(&answered), (text, true, vec![]), "{about}");
            } else {
                assert_eq!(answered.json()["content"][0]["text"], text, "{about}");
                assert_eq!(answered.json()["type"], "message");
            }
            let upstream = if fault == Fault::None {
                &first
            } else {
                &second
            };
            let asked = &upstream.received()[0];
            assert_eq!(asked.path, "/v1/messages?beta=true");
            assert_eq!(asked.body, message(stream), "{about}");
            assert_eq!(
                asked.header("x-api-key"),
                Some(format!("{name}-key").as_str())
            );
            assert_eq!(asked.header("anthropic-beta"), Some("claude-code-20250219"));
        }
    }
}

#[tokio::test]
async fn a_broken_stream_of_messages_ends_with_anthropics_error() {
    for fault in [
        Fault::CutAfter(2),
        Fault::EndAfter(2),
        Fault::StallAfter(2),
        Fault::ErrorAfter(2),
        Fault::GarbageAfter(2),
    ] {
        let (first, second) = simulators().await;
        first.play(Script::fault(fault.clone())).await;
        let gateway = gateway(&first, &second).await;
        let answered = gateway
            .send(Method::POST, MESSAGES, JSON, message(true))
            .await;
        let error = vec!["api_error".to_owned()];
        assert_eq!(
            read(&answered),
            ("Hello from".to_owned(), false, error),
            "{fault:?}"
        );
        let result = gateway.events.wait_for(|event| match event {
            Event::RequestFinished(report) => Some(report.result),
            _ => None,
        });
        assert_eq!(result.await, RequestResult::Broken, "{fault:?}");
        assert_eq!(second.received_count(), 0);
    }
    for framing in [Framing::CrLf, Framing::OneBytePerChunk] {
        let (first, second) = simulators().await;
        first.play(Script::healthy().with_framing(framing)).await;
        let gateway = gateway(&first, &second).await;
        let answered = gateway
            .send(Method::POST, MESSAGES, JSON, message(true))
            .await;
        assert_eq!(
            read(&answered),
            ("Hello from first.".to_owned(), true, vec![])
        );
    }
}

#[tokio::test]
async fn errors_of_ours_have_anthropics_shape() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    second.play(Script::status(529)).await;
    let gateway = gateway(&first, &second).await;
    let told = |answered: &Answered, status: u16, kind: &str| {
        let body = answered.json();
        assert_eq!(
            (answered.status, &body["type"]),
            (status, &json!("error")),
            "{body}"
        );
        assert_eq!(body["error"]["type"], kind, "{body}");
        assert!(body["request_id"].as_str().unwrap().starts_with("req_"));
    };
    let answered = gateway
        .send(Method::POST, MESSAGES, JSON, message(false))
        .await;
    told(&answered, 503, "overloaded_error");
    assert_eq!(
        answered.outcomes(),
        ["first:server_error", "second:overloaded"]
    );
    let answered = gateway
        .send(Method::POST, MESSAGES, &JSON[..1], message(false))
        .await;
    told(&answered, 401, "authentication_error");
    let answered = gateway.send(Method::POST, MESSAGES, JSON, "{").await;
    told(&answered, 400, "invalid_request_error");
    let unknown = message(false).replace("claude-opus-5", "gpt-4o");
    let answered = gateway.send(Method::POST, MESSAGES, JSON, unknown).await;
    told(&answered, 404, "not_found_error");
}

#[tokio::test]
async fn errors_of_ours_have_anthropics_shape_wherever_its_clients_go() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Refuse)).await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: first-key")
        .route(&["claude-*"], &["first"])
        .lines("clients: [{name: me, key: client-key}]\nlimits: {body: 64}")
        .start()
        .await;
    let (long, get, post) = ("x".repeat(65), Method::GET, Method::POST);
    let wrong_key = [("x-api-key", "wrong"), ("anthropic-version", "2023-06-01")];
    // Without a version header, the path decides.
    let bare = &JSON[..2];
    let (batches, unauthorized) = ("/v1/messages/batches", "401 authentication_error");
    for (method, path, headers, body, expected) in [
        (&get, "/v1/models", &wrong_key[..], "", unauthorized),
        (&get, "/v1/models/nope", JSON, "", "404 not_found_error"),
        (&post, "/v1/files", &wrong_key[..], "", unauthorized),
        (&post, batches, &JSON[..1], "", unauthorized),
        (&post, batches, bare, &long, "413 request_too_large"),
        (&post, "/v1/files", JSON, &long, "413 request_too_large"),
        (
            &post,
            "/v1/messages/./x",
            bare,
            "",
            "400 invalid_request_error",
        ),
        (
            &post,
            "/v1/files/../x",
            JSON,
            "",
            "400 invalid_request_error",
        ),
        (&post, batches, bare, "{}", "503 overloaded_error"),
    ] {
        let answered = gateway
            .send(method.clone(), path, headers, body.to_owned())
            .await;
        let told = answered.json();
        let kind = told["error"]["type"].as_str().unwrap();
        assert_eq!(
            format!("{} {kind}", answered.status),
            expected,
            "{path} {told}"
        );
        assert_eq!(told["type"], "error", "{path} {told}");
        assert!(told["error"]["message"].is_string(), "{path} {told}");
        let id = told["request_id"].as_str().unwrap();
        assert_eq!(answered.header("request-id"), id, "{path}");
        assert_eq!(answered.header("x-request-id"), id, "{path}");
    }
    let openai = gateway.get("/v1/models").await;
    assert_eq!(openai.status, 401);
    assert_eq!(openai.json().get("type"), None);
    assert_eq!(openai.header("request-id"), "");
    assert_eq!((first.received_count(), second.received_count()), (0, 0));
}

/// SDKs copy the id into the errors that they raise.
#[tokio::test]
async fn anthropics_clients_get_an_id_with_every_answer() {
    let theirs = ("request-id".to_owned(), "req_theirs".to_owned());
    let error = |headers| {
        Script::fault(Fault::Status {
            code: 400,
            headers,
            body: None,
        })
    };
    let named = Script::healthy().with_header(&theirs.0, &theirs.1);
    let silent = Script::healthy().with_first_token_delay(Duration::from_millis(300));
    for (script, status, is_theirs) in [
        (Script::healthy(), 200, false),
        (silent, 200, false),
        (error(vec![]), 400, false),
        (named, 200, true),
        (error(vec![theirs]), 400, true),
    ] {
        for provider in ["anthropic", "openai"] {
            let upstream = Simulator::start("upstream", script.clone()).await.unwrap();
            let keys = format!("provider: {provider}, api_key: k");
            let gateway = Setup::new()
                .upstream_as(&upstream, &keys)
                .lines("timeouts: {keepalive: 100ms}")
                .start()
                .await;
            for (path, body) in [
                (MESSAGES, message(false)),
                (MESSAGES, message(true)),
                ("/v1/messages/batches", "{}".to_owned()),
            ] {
                let answered = gateway.send(Method::POST, path, JSON, body.clone()).await;
                let about = format!("{provider} {path} {body} {script:?}");
                assert_eq!(answered.status, status, "{about}");
                let ours = answered.header("x-request-id");
                assert!(ours.starts_with("req_"), "{about}");
                let expected = if is_theirs { "req_theirs" } else { ours };
                assert_eq!(answered.header("request-id"), expected, "{about}");
                let ids = answered.headers.get_all("request-id").iter();
                assert_eq!(ids.count(), 1, "{about}");
            }
            let models = gateway.send(Method::GET, "/v1/models", JSON, "").await;
            let ours = models.header("x-request-id");
            assert_eq!(models.header("request-id"), ours);
            // Other clients know it by another name.
            let models = gateway.get("/v1/models").await;
            assert_eq!(models.header("request-id"), "");
        }
    }
}

/// A client decides by the error type whether to retry.
#[tokio::test]
async fn an_error_after_a_keep_alive_keeps_its_type() {
    for (status, kind) in [(400, "invalid_request_error"), (529, "overloaded_error")] {
        let (first, second) = simulators().await;
        first.play(Script::fault(Fault::Hang)).await;
        second.play(Script::status(status)).await;
        let gateway = claude_twice(&first, &second)
            .lines("timeouts: {first_token: 500ms, reasoning: 500ms, keepalive: 100ms}")
            .start()
            .await;
        let answered = gateway
            .send(Method::POST, MESSAGES, JSON, message(true))
            .await;
        assert_eq!(answered.status, 200);
        let text = answered.text();
        assert!(text.starts_with("event: ping\n"), "{text}");
        let (_, data) = text.split_once("event: error\ndata: ").expect(&text);
        let told: Value = serde_json::from_str(data).unwrap();
        assert_eq!(told["type"], "error", "{text}");
        assert_eq!(told["error"]["type"], kind, "{text}");
        let asked = [&first, &second].map(Simulator::received_count);
        assert!(asked.iter().all(|count| *count > 0), "{asked:?}");
    }
}

#[tokio::test]
async fn sdks_of_every_age_are_understood_and_their_version_goes_on() {
    let (first, second) = simulators().await;
    let gateway = gateway(&first, &second).await;
    for (credential, version) in [
        (("x-api-key", "client-key"), "2023-06-01"),
        (("authorization", "Bearer client-key"), "2026-10-21"),
    ] {
        let json = ("content-type", "application/json");
        let headers = [json, credential, ("anthropic-version", version)];
        let answered = gateway.send(Method::POST, MESSAGES, &headers, message(false));
        assert_eq!(answered.await.status, 200, "{version}");
        let asked = first.received().pop().unwrap();
        assert_eq!(asked.header("anthropic-version"), Some(version));
        assert_eq!(asked.header("x-api-key"), Some("first-key"));
        assert_eq!(asked.header("authorization"), None);
    }
}

#[tokio::test]
async fn tokens_are_counted_by_an_upstream_that_can_and_else_estimated() {
    let (claude, openai) = simulators().await;
    let gateway = claude_before_openai(&claude, &openai).await;
    let count = async || {
        let answered = gateway
            .send(
                Method::POST,
                "/v1/messages/count_tokens",
                JSON,
                message(false),
            )
            .await;
        assert_eq!(answered.status, 200);
        let tokens = answered.json()["input_tokens"].as_u64().unwrap();
        let estimated = answered.header("x-backstop-estimated").to_owned();
        (tokens, estimated)
    };
    let by_size = message(false).len() as u64 / 4;
    assert_eq!(count().await, (by_size, String::new()));
    claude.play(Script::fault(Fault::Refuse)).await;
    assert_eq!(count().await, (5, "input_tokens".to_owned()));
    assert_eq!(openai.received_count(), 0);

    // An estimate does not hide an invalid request.
    claude.play(Script::status(400)).await;
    let wrong = gateway.send(
        Method::POST,
        "/v1/messages/count_tokens",
        JSON,
        message(false),
    );
    assert_eq!(wrong.await.status, 400);

    // Nor does a client wait for the end of a rate limit.
    let limited = Fault::Status {
        code: 429,
        headers: vec![("retry-after".to_owned(), "1".to_owned())],
        body: None,
    };
    claude.play(Script::fault(limited)).await;
    // It may be checked meanwhile whether connections to it succeed again.
    let asked = || {
        let received = claude.received();
        let counts = received
            .iter()
            .filter(|request| request.path.ends_with("/count_tokens"));
        counts.count()
    };
    let before = asked();
    assert_eq!(count().await.1, "input_tokens");
    assert_eq!(asked(), before + 1);
}

#[tokio::test]
async fn models_are_listed_in_the_clients_api() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: k")
        .upstream_as(&second, "provider: openai, api_key: k")
        .route(&["claude-opus-5", "gpt-4o"], &["first", "second"])
        .start()
        .await;
    let openai = gateway.get("/v1/models").await.json();
    assert_eq!(openai["object"], "list");
    let anthropic = gateway
        .send(Method::GET, "/v1/models", JSON, "")
        .await
        .json();
    assert_eq!(anthropic["data"][0]["type"], "model");
    assert_eq!(anthropic["has_more"], false);
    assert_eq!(anthropic["data"].as_array().unwrap().len(), 2);
    assert_eq!(gateway.send(Method::HEAD, "/", JSON, "").await.status, 200);
}

#[tokio::test]
async fn anthropics_clients_get_models_by_the_page() {
    let names: Vec<String> = (0..25).map(|number| format!("model-{number:02}")).collect();
    let gateway = TestGateway::start(&format!(
        "upstreams: {{a: {{provider: ollama}}}}\nroutes: [{{models: [{}], candidates: [{{upstream: a}}]}}]\n",
        names.join(", ")
    ))
    .await;
    let page = async |query: &str| {
        let path = format!("/v1/models{query}");
        let page = gateway.send(Method::GET, &path, JSON, "").await.json();
        let ids: Vec<&str> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap())
            .collect();
        assert_eq!(page["first_id"].as_str(), ids.first().copied(), "{query}");
        assert_eq!(page["last_id"].as_str(), ids.last().copied(), "{query}");
        let first = ids
            .first()
            .and_then(|id| names.iter().position(|name| name == id));
        (first, ids.len(), page["has_more"] == true)
    };
    for (query, expected) in [
        ("", (Some(0), 20, true)),
        ("?limit=1000", (Some(0), 25, false)),
        ("?limit=25", (Some(0), 25, false)),
        ("?limit=0", (Some(0), 1, true)),
        ("?after_id=model-19", (Some(20), 5, false)),
        ("?limit=3&after_id=model-01", (Some(2), 3, true)),
        ("?after_id=model-24", (None, 0, false)),
        ("?limit=3&before_id=model-05", (Some(2), 3, true)),
        ("?limit=3&before_id=model-03", (Some(0), 3, false)),
        ("?before_id=model-00", (None, 0, false)),
        ("?after_id=gone", (None, 0, false)),
        ("?limit=1&before_id=gone", (None, 0, false)),
    ] {
        assert_eq!(page(query).await, expected, "{query}");
    }
}

async fn claude_before_openai(claude: &Simulator, openai: &Simulator) -> TestGateway {
    Setup::new()
        .upstream_as(claude, "provider: anthropic, api_key: a")
        .upstream_as(openai, "provider: openai, api_key: b")
        .route(&["claude-*"], &["first", "second, model: gpt-4o"])
        .lines(TIMEOUTS)
        .start()
        .await
}

#[tokio::test]
async fn when_claude_is_down_its_clients_are_served_by_openai() {
    for fault in [
        Fault::status(529),
        Fault::Reset,
        Fault::RoleThenEnd,
        Fault::OnlyComments,
    ] {
        let (claude, openai) = simulators().await;
        claude.play(Script::fault(fault.clone())).await;
        let gateway = claude_before_openai(&claude, &openai).await;
        let text = "Hello from second.".to_owned();
        let answered = gateway
            .send(Method::POST, MESSAGES, JSON, message(false))
            .await;
        let about = format!("{fault:?} {:?} {}", answered.trail(), answered.text());
        assert_eq!(
            (answered.status, answered.upstream()),
            (200, "second"),
            "{about}"
        );
        assert_eq!(answered.json()["content"][0]["text"], text, "{about}");
        assert_eq!(answered.json()["stop_reason"], "end_turn");
        for ending in [Fault::None, Fault::NoDone, Fault::StallAtEnd] {
            openai.play(Script::fault(ending.clone())).await;
            let answered = gateway
                .send(Method::POST, MESSAGES, JSON, message(true))
                .await;
            assert_eq!(
                read(&answered),
                (text.clone(), true, vec![]),
                "{fault:?} {ending:?}"
            );
        }
        let asked = openai.received().pop().unwrap();
        assert_eq!(asked.path, "/v1/chat/completions");
        assert_eq!(asked.header("authorization"), Some("Bearer b"));
        assert_eq!(asked.header("anthropic-version"), None);
        assert_eq!(asked.json()["max_completion_tokens"], 9);
        openai.play(Script::fault(Fault::CutAfter(2))).await;
        let answered = gateway
            .send(Method::POST, MESSAGES, JSON, message(true))
            .await;
        assert_eq!(
            read(&answered),
            ("Hello from".to_owned(), false, vec!["api_error".to_owned()])
        );
    }
}

/// The rejection may be about our translation, and another candidate has the client's own API.
#[tokio::test]
async fn a_rejected_translation_is_not_final_while_claude_is_down() {
    let limited = Fault::RateLimited {
        after: Duration::from_secs(30),
    };
    let (later, never) = ((503, "overloaded_error"), (403, "permission_error"));
    for (fault, is_asked_again, (status, kind)) in [
        (Fault::status(529), true, later),
        (Fault::Reset, true, later),
        // Somebody has to change the key: no retry can mend that.
        (Fault::status(401), false, never),
        (limited, false, later),
    ] {
        let (claude, openai) = simulators().await;
        claude.play(Script::fault(fault.clone())).await;
        openai.play(Script::status(400)).await;
        let gateway = claude_before_openai(&claude, &openai).await;
        for number in 0..2 {
            let answered = gateway
                .send(Method::POST, MESSAGES, JSON, message(false))
                .await;
            let told = answered.json()["error"].take();
            assert_eq!(answered.status, status, "{fault:?} {told}");
            assert_eq!(told["type"], kind, "{fault:?} {told}");
            let tried: Vec<&str> = told["attempts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|attempt| attempt["upstream"].as_str().unwrap())
                .collect();
            let expected: &[&str] = match number == 0 || is_asked_again {
                true => &["first", "second"],
                false => &["second"],
            };
            assert_eq!(tried, expected, "{fault:?} {told}");
            let message = told["message"].as_str().unwrap();
            assert!(message.contains("second: rejected (400)"), "{message}");
            let is_to_come_back = !answered.header("retry-after").is_empty();
            assert_eq!(is_to_come_back, status == 503, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_rejected_translation_is_returned_if_there_is_no_other_candidate() {
    let openai = Simulator::start("openai", Script::status(400))
        .await
        .unwrap();
    let gateway = Setup::new()
        .upstream_as(&openai, "provider: openai, api_keys: [limited, free]")
        .start()
        .await;
    let ask = || gateway.send(Method::POST, MESSAGES, JSON, message(false));
    let refused = async || {
        let answered = ask().await;
        let told = answered.json();
        assert_eq!(answered.status, 400, "{told}");
        assert_eq!(told["type"], "error");
        assert_eq!(told["error"]["type"], "invalid_request_error");
    };
    refused().await;
    refused().await;
    // A rate-limited key is no other candidate either.
    let after = Duration::from_secs(30);
    let limited = Script::fault(Fault::RateLimited { after }).with_only_key("limited");
    openai.play(limited).await;
    assert_eq!([ask().await.status, ask().await.status], [200, 200]);
    openai.play(Script::status(400)).await;
    let before = openai.received_count();
    refused().await;
    refused().await;
    let keys: Vec<_> = openai.received().split_off(before);
    assert!(
        keys.iter()
            .all(|asked| asked.header("authorization") == Some("Bearer free"))
    );
}

/// Reasoning is not passed on, but it is progress: no timeout takes the upstream for silent.
#[tokio::test]
async fn hidden_reasoning_counts_as_progress() {
    let openai = Simulator::start("openai", Script::healthy()).await.unwrap();
    let chunk = |delta: Value| {
        format!(
            "data: {}\n\n",
            json!({"id": "c", "choices": [{"index": 0, "delta": delta}]})
        )
    };
    let thoughts = chunk(json!({"reasoning_content": "hm"})).repeat(8);
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let stream = format!(
        "{thoughts}{}data: {end}\n\n",
        chunk(json!({"content": "Hi"}))
    );
    let script = Script::fault(Fault::Raw(stream)).with_token_delay(Duration::from_millis(200));
    openai.play(script).await;
    let timeouts = "timeouts: {first_token: 500ms, reasoning: 500ms, idle: 2s, content: 500ms}\n";
    let gateway = Setup::new()
        .upstream_as(&openai, "provider: openai, api_key: k")
        .lines(timeouts)
        .start()
        .await;
    let answered = gateway
        .send(Method::POST, MESSAGES, JSON, message(true))
        .await;
    assert_eq!(read(&answered), ("Hi".to_owned(), true, vec![]));
}

/// While Claude was down another model called a tool, without the thinking that Claude requires.
#[tokio::test]
async fn a_conversation_that_another_model_continued_returns_to_claude() {
    let refused = json!({"type": "error", "error": {"type": "invalid_request_error", "message":
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block."}});
    let (claude, openai) = simulators().await;
    let refusing = Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(refused.to_string()),
    });
    claude.play(refusing.with_only_body("budget_tokens")).await;
    let gateway = claude_before_openai(&claude, &openai).await;
    let messages = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "x"}]},
    ]);
    let body = json!({"model": "claude-opus-5", "max_tokens": 4000, "messages": messages,
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "tools": [{"name": "f", "input_schema": {"type": "object"}}]});
    let answered = gateway
        .send(Method::POST, MESSAGES, JSON, body.to_string())
        .await;
    assert_eq!(answered.trail(), ["first:ok"], "{}", answered.text());
    assert_eq!(answered.header("x-backstop-dropped"), "thinking");
    let asked = claude.received();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].json(), body);
    assert_eq!(asked[1].json()["messages"], messages);
    assert_eq!(asked[1].json()["thinking"], Value::Null);
    assert_eq!(openai.received_count(), 0);
}

/// OpenAI's models refuse in a field of its own, with the finish reason `stop`.
#[tokio::test]
async fn a_refusal_of_openai_is_known_as_one_and_may_go_on_to_claude() {
    let (openai, claude) = simulators().await;
    let both = ["first, model: gpt-4o", "second, model: claude-opus-5"];
    let gateway = Setup::new()
        .upstream_as(&openai, "provider: openai, api_key: k")
        .upstream_as(&claude, "provider: anthropic, api_key: k")
        .route_with(&["shopped"], &both, "refusals: next")
        .route(&["*"], &both[..1])
        .start()
        .await;
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
    };
    let refusing = chunk(
        json!({"role": "assistant", "refusal": "I can't."}),
        Value::Null,
    );
    let stream = [
        refusing,
        chunk(json!({}), json!("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    openai
        .play(Script::fault(Fault::Raw(stream.concat())))
        .await;
    let ask = async |model: &str| {
        let body = json!({"model": model, "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
        gateway
            .send(Method::POST, MESSAGES, JSON, body.to_string())
            .await
    };
    let answered = ask("any").await;
    assert_eq!(answered.trail(), ["first:ok"]);
    assert!(answered.text().contains("I can't."), "{}", answered.text());
    assert!(answered.text().contains("\"stop_reason\":\"refusal\""));
    let answered = ask("shopped").await;
    assert_eq!(answered.trail(), ["first:content_refused", "second:ok"]);
    assert!(!answered.text().contains("I can't."));
}
