//! What may pass: methods and headers of clients; protocols and headers of upstreams, without our keys.

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::forwarding::raw;
use crate::harness::{TestGateway, chat, chat_stream, refusal, within};

const CHAT: &str = "/v1/chat/completions";

/// A gateway whose first upstream sends these bytes to every request; the second one is healthy.
async fn behind_raw(reply: &str) -> (TestGateway, Simulator) {
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let yaml = format!(
        "upstreams:\n\
         \x20 first: {{provider: openai-compatible, base_url: \"{}\"}}\n\
         \x20 second: {{provider: openai-compatible, base_url: \"{}\"}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: first}}, {{upstream: second}}]}}]\n",
        raw(reply.to_owned()).await,
        second.base_url(),
    );
    (TestGateway::start(&yaml).await, second)
}

async fn alone(script: Script) -> (Simulator, TestGateway) {
    let first = Simulator::start("first", script).await.unwrap();
    let yaml = format!(
        "upstreams: {{first: {{provider: openai-compatible, base_url: \"{}\", api_key: first-key}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: first}}]}}]\n",
        first.base_url()
    );
    let gateway = TestGateway::start(&yaml).await;
    (first, gateway)
}

#[tokio::test]
async fn methods_that_no_api_has_reach_no_upstream() {
    let (first, gateway) = alone(Script::healthy()).await;
    for method in ["TRACE", "PROPFIND", "QUERY", "TRACK", "get"] {
        for path in [CHAT, "/v1/files", "/"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answered = gateway.send(method, path, &[], "").await;
            refusal(&answered, 405, "method_not_allowed");
            assert!(answered.header("allow").contains("GET, HEAD, POST"));
        }
    }
    let connect = "CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n";
    let mut client = TcpStream::connect(gateway.gateway.address()).await.unwrap();
    client.write_all(connect.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    within(client.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 405");
    assert_eq!(first.received_count(), 0);

    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        gateway.send(method, "/v1/files/file-1", &[], "").await;
    }
    assert_eq!(first.received_count(), 6);
}

#[tokio::test]
async fn a_protocol_that_nobody_asked_for_never_reaches_a_client() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let (gateway, second) = behind_raw(switching).await;
    for body in [chat(), chat_stream()] {
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(answered.status, 200);
        assert_eq!(answered.trail(), ["first:unasked_protocol", "second:ok"]);
    }
    let translated = gateway
        .post("/v1/audio/speech", &json!({"model": "tts-1"}))
        .await;
    assert_eq!(translated.trail(), ["first:unasked_protocol", "second:ok"]);
    let files = gateway.get("/v1/files").await;
    refusal(&files, 503, "all_upstreams_failed");
    assert_eq!(second.received_count(), 3);
}

#[tokio::test]
async fn other_heads_before_the_answer_are_no_answer() {
    let early = "HTTP/1.1 102 Processing\r\n\r\n\
                 HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n\
                 HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok";
    let (gateway, _second) = behind_raw(early).await;
    let answered = gateway.get("/v1/files").await;
    assert_eq!((answered.status, answered.text()), (200, "ok".to_owned()));
    assert_eq!(answered.header("link"), "");
}

/// A forwarded answer cannot be replaced once its head has been sent.
#[tokio::test]
async fn a_body_that_breaks_before_its_first_piece_is_no_answer() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\n";
    for rest in [
        "transfer-encoding: chunked\r\n\r\nno number\r\nx",
        "transfer-encoding: chunked\r\n\r\n",
        "content-length: 9\r\n\r\n",
    ] {
        let (gateway, _second) = behind_raw(&format!("{head}{rest}")).await;
        let translated = gateway
            .post("/v1/audio/speech", &json!({"model": "tts-1"}))
            .await;
        assert_eq!(translated.status, 200, "{rest:?}");
        assert_eq!(translated.trail(), ["first:connection_lost", "second:ok"]);
        let files = gateway.get("/v1/files/file-1/content").await;
        refusal(&files, 503, "all_upstreams_failed");
    }
}

