//! What an upstream answers to a forwarded request is an error though it comes with 200, and it may come too late.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::forwarding::raw;
use crate::harness::{Answered, Setup, TestGateway, refusal, simulators, within};

const IMAGES: &str = "/v1/images/generations";
const ERROR: &str =
    r#"{"error":{"message":"overloaded for now","type":"server_error","code":null}}"#;
const EVENT: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"overloaded for now\",\"type\":\"server_error\"}}\n\n";

/// A reply with 200 and this body.
pub(crate) fn fine(body: &str) -> Script {
    Script::fault(Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(body.to_owned()),
    })
}

/// An upstream that answers with these events.
async fn events(text: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    raw(format!("{head}{text}")).await
}

/// One that answers with the first events, and another one with the second.
async fn before(first: &str, second: &str) -> TestGateway {
    let provider = "provider: openai-compatible";
    Setup::new()
        .upstream_at("first", &events(first).await, provider)
        .upstream_at("second", &events(second).await, provider)
        .start()
        .await
}

async fn both() -> (TestGateway, Simulator, Simulator) {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    (gateway, first, second)
}

async fn image(gateway: &TestGateway, streamed: bool) -> Answered {
    let body = json!({"model": "gpt-image-1", "prompt": "a cat", "stream": streamed});
    gateway.post(IMAGES, &body).await
}

#[tokio::test]
async fn an_error_that_comes_with_200_is_none_of_the_answers_where_nothing_is_kept() {
    for path in [
        IMAGES,
        "/v1/audio/transcriptions",
        "/v1/moderations",
        "/v1/rerank",
        "/v1/responses/input_tokens",
    ] {
        let (gateway, first, _second) = both().await;
        first.play(fine(ERROR)).await;
        let answered = gateway.post(path, &json!({"model": "m"})).await;
        assert_eq!(answered.status, 200, "{path}");
        assert_eq!(answered.trail(), ["first:server_error", "second:ok"]);
        assert!(!answered.text().contains("overloaded for now"), "{path}");
    }
}

#[tokio::test]
async fn a_stream_whose_first_event_is_an_error_is_none_either() {
    let picture = "data: {\"type\":\"image_generation.completed\"}\n\n";
    for begins in ["", ": ping\n\n", "\n"] {
        let gateway = before(&format!("{begins}{EVENT}"), picture).await;
        let answered = image(&gateway, true).await;
        assert_eq!(answered.trail(), ["first:server_error", "second:ok"]);
        assert_eq!(answered.text(), picture);
    }
    // If all fail, the client gets an error and no stream.
    let answered = image(&before(EVENT, EVENT).await, true).await;
    assert_eq!(answered.status, 500);
    assert_eq!(
        answered.trail(),
        ["first:server_error", "second:server_error"]
    );
    assert_eq!(answered.json()["error"]["message"], "overloaded for now");
    assert_eq!(answered.header("content-type"), "application/json");
}

/// Nobody has seen any of it.
#[tokio::test]
async fn a_stream_that_breaks_within_its_first_event_is_replaced() {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let url = raw(format!("{head}{:x}\r\n{}\r\n", 20, &EVENT[..20])).await;
    let (_first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_at("raw", &url, "provider: openai-compatible")
        .upstream(&second)
        .start()
        .await;
    let answered = image(&gateway, true).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert_eq!(answered.trail(), ["raw:connection_lost", "second:ok"]);
}

/// Nobody knows whether something was done.
#[tokio::test]
async fn where_things_are_kept_an_error_comes_with_the_status_that_it_stands_for() {
    let (gateway, first, second) = both().await;
    for (said, status, outcome) in [
        (ERROR, 500, "server_error"),
        (
            r#"{"error":{"message":"slow down","code":429}}"#,
            429,
            "rate_limited",
        ),
    ] {
        first.play(fine(said)).await;
        let answered = gateway.post("/v1/batches", &json!({})).await;
        assert_eq!(
            (answered.status, answered.text()),
            (status, said.to_owned())
        );
        assert_eq!(answered.trail(), [format!("first:{outcome}")]);
        let metrics = gateway.admin("/metrics").await.text();
        let failed = format!("result=\"failed\",route=\"*\",status=\"{status}\"}} 1\n");
        assert!(metrics.contains(&failed), "{metrics}");
    }
    assert_eq!(second.received_count(), 0);
}

/// A job that has failed says so, and a file may say anything.
#[tokio::test]
async fn what_only_names_an_error_passes_as_it_is() {
    let (gateway, first, second) = both().await;
    let job = r#"{"id":"ftjob-1","error":{"code":"invalid_training_file","message":"m"}}"#;
    for (path, said) in [
        ("/v1/fine_tuning/jobs/ftjob-1", job),
        ("/v1/files/file-1/content", ERROR),
        ("/v1/files", r#"{"data":[],"error":null}"#),
    ] {
        first.play(fine(said)).await;
        let answered = gateway.get(path).await;
        assert_eq!((answered.status, answered.text()), (200, said.to_owned()));
        assert_eq!(answered.trail(), ["first:ok"]);
    }
    let large = json!({"data": [{"b64_json": "x".repeat(200_000)}], "error": null}).to_string();
    first.play(fine(&large)).await;
    assert_eq!(image(&gateway, false).await.text(), large);
    assert_eq!(second.received_count(), 0);
}

/// An upstream that sends a head and these texts, with so long before each.
async fn slowly(texts: Vec<String>, wait: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let _ = connection.read(&mut [0; 4096]).await;
        let _ = connection.write_all(head.as_bytes()).await;
        for text in texts {
            sleep(wait).await;
            let _ = connection.write_all(text.as_bytes()).await;
        }
    });
    format!("http://{address}/v1")
}

