//! What each client may ask for, and how much: limits, models and keys that expire.

use std::time::Duration;

use backstop::config::KeyDigest;
use backstop::event::{ClientLimit, Event, RequestResult};
use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::forwarding::raw;
use crate::harness::{Answered, Setup, TestGateway, chat, chat_stream, pass, refusal, within};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const ANNA: (&str, &str) = ("authorization", "Bearer key-of-anna");
const BERT: (&str, &str) = ("authorization", "Bearer key-of-bert");

/// A gateway with two clients: anna has these rules, bert has none.
fn with_rules(first: &Simulator, rules: &str) -> Setup {
    let clients = format!(
        "clients: [{{name: anna, key: key-of-anna, {rules}}}, {{name: bert, key: key-of-bert}}]"
    );
    Setup::new().upstream(first).lines(&clients)
}

async fn ask(gateway: &TestGateway, who: (&str, &str), path: &str, body: &Value) -> Answered {
    let headers = [who, ("content-type", "application/json")];
    gateway
        .send(Method::POST, path, &headers, body.to_string())
        .await
}

async fn healthy() -> Simulator {
    Simulator::start("first", Script::healthy()).await.unwrap()
}

/// A chat of about so many tokens, whose answer may have so many.
fn chat_of(prompt: usize, max_tokens: usize) -> Value {
    let mut body = chat();
    body["max_tokens"] = max_tokens.into();
    let length = body.to_string().len();
    body["messages"][0]["content"] = "ab ".repeat((4 * prompt).saturating_sub(length) / 3).into();
    body
}

fn count(answered: &Answered, header: &str) -> u64 {
    let value = answered.header(header);
    value
        .parse()
        .unwrap_or_else(|_| panic!("{header}: {:?}", answered.headers))
}

async fn metric(gateway: &TestGateway, series: &str) -> Option<f64> {
    let metrics = gateway.admin("/metrics").await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|value| value.trim().parse().ok())
}

#[tokio::test]
async fn whoever_has_used_up_a_minute_is_told_when_to_come_again_and_others_are_not_affected() {
    let first = healthy().await;
    let gateway = with_rules(&first, "limits: {requests_per_minute: 2}")
        .start()
        .await;
    for left in [1, 0] {
        let answered = ask(&gateway, ANNA, CHAT, &chat()).await;
        assert_eq!(answered.status, 200);
        assert_eq!(count(&answered, "x-ratelimit-limit-requests"), 2);
        assert_eq!(count(&answered, "x-ratelimit-remaining-requests"), left);
        assert_eq!(answered.header("x-ratelimit-reset-requests"), "1m0s");
        assert_eq!(answered.header("x-ratelimit-limit-tokens"), "");
    }
    let refused = ask(&gateway, ANNA, CHAT, &chat()).await;
    let error = refusal(&refused, 429, "rate_limit_exceeded");
    assert_eq!(error["type"], "rate_limit_error");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("requests_per_minute: limit 2, used 2, requested 1"),
        "{message}"
    );
    let wait = count(&refused, "retry-after");
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(count(&refused, "x-ratelimit-remaining-requests"), 0);
    assert_eq!(refused.header("x-should-retry"), "");

    // The list of models is free, and another client has nothing to do with it.
    let models = gateway.send(Method::GET, "/v1/models", &[ANNA], "").await;
    assert_eq!(models.status, 200);
    let other = ask(&gateway, BERT, CHAT, &chat()).await;
    assert_eq!(other.status, 200);
    assert_eq!(other.header("x-ratelimit-limit-requests"), "");
    assert_eq!(first.received_count(), 3);

    pass(Duration::from_secs(wait + 1)).await;
    assert_eq!(ask(&gateway, ANNA, CHAT, &chat()).await.status, 200);
    assert_eq!(first.received_count(), 4);
}

