//! Before the first frame: which upstreams are tried, what they receive, and what the client receives.

use backstop::event::{Event, HealthChange};
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Error;

use super::outcomes;
use super::peer::{Client, Provider, connect, try_connect};
use crate::harness::{Answered, Setup, TestGateway, chat, chat_text, refusal, simulators};

const REALTIME: &str = "/v1/realtime?model=gpt-4o";
const TIMEOUTS: &str = "timeouts: {connect: 1s, first_token: 300ms, answer: 1h, total: 2h}\n";

/// A gateway with a simulated provider, which answers no WebSocket, before one that does.
async fn gateway(first: &Simulator, second: &Provider, more: &str) -> TestGateway {
    let keys = "provider: openai-compatible, api_key: second-key";
    Setup::new()
        .upstream(first)
        .upstream_at("second", second.base_url(), keys)
        .route(&["gpt-4o"], &["first", "second, model: \"maker/gpt 4\""])
        .lines(TIMEOUTS)
        .lines(more)
        .start()
        .await
}

/// The error that a rejected client gets.
async fn refused(gateway: &TestGateway, path: &str, more: &[(&'static str, &str)]) -> Answered {
    match try_connect(gateway, path, more).await {
        Err(Error::Http(response)) => {
            let (head, body) = response.into_parts();
            Answered {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.unwrap_or_default().into(),
            }
        }
        Err(error) => panic!("{error:?}"),
        Ok(client) => panic!("agreed: {:?}", client.answered),
    }
}

fn trail(client: &Client) -> Vec<&str> {
    let entries = client.header("x-backstop-attempts").split(", ");
    entries
        .map(|entry| entry.split(";ms=").next().unwrap())
        .collect()
}

#[tokio::test]
async fn whatever_the_first_upstream_does_to_a_handshake_the_second_serves() {
    let faults = [
        (Fault::Refuse, "connect_refused"),
        (Fault::Reset, "connection_lost"),
        (Fault::Close, "connection_lost"),
        (Fault::Hang, "first_token_timeout"),
        (Fault::status(500), "server_error;status=500"),
        (Fault::status(503), "overloaded;status=503"),
        (Fault::status(429), "rate_limited;status=429"),
        (Fault::status(401), "unauthorized;status=401"),
        (Fault::status(404), "model_unavailable;status=404"),
        (Fault::status(501), "upgrade_refused;status=501"),
        (Fault::status(426), "upgrade_refused;status=426"),
        (Fault::Html, "upgrade_refused;status=200"),
    ];
    for (fault, outcome) in faults {
        let first = Simulator::start("first", Script::fault(fault.clone()))
            .await
            .unwrap();
        let mut second = Provider::start().await;
        let gateway = gateway(&first, &second, "").await;
        let client = connect(&gateway, REALTIME, &[]).await;
        let upstream = second.next().await;
        assert_eq!(
            trail(&client),
            [
                format!("first;outcome={outcome}").as_str(),
                "second;outcome=ok"
            ],
            "{fault:?}"
        );
        assert_eq!(client.header("x-backstop-upstream"), "second");
        let failed_over = gateway.events.all().into_iter().any(|event| {
            matches!(event, Event::FailedOver { from, to, .. }
                if from.to_string() == "first" && to.to_string() == "second")
        });
        assert!(failed_over, "{fault:?}");
        assert_eq!(
            upstream.uri, "/v1/realtime?model=maker/gpt%204",
            "the model as the second upstream knows it"
        );
        assert_eq!(upstream.headers["authorization"], "Bearer second-key");
    }
}

/// Without its proof, or to something else: no client could talk to it.
#[tokio::test]
async fn a_switch_to_no_websocket_is_a_refusal() {
    let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    for head in ["upgrade: websocket", &format!("upgrade: h2c\r\n{accept}")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let first = format!("http://{}/v1", listener.local_addr().unwrap());
        let switched =
            format!("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n{head}\r\n\r\n");
        let _upstream = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                connection.read_buf(&mut seen).await.unwrap();
            }
            connection.write_all(switched.as_bytes()).await.unwrap();
            let _ = connection.read_to_end(&mut seen).await;
        });
        let mut second = Provider::start().await;
        let keys = "provider: openai-compatible";
        let gateway = Setup::new()
            .upstream_at("first", &first, keys)
            .upstream_at("second", second.base_url(), keys)
            .lines(TIMEOUTS)
            .start()
            .await;
        let client = connect(&gateway, REALTIME, &[]).await;
        second.next().await;
        let refused = "first;outcome=upgrade_refused;status=101";
        assert_eq!(trail(&client), [refused, "second;outcome=ok"], "{head}");
    }
}