/// It cannot be replaced any more, but it is no success.
#[tokio::test]
async fn an_error_behind_the_first_event_passes_and_counts() {
    let partial = "data: {\"type\":\"image_generation.partial_image\"}\n\n";
    for texts in [
        vec![partial.to_owned(), EVENT.to_owned()],
        // In pieces, and after the client had to be told that somebody is there.
        vec![
            ": wait\n\n".to_owned(),
            EVENT[..30].to_owned(),
            EVENT[30..].to_owned(),
        ],
    ] {
        let url = slowly(texts.clone(), Duration::from_secs(25)).await;
        let gateway = Setup::new()
            .upstream_at("slow", &url, "provider: openai-compatible")
            .start()
            .await;
        let answer = gateway.open(Method::POST, IMAGES, &[], "{}").await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, texts.concat());
        let report = gateway.events.finished(0).await;
        assert_eq!(report.failed_by, ["slow".into()]);
    }
}

#[tokio::test]
async fn a_client_that_tells_its_patience_is_answered_in_time_where_nothing_is_kept() {
    for path in [IMAGES, "/v1/moderations", "/v1/audio/speech"] {
        for hangs in [Fault::Hang, Fault::HangAfterHeaders] {
            let (gateway, first, second) = both().await;
            first.play(Script::fault(hangs)).await;
            let headers = [
                ("content-type", "application/json"),
                ("x-stainless-timeout", "5"),
            ];
            let body = json!({"model": "m"}).to_string();
            let answered = gateway.send(Method::POST, path, &headers, body).await;
            assert_eq!(answered.status, 200, "{path}");
            assert_eq!(
                answered.trail(),
                ["first:superseded", "second:ok"],
                "{path}"
            );
            assert_eq!(second.received_count(), 1);
            // What nobody waits for any more is given up.
            within(first.wait_abandoned(1)).await;
        }
    }
}

/// Nobody knows what a second file would do.
#[tokio::test]
async fn nobody_is_asked_beside_the_first_one_where_things_are_kept() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Hang)).await;
    let timeouts = "timeouts: {answer: 4s, first_token: 4s}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    let headers = [("x-stainless-timeout", "5")];
    let answered = gateway
        .send(Method::POST, "/v1/files", &headers, "{}")
        .await;
    refusal(&answered, 503, "all_upstreams_failed");
    assert_eq!(answered.trail(), ["first:first_token_timeout"]);
    assert_eq!(second.received_count(), 0);
}

/// The one beside it has failed: the first one's answer is as good as ever.
#[tokio::test]
async fn the_first_one_may_answer_after_the_one_beside_it_has_failed() {
    let (gateway, first, second) = both().await;
    let body: Value = json!({"model": "m"});
    first
        .play(Script::healthy().with_answer_delay(Duration::from_secs(4)))
        .await;
    second.play(Script::status(500)).await;
    let headers = [
        ("content-type", "application/json"),
        ("x-stainless-timeout", "5"),
    ];
    let answered = gateway
        .send(Method::POST, "/v1/moderations", &headers, body.to_string())
        .await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert_eq!(answered.trail(), ["second:server_error", "first:ok"]);
}
