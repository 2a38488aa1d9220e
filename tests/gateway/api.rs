//! Requests that the gateway itself answers: paths, models, and requests that it must reject.

use std::io::Write;

use backstop::simulator::{Script, Simulator};
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answered, Setup, TestGateway, chat, chat_text, refusal};

const CHAT: &str = "/v1/chat/completions";
const JSON: (&str, &str) = ("content-type", "application/json");

/// A gateway with these lines in its configuration, and its only upstream.
async fn gateway(routes: &str) -> (TestGateway, Simulator) {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let yaml = format!(
        "upstreams: {{only: {{provider: openai-compatible, base_url: \"{}\"}}}}\n{routes}",
        upstream.base_url()
    );
    (TestGateway::start(&yaml).await, upstream)
}

const ALL: &str = "routes: [{models: [\"*\"], candidates: [{upstream: only}]}]\n";
const SOME: &str = "routes:\n\
    \x20 - {models: [gpt-4o, \"o1-*\"], candidates: [{upstream: only}]}\n\
    \x20 - {models: [embedder], candidates: [{upstream: only}]}\n";

#[tokio::test]
async fn a_path_is_the_same_with_and_without_v1_and_with_slashes_too_many() {
    let (gateway, upstream) = gateway(ALL).await;
    for path in [
        CHAT,
        "/chat/completions",
        "//v1//chat/completions",
        "//chat//completions",
        "/v1/v1/chat/completions",
        "/v1/chat/completions?beta=true",
    ] {
        let answered = gateway.post(path, &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from only.", "{path}");
    }
    let paths: Vec<_> = upstream.received().into_iter().map(|r| r.path).collect();
    let with_query = format!("{CHAT}?beta=true");
    assert_eq!(paths, [CHAT, CHAT, CHAT, CHAT, CHAT, with_query.as_str()]);
}

#[tokio::test]
async fn the_root_greets() {
    let (gateway, upstream) = gateway(ALL).await;
    for path in ["/", "/v1", "/v1/"] {
        let answered = gateway.get(path).await;
        assert_eq!(answered.status, 200, "{path}");
        assert_eq!(answered.json()["name"], "backstop", "{path}");
        assert_eq!(answered.json()["version"], env!("CARGO_PKG_VERSION"));
    }
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn the_list_of_models_holds_the_names_of_the_routes_and_no_pattern() {
    let (gateway, upstream) = gateway(SOME).await;
    for path in ["/v1/models", "/models", "/v1/models/"] {
        let answered = gateway.get(path).await;
        assert_eq!(answered.status, 200, "{path}");
        let list = answered.json();
        assert_eq!(list["object"], "list", "{path}");
        let models = list["data"].as_array().unwrap();
        let mut ids: Vec<_> = models.iter().map(|model| &model["id"]).collect();
        ids.sort_by_key(|id| id.as_str());
        assert_eq!(ids, ["embedder", "gpt-4o"], "{path}");
        assert!(models.iter().all(|model| model["object"] == "model"));
    }
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn the_list_holds_what_upstreams_offer_where_that_is_asked_for() {
    let simulator = async |name| Simulator::start(name, Script::healthy()).await.unwrap();
    let (first, claude, renamed) = (
        simulator("first").await,
        simulator("claude").await,
        simulator("renamed").await,
    );
    let gateway = Setup::new()
        .upstream(&first)
        .upstream_as(&claude, "provider: anthropic, api_key: k")
        .upstream(&renamed)
        .route(&["gpt-4o"], &["first"])
        .route(&["claude-*"], &["claude"])
        .route(&["*"], &["first", "renamed, model: x"])
        .lines("list_models: upstreams")
        .start()
        .await;
    let list = async || {
        let answered = gateway.get("/v1/models").await;
        let list = answered.json();
        let models = list["data"].as_array().unwrap().iter();
        let mut ids: Vec<String> = models
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        (ids, answered.header("x-backstop-unlisted").to_owned())
    };
    let expected = ["claude-model", "first-model", "gpt-4o", "simulated-model"];
    let expected = (expected.map(str::to_owned).to_vec(), String::new());
    for listed in join_all((0..20).map(|_| list())).await {
        assert_eq!(listed, expected);
    }
    assert_eq!(
        [&first, &claude, &renamed].map(Simulator::received_count),
        [1, 1, 0]
    );
    let asked = claude.received().pop().unwrap();
    assert_eq!(asked.path, "/v1/models?limit=1000");
    assert!(asked.header("anthropic-version").is_some());
}

#[tokio::test]
async fn an_upstream_that_lists_nothing_is_not_asked_by_everyone_who_wants_a_list() {
    let silent = Simulator::start("silent", Script::status(503))
        .await
        .unwrap();
    let setup = Setup::new().upstream(&silent).route(&["*"], &["silent"]);
    let gateway = setup.lines("list_models: upstreams").start().await;
    for listed in join_all((0..20).map(|_| gateway.get("/v1/models"))).await {
        assert_eq!(listed.header("x-backstop-unlisted"), "silent");
    }
    assert_eq!(silent.received_count(), 1);
}

#[tokio::test]
async fn a_single_model_is_known_by_name_or_by_pattern() {
    let (gateway, upstream) = gateway(SOME).await;
    for model in ["gpt-4o", "o1-mini"] {
        let answered = gateway.get(&format!("/v1/models/{model}")).await;
        assert_eq!(answered.status, 200);
        assert_eq!(answered.json()["id"], model);
        assert_eq!(answered.json()["object"], "model");
    }
    let version = ("anthropic-version", "2026-10-21");
    let path = "/v1/models/gpt-4o";
    let answered = gateway.send(Method::GET, path, &[version], "").await;
    // All fields that Anthropic's SDKs require.
    let told = json!({"id": "gpt-4o", "type": "model", "display_name": "gpt-4o", "created_at": "1970-01-01T00:00:00Z", "lifecycle": "active"});
    assert_eq!(answered.json(), told);
    let answered = gateway.get("/v1/models/gpt-5").await;
    let error = refusal(&answered, 404, "model_not_found");
    assert_eq!(error["param"], "model");
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn a_model_is_known_by_an_escaped_name() {
    let routes = "routes: [{models: [\"meta-llama/Llama+3\"], candidates: [{upstream: only}]}]\n";
    let (gateway, upstream) = gateway(routes).await;
    for name in [
        "meta-llama/Llama+3",
        "meta-llama%2FLlama+3",
        "meta-llama%2fLlama%2B3",
    ] {
        let answered = gateway.get(&format!("/v1/models/{name}")).await;
        assert_eq!(answered.status, 200, "{name}");
        assert_eq!(answered.json()["id"], "meta-llama/Llama+3", "{name}");
    }
    let other = gateway.get("/v1/models/meta-llama%2FLlama%203").await;
    refusal(&other, 404, "model_not_found");
    for broken in ["meta-llama%2", "%ff"] {
        let answered = gateway.get(&format!("/v1/models/{broken}")).await;
        refusal(&answered, 400, "invalid_path");
    }
    assert_eq!(upstream.received_count(), 0);
}

/// Posts these bytes as a chat request with one more header.
async fn post_bytes(gateway: &TestGateway, header: (&str, &str), body: &str) -> Answered {
    gateway
        .send(Method::POST, CHAT, &[JSON, header], body.to_owned())
        .await
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let (gateway, upstream) = gateway(ALL).await;
    for body in [
        "",
        "hello",
        "{\"model\": \"gpt-4o\"",
        "[]",
        "[\"gpt-4o\", true]",
        "\"gpt-4o\"",
    ] {
        let answered = post_bytes(&gateway, JSON, body).await;
        let error = refusal(&answered, 400, "invalid_json");
        assert_eq!(error["type"], "invalid_request_error", "{body}");
        assert_eq!(error["param"], Value::Null, "{body}");
    }
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn a_request_without_a_model_is_refused() {
    let (gateway, upstream) = gateway(ALL).await;
    for body in [
        json!({"messages": []}),
        json!({"model": "", "messages": []}),
        json!({"model": 4, "messages": []}),
        json!({"model": null, "messages": []}),
    ] {
        let answered = gateway.post(CHAT, &body).await;
        let error = refusal(&answered, 400, "missing_model");
        assert_eq!(error["param"], "model");
    }
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn a_model_without_a_route_is_refused_with_a_hint() {
    let (gateway, upstream) = gateway(SOME).await;
    for (model, hint) in [
        ("gpt-4", "did you mean `gpt-4o`?"),
        ("zzz", "routes are there for: "),
    ] {
        let answered = gateway.post(CHAT, &json!({"model": model})).await;
        let error = refusal(&answered, 404, "model_not_found");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{model}`")), "{message}");
        assert!(message.contains(hint), "{message}");
        assert_eq!(error["param"], "model");
    }
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let body = chat().to_string();
    let limit = format!("{ALL}limits: {{body: {}}}\n", body.len());
    let (gateway, upstream) = gateway(&limit).await;
    let answered = post_bytes(&gateway, JSON, &body).await;
    assert_eq!(answered.status, 200);
    let answered = post_bytes(&gateway, JSON, &format!("{body} ")).await;
    let error = refusal(&answered, 413, "request_too_large");
    assert!(error["message"].as_str().unwrap().contains("limits.body"));
    assert_eq!(upstream.received_count(), 1);
}

#[tokio::test]
async fn a_path_that_leads_out_of_the_api_is_refused() {
    let (gateway, upstream) = gateway(ALL).await;
    for path in [
        "/v1/../admin",
        "/v1/files/%2e%2E/%2e%2e/admin",
        "/v1/./chat/completions",
        "/v1/files/..",
        "/v1/..%2fadmin",
        "/v1/..%252fadmin",
        "/v1/files/..%5cadmin",
        "/v1/files/..;/admin",
        "/v1/files/%c0%ae%c0%ae/admin",
        "/v1/files/a%00",
        "/v1/files/a%23b",
    ] {
        let answered = gateway.post(path, &chat()).await;
        refusal(&answered, 400, "invalid_path");
    }
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn names_with_escapes_in_them_go_on_as_they_are_and_keys_in_a_query_do_not() {
    let (gateway, upstream) = gateway(ALL).await;
    for (path, expected) in [
        ("/v1/files/a%20b", "/v1/files/a%20b"),
        (
            "/v1/fine_tuning/openai%2Fgpt-4o",
            "/v1/fine_tuning/openai%2Fgpt-4o",
        ),
        ("/v1/files/100%25?a=%2e%2e/b", "/v1/files/100%25?a=%2e%2e/b"),
        (
            "/v1/files?limit=2&key=client-key&API-Key=client-key",
            "/v1/files?limit=2",
        ),
        ("/v1/files?api%5Fkey=client-key", "/v1/files"),
    ] {
        gateway.get(path).await;
        assert_eq!(upstream.received().last().unwrap().path, expected);
    }
}

#[tokio::test]
async fn a_compressed_body_is_unpacked_within_bounds() {
    let (gateway, upstream) = gateway(&format!("{ALL}limits: {{body: 64KiB}}\n")).await;
    let body = chat().to_string();
    let packed = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let ask = async |coding: &str, body: Vec<u8>| {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", coding),
        ];
        gateway
            .send(Method::POST, "/v1/chat/completions", &headers, body)
            .await
    };
    let zstd = ruzstd::encoding::compress_to_vec(
        body.as_bytes(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    let plain = body.clone().into_bytes();
    for (coding, packed) in [
        ("gzip", packed(body.as_bytes())),
        ("zstd", zstd),
        ("identity", plain),
    ] {
        let answered = ask(coding, packed).await;
        assert_eq!(chat_text(&answered), "Hello from only.", "{coding}");
    }
    for asked in upstream.received() {
        assert_eq!(asked.body, body);
        assert_eq!(asked.header("content-encoding"), None);
    }
    let bomb = packed(&vec![b' '; 1 << 20]);
    refusal(&ask("gzip", bomb).await, 413, "request_too_large");
    let lie = body.clone().into_bytes();
    refusal(
        &ask("gzip", lie.clone()).await,
        400,
        "invalid_content_encoding",
    );
    refusal(&ask("br", lie).await, 415, "unsupported_content_encoding");
    assert_eq!(upstream.received_count(), 3);
}

#[tokio::test]
async fn websockets_are_refused_where_they_are_not_spoken() {
    let (gateway, upstream) = gateway(ALL).await;
    let handshake = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let cases = [
        (Method::GET, "/v1/chat/completions", &handshake[..], ""),
        (Method::POST, "/v1/realtime?model=gpt-4o", &handshake, ""),
        (Method::GET, "/v1/realtime?model=gpt-4o", &handshake, "body"),
        (
            Method::GET,
            "/v1/realtime?model=gpt-4o",
            &handshake[1..],
            "",
        ),
    ];
    for (method, path, headers, body) in cases {
        let answered = gateway.send(method, path, headers, body).await;
        refusal(&answered, 404, "upgrade_not_supported");
    }
    assert_eq!(upstream.received_count(), 0);
}

/// Java's client offers it with each request.
#[tokio::test]
async fn another_protocol_that_is_offered_is_not_taken_up() {
    let (gateway, upstream) = gateway(ALL).await;
    let headers = [
        JSON,
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
    ];
    let body = chat().to_string();
    for _ in 0..2 {
        let answered = gateway
            .send(Method::POST, CHAT, &headers, body.clone())
            .await;
        assert_eq!(chat_text(&answered), "Hello from only.");
    }
    for received in upstream.received() {
        for (name, _) in &headers[1..] {
            assert!(!received.headers.contains_key(*name), "{name}");
        }
    }
}

#[tokio::test]
async fn response_headers_name_the_upstream_and_the_attempts() {
    let first = Simulator::start("first", Script::status(503))
        .await
        .unwrap();
    let healthy = Script::healthy()
        .with_header("x-ratelimit-remaining-requests", "9")
        .with_header("openai-organization", "ours")
        .with_header("anthropic-organization-id", "ours")
        .with_header("set-cookie", "a=1");
    let second = Simulator::start("second", healthy).await.unwrap();
    let gateway = TestGateway::before(&first, &second, "").await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.upstream(), "second");
    assert_eq!(answered.header("x-simulator"), "second");
    assert_eq!(answered.header("x-ratelimit-remaining-requests"), "9");
    for kept_back in [
        "openai-organization",
        "anthropic-organization-id",
        "set-cookie",
    ] {
        assert_eq!(answered.header(kept_back), "", "{kept_back}");
    }

    assert_eq!(answered.headers.get_all("x-request-id").iter().count(), 1);
    let id = answered.header("x-request-id").to_owned();
    assert!(id.starts_with("req_") && id.len() == 36, "{id}");
    let theirs = answered.header("x-backstop-upstream-request-id");
    assert_eq!(theirs, "req_second000001");

    let trail = answered.header("x-backstop-attempts");
    let (failed, good) = trail.split_once(", ").unwrap();
    for (entry, told) in [
        (failed, "first;outcome=overloaded;status=503;ms="),
        (good, "second;outcome=ok;ms="),
    ] {
        let millis = entry.strip_prefix(told);
        let millis = millis.unwrap_or_else(|| panic!("{trail}"));
        assert!(millis.parse::<u64>().is_ok(), "{trail}");
    }

    let other = gateway.post(CHAT, &chat()).await;
    assert_ne!(other.header("x-request-id"), id);
}