#[tokio::test]
async fn anthropics_clients_get_the_limit_in_their_own_words() {
    let first = healthy().await;
    let rules = "limits: {requests_per_minute: 1, tokens_per_minute: 100000}";
    let gateway = with_rules(&first, rules).start().await;
    let mut body = chat();
    body["max_tokens"] = 50.into();
    let answered = ask(&gateway, ANNA, MESSAGES, &body).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert_eq!(count(&answered, "anthropic-ratelimit-requests-limit"), 1);
    assert_eq!(
        count(&answered, "anthropic-ratelimit-requests-remaining"),
        0
    );
    assert_eq!(
        count(&answered, "anthropic-ratelimit-tokens-limit"),
        100_000
    );
    let left = count(&answered, "anthropic-ratelimit-tokens-remaining");
    assert_eq!(left, 100_000 - 50 - body.to_string().len() as u64 / 4);

    let refused = ask(&gateway, ANNA, MESSAGES, &body).await;
    assert_eq!(refused.status, 429);
    let error = refused.json();
    assert_eq!(error["type"], "error", "{error}");
    assert_eq!(error["error"]["type"], "rate_limit_error");
    assert!((1..=60).contains(&count(&refused, "retry-after")));
    let reset = refused.header("anthropic-ratelimit-requests-reset");
    assert!(
        reset.ends_with('Z') && reset.len() == "2026-01-01T00:00:00Z".len(),
        "{reset}"
    );
    assert_eq!(refused.header("x-ratelimit-limit-requests"), "");
    assert_eq!(first.received_count(), 1);
}

#[tokio::test]
async fn tokens_are_reserved_before_and_settled_by_what_the_upstream_counts() {
    let first = healthy().await;
    let gateway = with_rules(&first, "limits: {tokens_per_minute: 2000}")
        .start()
        .await;
    let body = chat_of(100, 800);
    let reserved = body.to_string().len() as u64 / 4 + 800;
    let mut spent = 0;
    for number in 0..3 {
        let answered = ask(&gateway, ANNA, CHAT, &body).await;
        assert_eq!(answered.status, 200, "{}", answered.text());
        let left = count(&answered, "x-ratelimit-remaining-tokens");
        assert_eq!(left, 2000 - spent - reserved);
        spent += answered.json()["usage"]["total_tokens"].as_u64().unwrap();
        gateway.events.finished(number).await;
    }
    assert!(spent < 400, "{spent}");
}

