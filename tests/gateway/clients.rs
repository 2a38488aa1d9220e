//! Keys: clients send theirs to the gateway, and the gateway sends its own to upstreams.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::json;

use crate::harness::{
    Answered, Setup, TestGateway, chat, chat_stream, chat_text, refusal, simulators,
};
use crate::streamed::read;

const CHAT: &str = "/v1/chat/completions";
const CLIENTS: &str = "clients: [{name: anna, key: key-of-anna}, {name: bert, key: key-of-bert}]\n";

async fn ask(gateway: &TestGateway, headers: &[(&str, &str)]) -> Answered {
    gateway
        .send(Method::POST, CHAT, headers, chat().to_string())
        .await
}

#[tokio::test]
async fn without_a_right_key_nobody_is_served() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, CLIENTS).await;
    let wrong: [&[(&str, &str)]; 8] = [
        &[],
        &[("authorization", "Bearer key-of-carl")],
        &[("authorization", "Bearer key-of-ann")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic key-of-anna")],
        &[("x-api-key", "first-key")],
        &[("api-key", "key-of-annaa")],
        &[("cookie", "key-of-anna")],
    ];
    for headers in wrong {
        let answered = ask(&gateway, headers).await;
        let error = refusal(&answered, 401, "invalid_api_key");
        assert_eq!(error["type"], "authentication_error", "{headers:?}");
        assert!(!answered.text().contains("key-of-"), "{headers:?}");
    }
    for path in ["/v1/models", "/", "/v1/files"] {
        refusal(&gateway.get(path).await, 401, "invalid_api_key");
    }
    assert_eq!((first.received_count(), second.received_count()), (0, 0));
}

#[tokio::test]
async fn a_right_key_is_taken_from_every_header_that_clients_use() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, CLIENTS).await;
    for header in [
        ("authorization", "Bearer key-of-anna"),
        ("authorization", "bearer key-of-bert"),
        ("x-api-key", "key-of-bert"),
        ("api-key", "key-of-anna"),
    ] {
        let answered = ask(&gateway, &[header]).await;
        assert_eq!(chat_text(&answered), "Hello from first.", "{header:?}");
    }
    let received = first.received();
    assert_eq!(received.len(), 4);
    for request in received {
        assert_eq!(request.header("authorization"), Some("Bearer first-key"));
        let sent = format!("{:?}", request.headers);
        assert!(!sent.contains("key-of-"), "{sent}");
    }
}

