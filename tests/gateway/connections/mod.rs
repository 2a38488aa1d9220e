//! Connections to upstreams: what was never processed is sent again, and what carried a failure is not used again.

mod http1;
mod http2;
mod kept;
mod packed;
mod proxies;
mod proxy;
mod secrets;
mod unfinished;

use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use futures_util::future::join_all;
use http::Method;

use self::http1::{Bytes, Turn};
use self::http2::{Frames, Manner};
use crate::harness::{Setup, TestGateway, chat, chat_text};
use crate::tls::Identity;

const CHAT: &str = "/v1/chat/completions";

/// A gateway before an upstream of HTTP/2, and a second upstream that must not be needed.
async fn before_frames(frames: &Frames, second: &Simulator, identity: &Identity) -> TestGateway {
    let url = format!("https://{}/v1", frames.address);
    let keys = format!(
        "provider: openai-compatible, ca_file: \"{}\"",
        identity.certificate_file().display()
    );
    let setup = Setup::new().upstream_at("first", &url, &keys);
    setup.upstream(second).start().await
}

async fn before_bytes(bytes: &Bytes, second: &Simulator) -> TestGateway {
    let url = format!("http://{}/v1", bytes.address);
    let setup = Setup::new().upstream_at("first", &url, "provider: openai-compatible");
    setup.upstream(second).start().await
}

async fn second() -> Simulator {
    Simulator::start("second", Script::healthy()).await.unwrap()
}

/// Nobody was blamed for anything.
async fn nobody_is_blamed(gateway: &TestGateway) {
    let metrics = gateway.admin("/metrics").await.text();
    let attempts = metrics
        .lines()
        .filter(|line| line.starts_with("backstop_attempts_total") && !line.ends_with(" 0"));
    for line in attempts {
        assert!(line.contains("outcome=\"ok\""), "{line}");
    }
}

#[tokio::test]
async fn requests_behind_the_last_stream_of_a_goaway_are_sent_again() {
    let identity = Identity::new();
    let manner = Manner::GoAwayAfter(20);
    let first = Frames::start(identity.server(&[b"h2"]), manner).await;
    let second = second().await;
    let gateway = before_frames(&first, &second, &identity).await;
    let body = chat();
    for _ in 0..10 {
        let asking = (0..32).map(|_| gateway.post(CHAT, &body));
        for answered in join_all(asking).await {
            assert_eq!(answered.trail(), ["first:ok"]);
            assert_eq!(chat_text(&answered), "Hello from frames.");
        }
    }
    assert_eq!((first.answered(), second.received_count()), (320, 0));
    assert!(first.connections() >= 16, "{}", first.connections());
    nobody_is_blamed(&gateway).await;
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_a_few_times() {
    let identity = Identity::new();
    for (refusals, trail) in [
        (2, ["first:ok"].as_slice()),
        (3, &["first:connection_lost", "second:ok"]),
    ] {
        let manner = Manner::Refuse(refusals);
        let first = Frames::start(identity.server(&[b"h2"]), manner).await;
        let second = second().await;
        let gateway = before_frames(&first, &second, &identity).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), trail);
        assert_eq!(first.refused(), refusals);
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_while_it_is_used_again_costs_nothing() {
    let first = Bytes::start(&[Turn::Answer, Turn::HangUp]).await;
    let second = second().await;
    let gateway = before_bytes(&first, &second).await;
    for _ in 0..3 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), ["first:ok"]);
    }
    assert_eq!(first.requests(), [1, 1, 2, 2]);
    assert_eq!(second.received_count(), 0);
    nobody_is_blamed(&gateway).await;
}

#[tokio::test]
async fn what_might_be_done_twice_is_not_sent_again() {
    for (method, expected) in [(Method::GET, 200), (Method::POST, 503)] {
        let first = Bytes::start(&[Turn::Answer, Turn::HangUp]).await;
        let second = second().await;
        let gateway = before_bytes(&first, &second).await;
        assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
        let answered = gateway.send(method, "/v1/batches", &[], "").await;
        assert_eq!(answered.status, expected);
        assert_eq!(second.received_count(), 0);
    }
}

#[tokio::test]
async fn what_dies_on_a_new_connection_or_in_the_middle_of_an_answer_is_lost() {
    let lost = ["first:connection_lost", "second:ok"];
    for (turns, connections) in [
        ([Turn::HangUp].as_slice(), [1].as_slice()),
        (&[Turn::Answer, Turn::BreakOff], &[1, 1]),
        // Only one connection may have been about to close.
        (&[Turn::Answer, Turn::HangUp, Turn::HangUp], &[1, 1, 2]),
    ] {
        let first = Bytes::start(turns).await;
        let second = second().await;
        let gateway = before_bytes(&first, &second).await;
        for _ in 0..turns.iter().filter(|turn| **turn == Turn::Answer).count() {
            let answered = gateway.post(CHAT, &chat()).await;
            assert_eq!(answered.trail(), ["first:ok"]);
        }
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), lost, "{turns:?}");
        assert_eq!(first.requests(), connections, "{turns:?}");
    }
}

#[tokio::test]
async fn after_a_failure_an_upstream_is_asked_over_a_new_connection() {
    let first = Bytes::start(&[Turn::Answer, Turn::Fail]).await;
    let second = second().await;
    let gateway = before_bytes(&first, &second).await;
    for trail in [
        ["first:ok"].as_slice(),
        &["first:server_error", "second:ok"],
        &["first:ok"],
        &["first:ok"],
    ] {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), trail);
    }
    assert_eq!(first.requests(), [1, 1, 2, 2]);
}

/// The receive window of a server that is busy stays closed; its system still answers.
#[tokio::test]
async fn a_large_body_waits_for_a_server_that_does_not_read() {
    let pause = Duration::from_secs(2);
    let first = Bytes::start(&[Turn::Answer, Turn::Dawdle(pause)]).await;
    let second = second().await;
    let url = format!("http://{}/v1", first.address);
    let setup = Setup::new().upstream_at("first", &url, "provider: openai-compatible");
    // Small requests may go without acknowledgement for twice as long.
    let setup = setup.lines("timeouts: {connect: 200ms}");
    let gateway = setup.upstream(&second).start().await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    let mut body = chat();
    body["user"] = "long".repeat(4 << 20).into();
    let answered = gateway.post(CHAT, &body).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(first.requests(), [1, 1]);
}