#[tokio::test]
async fn a_prompt_that_never_fits_is_refused_for_good() {
    let first = healthy().await;
    let gateway = with_rules(&first, "limits: {tokens_per_minute: 1000}")
        .start()
        .await;
    let refused = ask(&gateway, ANNA, CHAT, &chat_of(1200, 1)).await;
    let error = refusal(&refused, 429, "rate_limit_exceeded");
    assert!(
        error["message"].as_str().unwrap().contains("too large"),
        "{error}"
    );
    assert_eq!(refused.header("x-should-retry"), "false");
    assert_eq!(refused.header("retry-after"), "");
    // What the answer may have at most is no reason.
    let answered = ask(&gateway, ANNA, CHAT, &chat_of(100, 100_000)).await;
    assert_eq!(answered.status, 200);
    assert_eq!(first.received_count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_its_stream_pays_for_what_it_got() {
    let first = healthy().await;
    first
        .play(
            Script::healthy()
                .with_text("word ".repeat(60))
                .with_token_delay(Duration::from_millis(50)),
        )
        .await;
    let gateway = with_rules(&first, "limits: {tokens_per_minute: 2000, concurrent: 1}")
        .start()
        .await;
    let mut body = chat_stream();
    body["max_tokens"] = 1900.into();
    let headers = [ANNA, ("content-type", "application/json")];
    let answer = gateway
        .open(Method::POST, CHAT, &headers, body.to_string())
        .await;
    assert_eq!(answer.status(), 200);
    let mut stream = answer.into_body();
    within(stream.frame()).await.unwrap().unwrap();

    // Nobody knows when its place will be free.
    let refused = ask(&gateway, ANNA, CHAT, &chat()).await;
    let error = refusal(&refused, 429, "rate_limit_exceeded");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("concurrent: limit 1"),
        "{error}"
    );
    assert_eq!(count(&refused, "retry-after"), 1);

    drop(stream);
    let has_gone = |event: &Event| match event {
        Event::RequestFinished(report) => {
            (report.result == RequestResult::ClientGone).then_some(())
        }
        _ => None,
    };
    gateway.events.wait_for(has_gone).await;
    let answered = ask(&gateway, ANNA, CHAT, &chat_of(100, 10)).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    // Of 1900 tokens it had a few.
    assert!(
        count(&answered, "x-ratelimit-remaining-tokens") > 1700,
        "{:?}",
        answered.headers
    );
}

#[tokio::test]
async fn a_stream_that_nobody_counts_is_counted_by_its_events() {
    let first = healthy().await;
    first
        .play(Script::healthy().with_text("word ".repeat(300)))
        .await;
    let gateway = with_rules(&first, "limits: {tokens_per_minute: 10000}")
        .start()
        .await;
    let answered = ask(&gateway, ANNA, CHAT, &chat_stream()).await;
    assert_eq!(answered.status, 200);
    gateway.events.finished(0).await;
    let next = ask(&gateway, ANNA, CHAT, &chat()).await;
    let left = count(&next, "x-ratelimit-remaining-tokens");
    assert!((9_600..9_720).contains(&left), "{left}");
}

#[tokio::test]
async fn a_translated_stream_that_breaks_off_is_counted_by_its_events() {
    let first = healthy().await;
    let cut = Script::fault(Fault::CutAfter(200));
    first.play(cut.with_text("word ".repeat(300))).await;
    let clients = "clients: [{name: anna, key: key-of-anna, limits: {tokens_per_minute: 10000}}]";
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: k")
        .route_with(&["*"], &["first"], "continuation: off")
        .lines(clients)
        .start()
        .await;
    let answered = ask(&gateway, ANNA, CHAT, &chat_stream()).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    gateway.events.finished(0).await;
    first.play(Script::healthy()).await;
    let next = ask(&gateway, ANNA, CHAT, &chat()).await;
    let left = count(&next, "x-ratelimit-remaining-tokens");
    assert!((9_700..9_800).contains(&left), "{left}");
}

#[tokio::test]
async fn a_whole_answer_that_nobody_counts_costs_what_was_taken_for_it() {
    let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"},
        "finish_reason": "stop"}]});
    let body = body.to_string();
    let url = raw(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    let clients = "clients: [{name: anna, key: key-of-anna, limits: {tokens_per_minute: 10000}}]";
    let gateway = Setup::new()
        .upstream_at("raw", &url.await, "provider: openai-compatible")
        .lines(clients)
        .start()
        .await;
    let mut left = Vec::new();
    for request in 0..2 {
        let answered = ask(&gateway, ANNA, CHAT, &chat_of(400, 500)).await;
        assert_eq!(answered.status, 200, "{}", answered.text());
        gateway.events.finished(request).await;
        left.push(count(&answered, "x-ratelimit-remaining-tokens"));
    }
    let cost = left[0] - left[1];
    assert!((880..=920).contains(&cost), "{left:?}");
}

#[tokio::test]
async fn a_request_that_nobody_answers_costs_no_tokens() {
    let first = healthy().await;
    first.play(Script::status(400)).await;
    let gateway = with_rules(&first, "limits: {tokens_per_minute: 1000}")
        .start()
        .await;
    assert_eq!(
        ask(&gateway, ANNA, CHAT, &chat_of(400, 500)).await.status,
        400
    );
    gateway.events.finished(0).await;
    first.play(Script::healthy()).await;
    let answered = ask(&gateway, ANNA, CHAT, &chat_of(400, 500)).await;
    assert_eq!(answered.status, 200);
    assert!(count(&answered, "x-ratelimit-remaining-tokens") >= 99);
}