#[tokio::test]
async fn each_upstream_gets_its_own_key_and_nothing_that_tells_about_the_client() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    // Without `clients` anybody may send requests, and the client's key is still not forwarded.
    for clients in ["", CLIENTS] {
        let gateway = TestGateway::before(&first, &second, clients).await;
        let headers = [
            ("authorization", "Bearer key-of-anna"),
            ("x-api-key", "key-of-anna"),
            ("api-key", "key-of-anna"),
            ("cookie", "session=key-of-anna"),
            ("openai-organization", "org-of-anna"),
            ("openai-project", "project-of-anna"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "of-anna.example"),
            ("x-forwarded-proto", "https"),
            ("x-real-ip", "192.0.2.7"),
            ("forwarded", "for=192.0.2.7"),
            ("openai-beta", "assistants=v2"),
        ];
        let answered = ask(&gateway, &headers).await;
        assert_eq!(answered.trail(), ["first:server_error", "second:ok"]);
    }
    for (upstream, key) in [(&first, "Bearer first-key"), (&second, "Bearer second-key")] {
        let received = upstream.received();
        assert_eq!(received.len(), 2);
        for request in received {
            assert_eq!(request.headers.get_all("authorization").iter().count(), 1);
            assert_eq!(request.header("authorization"), Some(key));
            assert_eq!(request.header("openai-beta"), Some("assistants=v2"));
            assert_eq!(
                request.header("host"),
                Some(upstream.address().to_string().as_str())
            );
            let sent = format!("{:?} {:?}", request.headers, request.path);
            for private in ["of-anna", "192.0.2.7", "forwarded", "x-real-ip", "cookie"] {
                assert!(!sent.contains(private), "{private}: {sent}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_forwarded_untouched_goes_with_the_upstreams_key_too() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, CLIENTS).await;
    let headers = [("authorization", "Bearer key-of-anna")];
    let answered = gateway.send(Method::GET, "/v1/files", &headers, "").await;
    assert_eq!(answered.status, 200);
    let request = &first.received()[0];
    assert_eq!(request.header("authorization"), Some("Bearer first-key"));
    assert!(!format!("{:?}", request.headers).contains("of-anna"));
}

/// The authorization headers that an upstream got, in order.
fn keys_of(upstream: &Simulator) -> Vec<String> {
    let received = upstream.received();
    received
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect()
}

fn several_keys(first: &Simulator, second: &Simulator) -> Setup {
    Setup::new()
        .upstream_as(
            first,
            "provider: openai-compatible, api_keys: [key-1, key-2, key-3]",
        )
        .upstream(second)
}

#[tokio::test]
async fn several_keys_are_used_in_turn() {
    let (first, second) = simulators().await;
    let gateway = several_keys(&first, &second).start().await;
    for _ in 0..6 {
        let answered = ask(&gateway, &[]).await;
        assert_eq!(answered.trail(), ["first:ok"]);
    }
    let in_turn = ["Bearer key-1", "Bearer key-2", "Bearer key-3"];
    assert_eq!(keys_of(&first), in_turn.repeat(2));
}

#[tokio::test]
async fn a_refused_key_is_followed_by_another_key_before_another_upstream() {
    for status in [401, 403, 429] {
        let (first, second) = simulators().await;
        first.play(Script::status(status)).await;
        let gateway = several_keys(&first, &second).start().await;
        let answered = ask(&gateway, &[]).await;
        assert_eq!(chat_text(&answered), "Hello from second.", "{status}");
        assert_eq!(answered.trail().len(), 4, "{status}");
        let in_turn = ["Bearer key-1", "Bearer key-2", "Bearer key-3"];
        assert_eq!(keys_of(&first), in_turn, "{status}");
        assert_eq!(keys_of(&second), ["Bearer second-key"], "{status}");
    }
}

/// Refuses this key.
fn refusing(key: &str) -> Script {
    Script::status(401).with_only_key(key)
}

fn limiting() -> Script {
    let limit = Fault::Status {
        code: 429,
        headers: vec![("retry-after".to_owned(), "1".to_owned())],
        body: None,
    };
    Script::fault(limit).with_answer_delay(Duration::from_millis(100))
}

#[tokio::test]
async fn a_key_that_is_limited_for_a_moment_is_waited_for_whatever_became_of_the_other() {
    for is_known in [true, false] {
        let (first, _) = simulators().await;
        let keys = "provider: openai-compatible, api_keys: [key-1, key-2]";
        let gateway = Setup::new().upstream_as(&first, keys).start().await;
        if is_known {
            first.play(refusing("key-2")).await;
            for _ in 0..2 {
                assert_eq!(ask(&gateway, &[]).await.status, 200);
            }
        }
        first.play(limiting()).await;
        let before = first.received_count();
        let recover = async {
            first.wait_received(before + 1).await;
            first.play(refusing("key-2")).await;
        };
        let (answered, ()) = tokio::join!(ask(&gateway, &[]), recover);
        assert_eq!(answered.status, 200, "{answered:?}");
        let asked = &keys_of(&first)[before..];
        let expected = match is_known {
            true => &["Bearer key-1", "Bearer key-1"][..],
            false => &["Bearer key-1", "Bearer key-2", "Bearer key-1"],
        };
        assert_eq!(asked, expected);
    }
}

/// One attempt is one attempt, also for a client that will not wait for much longer, and at paths that are forwarded.
#[tokio::test]
async fn a_request_that_wants_no_failover_gets_none() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let once = ("x-backstop-failover", "off");
    let slow = Script::healthy().with_answer_delay(Duration::from_millis(1500));
    first.play(slow).await;
    let answered = ask(&gateway, &[once, ("x-backstop-timeout", "2")]).await;
    assert!(answered.trail().len() <= 1, "{answered:?}");
    // Nor does anybody continue what breaks off.
    first.play(Script::fault(Fault::CutAfter(2))).await;
    let stream = chat_stream().to_string();
    let json = ("content-type", "application/json");
    let broken = gateway
        .send(Method::POST, CHAT, &[json, once], stream)
        .await;
    let broken = read(&broken.text());
    assert!(broken.ends_with_failure && !broken.claims_end);
    assert_eq!(second.received_count(), 0);
    first.play(Script::status(503)).await;
    let forward = async |headers: &[(&str, &str)]| {
        let path = "/v1/images/generations";
        gateway
            .send(Method::POST, path, headers, r#"{"model": "m"}"#)
            .await
    };
    assert_eq!(forward(&[json, once]).await.status, 503);
    assert_eq!(second.received_count(), 0);
    let only = ("x-backstop-upstream", "second");
    assert_eq!(forward(&[json, only]).await.upstream(), "second");
    assert_eq!(ask(&gateway, &[only]).await.trail(), ["second:ok"]);
    let unknown = forward(&[json, ("x-backstop-upstream", "third")]).await;
    let error = refusal(&unknown, 400, "unknown_upstream");
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with("it has first, second"), "{message}");
    let unknown = ask(&gateway, &[("x-backstop-upstream", "third")]).await;
    refusal(&unknown, 400, "unknown_upstream");
    assert_eq!((first.received_count(), second.received_count()), (3, 2));
}

#[tokio::test]
async fn a_failure_that_is_not_about_the_key_costs_one_key_only() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    let gateway = several_keys(&first, &second).start().await;
    let answered = ask(&gateway, &[]).await;
    assert_eq!(answered.trail(), ["first:server_error", "second:ok"]);
    assert_eq!(keys_of(&first), ["Bearer key-1"]);
}

#[tokio::test]
async fn a_key_goes_out_in_the_header_that_its_provider_reads() {
    for (provider, header, value) in [
        ("azure", "api-key", "a-key"),
        ("bedrock", "authorization", "Bearer a-key"),
        ("anthropic", "x-api-key", "a-key"),
    ] {
        let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
        let keys = format!("provider: {provider}, api_key: a-key");
        let gateway = Setup::new().upstream_as(&upstream, &keys).start().await;
        assert_eq!(
            gateway.post("/v1/chat/completions", &chat()).await.status,
            200
        );
        let asked = &upstream.received()[0];
        for name in ["api-key", "authorization", "x-api-key"] {
            let expected = (name == header).then_some(value);
            assert_eq!(asked.header(name), expected, "{provider} {name}");
        }
    }
}

#[tokio::test]
async fn azures_older_api_has_the_deployment_in_the_path() {
    let azure = Simulator::start("azure", Script::healthy()).await.unwrap();
    let base_url = format!("http://{}/openai", azure.address());
    let keys = "provider: azure, api_key: a-key, api_version: 2024-10-21";
    let gateway = Setup::new()
        .upstream_at("azure", &base_url, keys)
        .route(&["gpt-4o"], &["azure, model: my gpt"])
        .route(&["*"], &["azure"])
        .start()
        .await;
    assert_eq!(
        chat_text(&gateway.post(CHAT, &chat()).await),
        "Hello from azure."
    );
    let embedding = json!({"model": "text-embedding-3-small", "input": "x"});
    assert_eq!(gateway.post("/v1/embeddings", &embedding).await.status, 200);
    assert_eq!(gateway.get("/v1/files?limit=1").await.status, 200);
    let received = azure.received();
    let paths: Vec<&str> = received
        .iter()
        .map(|request| request.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
            "/openai/deployments/text-embedding-3-small/embeddings?api-version=2024-10-21",
            "/openai/files?limit=1&api-version=2024-10-21",
        ]
    );
    assert!(
        received
            .iter()
            .all(|request| request.header("api-key") == Some("a-key"))
    );

    // A model's name cannot change the path.
    for model in ["..", "../../admin", "a/..%2f..", "a\\..\\b"] {
        let question = json!({"model": model, "input": "x"});
        let answered = gateway.post("/v1/embeddings", &question).await;
        assert_eq!(answered.status, 400, "{model}");
    }
    assert_eq!(azure.received_count(), 3);
}