#[tokio::test]
async fn an_upstream_without_websockets_stays_in_rotation_for_everything_else() {
    for status in [501, 405, 426] {
        let first = Simulator::start("first", Script::status(status))
            .await
            .unwrap();
        let mut second = Provider::start().await;
        let gateway = gateway(&first, &second, "").await;
        let mut open = Vec::new();
        for _ in 0..20 {
            let client = connect(&gateway, REALTIME, &[]).await;
            open.push((client, second.next().await));
        }
        assert_eq!(first.received_count(), 20);
        let is_out =
            |event: &Event| matches!(event, Event::HealthChanged(HealthChange::Opened { .. }));
        assert!(!gateway.events.all().iter().any(is_out), "{status}");
        first.play(Script::answer("Hello.")).await;
        let answered = gateway.post("/v1/chat/completions", &chat()).await;
        assert_eq!(chat_text(&answered), "Hello.", "{status}");
        assert_eq!(answered.upstream(), "first", "{status}");
    }
}

#[tokio::test]
async fn when_all_refuse_the_client_gets_every_attempt() {
    let first = Simulator::start("first", Script::status(500))
        .await
        .unwrap();
    let second = Simulator::start("second", Script::status(503))
        .await
        .unwrap();
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    let answered = refused(&gateway, REALTIME, &[]).await;
    let error = refusal(&answered, 503, "all_upstreams_failed");
    let tried = error["attempts"].as_array().unwrap().len();
    assert_eq!(tried, first.received_count() + second.received_count());
    assert_eq!(
        answered.outcomes(),
        ["first:server_error", "second:overloaded"]
    );
}