/// A gateway at which anna may use `gpt-4o` and what begins with `o3`, of three routes.
async fn with_models(first: &Simulator) -> TestGateway {
    let clients = "clients: [{name: anna, key: key-of-anna, models: [gpt-4o, \"o3*\"]}, {name: bert, key: key-of-bert}]";
    Setup::new()
        .upstream(first)
        .route(&["gpt-4o", "gpt-5", "o3*"], &["first"])
        .lines(clients)
        .start()
        .await
}

#[tokio::test]
async fn a_client_has_the_models_that_it_may_use_and_no_others() {
    let first = healthy().await;
    let gateway = with_models(&first).await;
    let mut other = chat();
    other["model"] = "gpt-5".into();
    let error = refusal(
        &ask(&gateway, ANNA, CHAT, &other).await,
        403,
        "model_not_allowed",
    );
    assert_eq!(error["param"], "model");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("`gpt-5`") && message.contains("gpt-4o, o3*"),
        "{message}"
    );
    let error = ask(&gateway, ANNA, MESSAGES, &other).await.json();
    assert_eq!(error["error"]["type"], "permission_error", "{error}");
    assert_eq!(ask(&gateway, ANNA, CHAT, &chat()).await.status, 200);
    assert_eq!(ask(&gateway, BERT, CHAT, &other).await.status, 200);

    let list = gateway
        .send(Method::GET, "/v1/models", &[ANNA], "")
        .await
        .json();
    let names: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    assert_eq!(names, ["gpt-4o"]);
    let one = gateway
        .send(Method::GET, "/v1/models/gpt-5", &[ANNA], "")
        .await;
    refusal(&one, 403, "model_not_allowed");
    assert_eq!(
        gateway
            .send(Method::GET, "/v1/models/o3-mini", &[ANNA], "")
            .await
            .status,
        200
    );
    assert_eq!(first.received_count(), 2);
    let refused = "backstop_client_limited_total{client=\"anna\",limit=\"models\"}";
    assert_eq!(metric(&gateway, refused).await, Some(3.0));
}

#[tokio::test]
async fn no_model_gets_around_the_rules_as_a_fallback_or_in_a_query() {
    let first = healthy().await;
    let gateway = with_models(&first).await;
    let with = |name: &str, value: Value| {
        let mut body = chat();
        body[name] = value;
        body
    };
    let in_query = "/v1/chat/completions?model=gpt-5";
    let twice = "/v1/chat/completions?model=gpt-4o&model=gpt-4o";
    for (path, body) in [
        (CHAT, with("models", json!(["gpt-4o", "gpt-5"]))),
        (CHAT, with("fallbacks", json!(["gpt-5"]))),
        (MESSAGES, with("fallbacks", json!([{"model": "gpt-5"}]))),
        ("/v1/audio/speech", with("models", json!(["gpt-5"]))),
        (in_query, chat()),
        (twice, chat()),
        (
            CHAT,
            with(
                "tools",
                json!([{"type": "image_generation", "model": "gpt-5"}]),
            ),
        ),
        // What stands in the path counts there, whatever the body says.
        ("/v1/deployments/gpt-5/chat/completions", chat()),
        ("/v1/%64eployments/gpt-5/embeddings", chat()),
        ("/v1/Engines/gpt-5/completions", chat()),
        ("/v1/models/gpt-5:generateContent", chat()),
        (
            "/v1/messages/batches",
            with("requests", json!([{"params": {"model": "gpt-5"}}])),
        ),
        ("/v1/batches", with("input_file_id", json!("file-1"))),
    ] {
        let refused = ask(&gateway, ANNA, path, &body).await;
        let code = match path {
            MESSAGES | "/v1/messages/batches" => "permission_error",
            _ => "model_not_allowed",
        };
        assert!(refused.text().contains(code), "{path} {body}");
        assert_eq!(refused.status, 403, "{path} {body}");
        assert_eq!(ask(&gateway, BERT, path, &body).await.status, 200);
    }
    // Servers in Go take either.
    let ambiguous = ask(&gateway, ANNA, CHAT, &with("Model", json!("gpt-5"))).await;
    assert_eq!(ambiguous.status, 400, "{}", ambiguous.text());
    let allowed = with("models", json!(["gpt-4o"]));
    let same = "/v1/chat/completions?model=gpt-4o";
    assert_eq!(ask(&gateway, ANNA, same, &allowed).await.status, 200);
}