/// Its head is not held back until the body arrives.
#[tokio::test]
async fn a_body_that_is_only_slow_is_handed_on() {
    let script = Script::fault(Fault::HangAfterHeaders);
    let (_first, gateway) = alone(script).await;
    let opened = gateway.open(Method::GET, "/v1/files", &[], "").await;
    assert_eq!(opened.status(), 200);
}

/// Some upstreams repeat the key that they received, in headers as in errors.
#[tokio::test]
async fn no_header_of_an_answer_has_our_key_in_it() {
    let said = "it was (first-key), first-key";
    let fault = |code| {
        Script::fault(Fault::Status {
            code,
            headers: vec![("x-echo".to_owned(), said.to_owned())],
            body: None,
        })
    };
    let good = Script::healthy().with_header("x-echo", said);
    for script in [good, fault(400), fault(404), fault(418)] {
        let (first, gateway) = alone(script).await;
        for answered in [
            gateway.post(CHAT, &chat()).await,
            gateway.post(CHAT, &chat_stream()).await,
            gateway.get("/v1/files").await,
            gateway
                .post("/v1/images/generations", &json!({"model": "x"}))
                .await,
        ] {
            let headers = format!("{:?}", answered.headers);
            assert!(!headers.contains("first-key"), "{headers}");
            if answered.upstream() == "first" {
                assert_eq!(answered.header("x-echo"), "it was (***), ***");
            }
        }
        let request = &first.received()[0];
        assert_eq!(request.header("authorization"), Some("Bearer first-key"));
    }
}

#[tokio::test]
async fn an_upstream_cannot_speak_for_us_nor_to_the_browser() {
    let theirs = [
        "x-backstop-dropped",
        "x-backstop-continuation",
        "x-backstop-estimated",
        "x-backstop-new",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "set-cookie",
        "www-authenticate",
        "refresh",
        "clear-site-data",
        "x-accel-redirect",
    ];
    let spoof = |script: Script, name: &&str| script.with_header(*name, "theirs");
    let script = theirs.iter().fold(Script::healthy(), spoof);
    let script = script.with_header("x-backstop-upstream", "somebody-else");
    let (_first, gateway) = alone(script).await;
    for answered in [
        gateway.post(CHAT, &chat()).await,
        gateway.post(CHAT, &chat_stream()).await,
        gateway.get("/v1/files").await,
    ] {
        assert_eq!(answered.upstream(), "first");
        for name in theirs {
            assert_ne!(answered.header(name), "theirs", "{name}");
        }
    }
}

/// What a client may tell us.
const OURS: [(&str, &str); 3] = [
    ("x-backstop-upstream", "first"),
    ("x-backstop-failover", "off"),
    ("x-backstop-timeout", "60"),
];

#[tokio::test]
async fn an_upstream_learns_nothing_of_where_a_client_came_from() {
    let (first, gateway) = alone(Script::healthy()).await;
    let private = [
        "cf-connecting-ip",
        "true-client-ip",
        "x-client-ip",
        "x-forwarded-client-cert",
        "x-amzn-oidc-data",
        "x-goog-user-project",
        "x-http-method-override",
        "x-original-url",
        "referer",
        "via",
        "sec-ch-ua",
        "proxy-authorization",
    ];
    let mut headers = private.map(|name| (name, "192.0.2.7")).to_vec();
    headers.extend(OURS);
    headers.push(("x-stainless-lang", "js"));
    for path in [CHAT, "/v1/files"] {
        gateway
            .send(Method::POST, path, &headers, chat().to_string())
            .await;
        let received = first.received();
        let request = received.last().unwrap();
        assert_eq!(request.header("x-stainless-lang"), Some("js"));
        for name in private.into_iter().chain(OURS.map(|(name, _)| name)) {
            assert_eq!(request.header(name), None, "{path} {name}");
        }
    }
}
