//! Foreign host names, and pages of other origins: how each address responds. `browser` uses a real browser.

use backstop::simulator::{Script, Simulator};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::{Answered, TestGateway, chat, refusal};

const CHAT: &str = "/v1/chat/completions";
const LISTED: (&str, &str) = ("origin", "https://chat.example.com");
const CORS: &str = "cors: [\"https://chat.example.com\"]\n";
const CLIENTS: &str = "clients: [{name: anna, key: key-of-anna}]\n";
const KEY: (&str, &str) = ("authorization", "Bearer key-of-anna");

async fn start(more: &str) -> (Simulator, TestGateway) {
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let gateway = TestGateway::before(&first, &first, more).await;
    (first, gateway)
}

async fn ask_admin(gateway: &TestGateway, path: &str, headers: &[(&str, &str)]) -> Answered {
    gateway.ask_admin(Method::GET, path, headers, "").await
}

#[tokio::test]
async fn a_name_that_is_not_ours_is_refused_with_the_way_out() {
    let (first, gateway) = start("hosts: [backstop]\n").await;
    for (path, method) in [
        (CHAT, Method::POST),
        ("/v1/files", Method::GET),
        ("/", Method::GET),
    ] {
        let headers = [("host", "llm.internal:4000")];
        let answered = gateway
            .send(method, path, &headers, chat().to_string())
            .await;
        let error = refusal(&answered, 403, "host_not_allowed");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains("hosts: [\"llm.internal\"]"), "{told}");
    }
    let headers = [
        ("host", "llm.internal"),
        ("anthropic-version", "2023-06-01"),
    ];
    let answered = gateway
        .send(Method::POST, "/v1/messages", &headers, "{}")
        .await;
    assert_eq!(answered.json()["error"]["type"], "permission_error");
    assert_eq!(first.received_count(), 0);

    for host in ["backstop:4000", "localhost", "10.1.2.3:4000", "[::1]:4000"] {
        let headers = [("host", host)];
        let answered = gateway.send(Method::POST, CHAT, &headers, chat().to_string());
        assert_eq!(answered.await.status, 200, "{host}");
    }
}

/// Over HTTP/2 the name is in the target.
#[tokio::test]
async fn names_count_over_http_2_too() {
    let (first, gateway) = start("hosts: [backstop]\n").await;
    let port = gateway.gateway.address().port();
    for (name, expected) in [("localhost", 200), ("localhost.evil.example", 403)] {
        let tcp = TcpStream::connect(gateway.gateway.address()).await.unwrap();
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp))
            .await
            .unwrap();
        tokio::spawn(connection);
        let request = Request::post(format!("http://{name}:{port}{CHAT}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(chat().to_string())))
            .unwrap();
        let answered = client.send_request(request).await.unwrap();
        assert_eq!(answered.status(), expected, "{name}");
        answered.into_body().collect().await.unwrap();
    }
    assert_eq!(first.received_count(), 1);
}

#[tokio::test]
async fn where_keys_are_needed_any_name_will_do_but_not_for_operators() {
    let (first, gateway) = start(CLIENTS).await;
    let headers = [("host", "anything.example"), KEY];
    let answered = gateway
        .send(Method::POST, CHAT, &headers, chat().to_string())
        .await;
    assert_eq!(answered.status, 200);
    assert_eq!(first.received_count(), 1);
    let answered = ask_admin(&gateway, "/metrics", &[("host", "anything.example")]).await;
    assert_eq!(answered.status, 403);
    assert!(
        answered
            .text()
            .contains("hosts: [\\\"anything.example\\\"]")
    );
}

#[tokio::test]
async fn operators_are_served_under_names_that_are_listed_and_no_page_is() {
    let (_first, gateway) = start(&format!("hosts: [backstop]\n{CORS}")).await;
    for path in ["/metrics", "/healthz", "/readyz", "/api/upstreams"] {
        let named = ask_admin(&gateway, path, &[("host", "backstop:4001")]).await;
        assert_eq!(named.status, 200, "{path}");
        let foreign: [&[(&str, &str)]; 3] = [
            &[("host", "evil.example")],
            &[LISTED],
            &[("sec-fetch-site", "cross-site")],
        ];
        for headers in foreign {
            let answered = ask_admin(&gateway, path, headers).await;
            assert_eq!(answered.status, 403, "{path} {headers:?}");
            assert_eq!(answered.header("access-control-allow-origin"), "");
        }
    }
    let question = json!({"model": "gpt-4o"});
    assert_eq!(
        gateway.admin_post("/api/explain", &question).await.status,
        200
    );
    let plain = [("content-type", "text/plain")];
    let plain = gateway
        .ask_admin(Method::POST, "/api/explain", &plain, question.to_string())
        .await;
    assert_eq!(plain.status, 415);
}