#[tokio::test]
async fn a_path_that_is_spelled_in_another_way_has_the_same_limits() {
    let first = healthy().await;
    let gateway = with_rules(&first, "limits: {tokens_per_minute: 1000}")
        .start()
        .await;
    assert_eq!(
        ask(&gateway, ANNA, CHAT, &chat_of(900, 50)).await.status,
        200
    );
    for path in [
        CHAT,
        "/v1/chat/completions/",
        "/v1/chat/%63ompletions",
        "/%761/Chat/Completions",
        "/v1/chat%2Fcompletions",
        "/openai/deployments/gpt-4o/chat/completions/",
        "/v1/%6Dessages",
    ] {
        let answered = ask(&gateway, ANNA, path, &chat_of(9000, 50)).await;
        assert_eq!(answered.status, 429, "{path}: {}", answered.text());
        let answered = ask(&gateway, BERT, path, &chat_of(10, 50)).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
        let type_of_answer = match path.ends_with("essages") {
            true => "message",
            false => "chat.completion",
        };
        assert!(answered.text().contains(type_of_answer), "{path}");
    }
}

#[tokio::test]
async fn a_request_that_does_not_show_its_model_is_refused_where_models_are_set() {
    let first = healthy().await;
    let gateway = with_models(&first).await;
    for path in ["/v1/responses", "/v1/batches", "/v1/threads/runs"] {
        let answered = ask(&gateway, ANNA, path, &json!({"input": "hi"})).await;
        refusal(&answered, 403, "model_not_allowed");
    }
    let handshake = [
        ANNA,
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for path in [
        "/v1/responses?model=gpt-4o",
        "/v1/realtime?model=gpt-5",
        "/v1/realtime",
    ] {
        let answered = gateway.send(Method::GET, path, &handshake, "").await;
        refusal(&answered, 403, "model_not_allowed");
    }
    let files = gateway.send(Method::GET, "/v1/files", &[ANNA], "").await;
    assert_eq!(files.status, 200, "{}", files.text());
    assert_eq!(first.received_count(), 1);
    let refused = "backstop_client_limited_total{client=\"anna\",limit=\"models\"}";
    assert_eq!(metric(&gateway, refused).await, Some(6.0));

    // What shows a model that it may use is no secret.
    let mut shown = json!({"model": "gpt-4o", "input": "hi"});
    for path in ["/v1/responses", "/v1/responses/input_tokens"] {
        let answered = ask(&gateway, ANNA, path, &shown).await;
        assert_ne!(answered.status, 403, "{path}: {}", answered.text());
    }
    shown["model"] = "gpt-5".into();
    refusal(
        &ask(&gateway, ANNA, "/v1/responses", &shown).await,
        403,
        "model_not_allowed",
    );
    // What runs no model has none to show.
    for path in ["/v1/conversations", "/v1/batches/b/cancel"] {
        let answered = ask(&gateway, ANNA, path, &json!({})).await;
        assert_ne!(answered.status, 403, "{path}: {}", answered.text());
    }
}

#[tokio::test]
async fn a_key_is_accepted_until_it_expires_and_its_digest_is_enough() {
    let first = healthy().await;
    let digest = KeyDigest::of(b"key-of-bert").to_string();
    let clients = format!(
        "clients: [{{name: anna, key: key-of-anna, expires: 2020-01-31}}, {{name: bert, key_sha256: {digest}, expires: 2220-01-31}}]"
    );
    let gateway = Setup::new().upstream(&first).lines(&clients).start().await;
    let error = refusal(
        &ask(&gateway, ANNA, CHAT, &chat()).await,
        401,
        "expired_api_key",
    );
    assert_eq!(error["type"], "authentication_error");
    assert!(
        error["message"].as_str().unwrap().contains("expired"),
        "{error}"
    );
    assert_eq!(ask(&gateway, BERT, CHAT, &chat()).await.status, 200);
    // Whoever reads the configuration does not have the key.
    let bearer = format!("Bearer {digest}");
    let answered = ask(&gateway, ("authorization", &bearer), CHAT, &chat()).await;
    refusal(&answered, 401, "invalid_api_key");
    assert_eq!(first.received_count(), 1);
    let expires = metric(
        &gateway,
        "backstop_client_expires_timestamp_seconds{client=\"anna\"}",
    )
    .await;
    assert_eq!(expires, Some(1_580_428_800.0));
    let report = gateway.events.finished(0).await;
    assert_eq!(
        (report.client.as_deref(), report.limit),
        (Some("anna"), Some(ClientLimit::Expiry))
    );
}

#[tokio::test]
async fn a_reload_forgets_nothing_of_what_a_client_has_used() {
    let first = healthy().await;
    let gateway = with_rules(&first, "limits: {requests_per_minute: 2}")
        .start()
        .await;
    for _ in 0..2 {
        assert_eq!(ask(&gateway, ANNA, CHAT, &chat()).await.status, 200);
    }
    let more = with_rules(&first, "limits: {requests_per_minute: 3}");
    gateway.gateway.reload(more.config()).await.unwrap();
    let answered = ask(&gateway, ANNA, CHAT, &chat()).await;
    assert_eq!(answered.status, 200);
    assert_eq!(count(&answered, "x-ratelimit-remaining-requests"), 0);
    assert_eq!(ask(&gateway, ANNA, CHAT, &chat()).await.status, 429);
    assert_eq!(first.received_count(), 3);
}

/// A client's limit says nothing about upstreams, and operators see whose it was.
#[tokio::test]
async fn a_refusal_is_nobodys_failure_and_is_counted_by_client() {
    let first = healthy().await;
    let gateway = with_rules(&first, "limits: {requests_per_minute: 1}")
        .start()
        .await;
    for expected in [200, 429, 429, 429] {
        assert_eq!(ask(&gateway, ANNA, CHAT, &chat()).await.status, expected);
    }
    assert_eq!(ask(&gateway, BERT, CHAT, &chat()).await.status, 200);
    let report = gateway.events.finished(4).await;
    assert_eq!(report.limit, None);
    let is_about_health = |event: &Event| matches!(event, Event::HealthChanged(_));
    assert!(!gateway.events.all().iter().any(is_about_health));

    let limited = "backstop_client_limited_total{client=\"anna\",limit=\"requests_per_minute\"}";
    assert_eq!(metric(&gateway, limited).await, Some(3.0));
    let rejected = "backstop_client_requests_total{client=\"anna\",result=\"rejected\"}";
    assert_eq!(metric(&gateway, rejected).await, Some(3.0));

    let said = gateway.admin("/api/availability").await.json();
    let of = |place: usize| &said["by_client"][place]["windows"]["1h"];
    assert_eq!(said["by_client"][0]["name"], "anna");
    assert_eq!(
        (&of(0)["requests"], &of(0)["limited"], &of(0)["failed"]),
        (&json!(1), &json!(3), &json!(0))
    );
    assert_eq!(
        (&of(1)["requests"], &of(1)["limited"]),
        (&json!(1), &json!(0))
    );
    assert!(of(0)["tokens"]["input"].as_u64().unwrap() > 0, "{said:#}");
    assert_eq!(said["clients"]["1h"]["failed"], 0);
    assert_eq!(said["clients"]["1h"]["limited"], 3);
    let incidents = gateway.admin("/api/incidents").await.json();
    assert_eq!(
        incidents["incidents"].as_array().map(Vec::len),
        Some(0),
        "{incidents}"
    );
}