/// Python's library gives a handshake 10 s.
#[tokio::test]
async fn a_client_learns_that_all_are_limited_before_it_gives_its_handshake_up() {
    let limited = Script::fault(Fault::Status {
        code: 429,
        headers: vec![("retry-after".to_owned(), "8".to_owned())],
        body: None,
    });
    let (first, second) = simulators().await;
    first.play(limited.clone()).await;
    second.play(limited).await;
    let gateway = TestGateway::before(&first, &second, "timeouts: {wait: 10s}\n").await;
    let refused = refused(&gateway, REALTIME, &[]).await;
    refusal(&refused, 429, "rate_limit_exceeded");
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

#[tokio::test]
async fn the_clients_own_fault_goes_back_as_it_is() {
    let first = Simulator::start("first", Script::status(400))
        .await
        .unwrap();
    let second = Provider::start().await;
    let gateway = gateway(&first, &second, "").await;
    let answered = refused(&gateway, REALTIME, &[]).await;
    assert_eq!(answered.status, 400);
    assert_eq!(answered.upstream(), "first");
    assert_eq!(answered.header("x-simulator"), "first");
    assert!(answered.json()["error"]["message"].is_string());
    assert!(first.received_count() > 0);
    assert!(second.is_unasked());
    assert_eq!(outcomes(&gateway), ["rejected"]);
}

#[tokio::test]
async fn a_refusal_that_repeats_our_key_comes_without_it() {
    let said = json!({"error": {"message": "not with first-key", "type": "t", "code": null}});
    let script = Script::fault(Fault::Status {
        code: 400,
        headers: Vec::new(),
        body: Some(said.to_string()),
    });
    let first = Simulator::start("first", script).await.unwrap();
    let gateway = gateway(&first, &Provider::start().await, "").await;
    let answered = refused(&gateway, REALTIME, &[]).await;
    assert_eq!((answered.status, answered.upstream()), (400, "first"));
    assert_eq!(answered.json()["error"]["message"], "not with ***");
}

#[tokio::test]
async fn the_upstream_sees_the_handshake_but_not_the_client() {
    let mut provider = Provider::start().await;
    let gateway =
        TestGateway::start(&provider.alone("clients: [{name: laptop, key: client-key}]\n")).await;
    let offered = "realtime, openai-insecure-api-key.client-key, openai-organization.org, \
                   openai-project.proj, openai-beta.realtime-v1";
    let sent = [
        ("sec-websocket-protocol", offered),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("cookie", "a=1"),
        ("openai-organization", "org"),
        ("openai-beta", "realtime=v1"),
    ];
    let client = connect(&gateway, "/v1/realtime?model=gpt-4o&a=%20", &sent).await;
    assert_eq!(client.header("sec-websocket-protocol"), "realtime");
    assert_eq!(
        client.header("x-backstop-upstream-request-id"),
        "req_theirs"
    );
    assert_eq!(client.header("x-echo"), "Bearer ***");
    let upstream = provider.next().await;
    assert_eq!(upstream.uri, "/v1/realtime?model=gpt-4o&a=%20");
    for (name, value) in [
        ("authorization", "Bearer only-key"),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        (
            "sec-websocket-protocol",
            "realtime, openai-beta.realtime-v1",
        ),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
        ("openai-beta", "realtime=v1"),
    ] {
        assert_eq!(upstream.headers[name], value, "{name}");
    }
    for name in ["cookie", "openai-organization"] {
        assert!(!upstream.headers.contains_key(name), "{name}");
    }
    for value in upstream.headers.values() {
        assert!(!value.to_str().unwrap().contains("client-key"));
    }
}

#[tokio::test]
async fn clients_are_known_by_a_header_or_a_subprotocol() {
    let mut provider = Provider::start().await;
    let keys = "clients: [{name: laptop, key: client-key}]\n";
    let gateway = TestGateway::start(&provider.alone(keys)).await;
    for (sent, status) in [
        ([("authorization", "Bearer client-key")], 101),
        (
            [(
                "sec-websocket-protocol",
                "realtime,openai-insecure-api-key.client-key",
            )],
            101,
        ),
        (
            [(
                "sec-websocket-protocol",
                "realtime, openai-insecure-api-key.other",
            )],
            401,
        ),
        ([("sec-websocket-protocol", "realtime")], 401),
    ] {
        if status == 101 {
            connect(&gateway, REALTIME, &sent).await;
            provider.next().await;
        } else {
            let answered = refused(&gateway, REALTIME, &sent).await;
            refusal(&answered, status, "invalid_api_key");
            assert!(provider.is_unasked());
        }
    }
}

#[tokio::test]
async fn the_model_in_the_query_decides_the_route() {
    let first = Simulator::start("first", Script::status(500))
        .await
        .unwrap();
    let mut second = Provider::start().await;
    let gateway = gateway(&first, &second, "").await;
    let answered = refused(&gateway, "/v1/realtime?model=gpt-4o-mini", &[]).await;
    refusal(&answered, 404, "model_not_found");
    let twice = "/v1/realtime?model=gpt-4o&mod%65l=gpt-4o-mini";
    refusal(&refused(&gateway, twice, &[]).await, 400, "invalid_query");
    assert_eq!(first.received_count(), 0);

    // Without one, and without a route for all models, the first upstream is asked.
    let answered = refused(&gateway, "/v1/responses", &[]).await;
    refusal(&answered, 503, "all_upstreams_failed");
    assert!(first.received_count() > 0);
    assert!(second.is_unasked());

    let all = second.alone("");
    let gateway = TestGateway::start(&all).await;
    for path in ["/v1/responses", "/responses?model=", "/realtime?model=any"] {
        let client = connect(&gateway, path, &[]).await;
        assert_eq!(client.header("x-backstop-upstream"), "only", "{path}");
        let expected = path.strip_prefix("/v1").unwrap_or(path);
        assert_eq!(second.next().await.uri, format!("/v1{expected}"));
    }
}