#[tokio::test]
async fn preflights_are_answered_by_us_and_reach_no_upstream() {
    for more in [CORS.to_owned(), format!("{CORS}{CLIENTS}")] {
        let (first, gateway) = start(&more).await;
        let asked = [
            LISTED,
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,x-stainless-os",
            ),
            ("access-control-request-private-network", "true"),
        ];
        let told = gateway.send(Method::OPTIONS, CHAT, &asked, "").await;
        assert_eq!(told.status, 204);
        assert_eq!(told.header("access-control-allow-origin"), LISTED.1);
        assert_eq!(told.header("access-control-allow-headers"), asked[2].1);
        assert_eq!(told.header("access-control-allow-private-network"), "true");
        assert!(
            told.header("access-control-allow-methods")
                .contains("DELETE")
        );
        assert_ne!(told.header("access-control-max-age"), "");
        assert_eq!(told.header("access-control-allow-credentials"), "");

        let other = [("origin", "https://evil.example"), asked[1]];
        let refused = gateway.send(Method::OPTIONS, CHAT, &other, "").await;
        let error = refusal(&refused, 403, "origin_not_allowed");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains("cors: [\"https://evil.example\"]"), "{told}");
        assert_eq!(refused.header("access-control-allow-origin"), "");

        let plain = gateway.send(Method::OPTIONS, CHAT, &[], "").await;
        assert_eq!(plain.status, 204);
        assert!(plain.header("allow").contains("POST"));
        assert_eq!(plain.header("access-control-allow-methods"), "");
        assert_eq!(first.received_count(), 0);
    }
}

#[tokio::test]
async fn answers_of_every_kind_can_be_read_by_a_listed_page_alone() {
    let (first, gateway) = start(CORS).await;
    let listed = async |path, body: &str| {
        gateway
            .send(Method::POST, path, &[LISTED], body.to_owned())
            .await
    };
    let stream = json!({"model": "gpt-4o", "stream": true, "messages": []}).to_string();
    for (path, body, status) in [
        (CHAT, chat().to_string(), 200),
        (CHAT, stream, 200),
        (CHAT, "no json".to_owned(), 400),
        ("/v1/threads", "{}".to_owned(), 200),
    ] {
        let answered = listed(path, &body).await;
        if status != 200 {
            assert_eq!(answered.status, status, "{path} {body}");
        }
        assert_eq!(
            answered.header("access-control-allow-origin"),
            LISTED.1,
            "{path} {body}"
        );
        assert_eq!(answered.header("access-control-expose-headers"), "*");
        assert_eq!(answered.header("vary"), "origin");
    }
    first.play(Script::status(503)).await;
    let failed = listed(CHAT, &chat().to_string()).await;
    assert_eq!(failed.status, 503);
    assert_eq!(failed.header("access-control-allow-origin"), LISTED.1);

    // A program gets none of this.
    let program = gateway.post(CHAT, &chat()).await;
    assert_eq!(program.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_page_that_is_not_listed_is_refused_even_with_a_key() {
    let (first, gateway) = start(CLIENTS).await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let headers = [KEY, ("origin", origin)];
        let answered = gateway
            .send(Method::POST, CHAT, &headers, chat().to_string())
            .await;
        let error = refusal(&answered, 403, "origin_not_allowed");
        // An origin that would be no valid configuration is not suggested.
        assert!(!error.to_string().contains("\\\"null"), "{error}");
    }
    let headers = [KEY, ("sec-fetch-site", "cross-site")];
    let answered = gateway.send(Method::GET, "/v1/files", &headers, "").await;
    refusal(&answered, 403, "origin_not_allowed");
    assert_eq!(first.received_count(), 0);

    // Our own origin, as behind a proxy that serves an application under the same name.
    let own = [
        KEY,
        ("host", "app.example"),
        ("origin", "https://app.example"),
    ];
    let answered = gateway
        .send(Method::POST, CHAT, &own, chat().to_string())
        .await;
    assert_eq!(answered.status, 200);
}
