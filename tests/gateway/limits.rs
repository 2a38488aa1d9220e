//! Limits on clients: requests, connections, heads and time.

use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Received, Script, Simulator};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Setup, TestGateway, chat, chat_text, refusal, within};

const CHAT: &str = "/v1/chat/completions";

/// A gateway within these limits, and its only upstream.
async fn gateway(limits: &str) -> (TestGateway, Simulator) {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let limits = format!("limits: {{{limits}}}");
    let setup = Setup::new().upstream(&upstream).lines(&limits);
    (setup.start().await, upstream)
}

/// A connection on which the test controls every byte.
struct Raw(TcpStream);

impl Raw {
    async fn open(gateway: &TestGateway) -> Self {
        let address = gateway.gateway.address();
        Self(within(TcpStream::connect(address)).await.unwrap())
    }

    async fn say(&mut self, text: &str) {
        within(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    /// Requests a chat answer of this model.
    async fn ask(&mut self, model: &str) {
        let body = json!({"model": model, "messages": []}).to_string();
        let length = body.len();
        self.say(&format!(
            "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
    }

    /// The next answer, head and body.
    async fn answer(&mut self) -> String {
        let mut answer = String::new();
        let reading = async {
            while !is_whole(&answer) {
                let mut buffer = [0; 4096];
                let count = self.0.read(&mut buffer).await.unwrap();
                assert!(count > 0, "closed after {answer:?}");
                answer += std::str::from_utf8(&buffer[..count]).unwrap();
            }
        };
        within(reading).await;
        answer
    }

    /// Everything else that arrives until the other side closes.
    async fn until_closed(mut self) -> String {
        let mut rest = Vec::new();
        // Closing while we send may reset the connection; closed is closed.
        let _ = within(self.0.read_to_end(&mut rest)).await;
        String::from_utf8(rest).unwrap()
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap_or("0");
    body.len() >= length.parse().unwrap()
}

#[tokio::test]
async fn a_request_over_the_limit_is_asked_to_retry_soon() {
    let (gateway, upstream) = gateway("requests: 1").await;
    upstream.play(Script::fault(Fault::Hang)).await;
    let meanwhile = async {
        within(upstream.wait_received(1)).await;
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 503, "too_many_requests_in_flight");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("limits.requests")
        );
        assert_eq!(answered.header("retry-after"), "1");
    };
    let body = chat();
    tokio::select! {
        _ = gateway.post(CHAT, &body) => panic!("an answer from an upstream that hangs"),
        () = meanwhile => {}
    }
    assert_eq!(upstream.received_count(), 1);

    // It was not wrong itself.
    let refused = gateway.events.finished(0).await;
    assert_eq!(refused.result, RequestResult::Failed);
    assert_eq!(refused.cause(), Some("requests"));

    // The slot is free again once its client has gone.
    gateway
        .events
        .wait_for(|event| match event {
            Event::RequestFinished(report) if report.result == RequestResult::ClientGone => {
                Some(())
            }
            _ => None,
        })
        .await;
    upstream.play(Script::healthy()).await;
    let served = async {
        while gateway.post(CHAT, &chat()).await.status != 200 {
            // The slot is released just after the event is reported.
            tokio::task::yield_now().await;
        }
    };
    within(served).await;
    for _ in 0..3 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from only.");
    }
}

/// A request of which only the start is sent.
async fn half(gateway: &TestGateway) -> Raw {
    let mut raw = Raw::open(gateway).await;
    raw.say(&format!(
        "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{{"
    ))
    .await;
    raw
}

/// How the next request to end is counted.
async fn end(gateway: &TestGateway) -> (RequestResult, u16) {
    let ended = |event: &Event| match event {
        Event::RequestFinished(report) => Some((report.result, report.status)),
        _ => None,
    };
    gateway.events.wait_for(ended).await
}

/// Nobody reads our error then, and it is nobody's fault.
#[tokio::test]
async fn a_client_that_hangs_up_while_it_uploads_counts_as_gone() {
    let (gateway, upstream) = gateway("").await;
    let raw = half(&gateway).await;
    gateway
        .events
        .wait_for(|event| matches!(event, Event::RequestStarted).then_some(()))
        .await;
    drop(raw);
    assert_eq!(end(&gateway).await, (RequestResult::ClientGone, 499));
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn a_client_that_stalls_while_it_uploads_gets_an_error() {
    let (gateway, upstream) = gateway("}\ntimeouts: {idle: 200ms").await;
    let raw = half(&gateway).await;
    let answer = raw.until_closed().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(end(&gateway).await, (RequestResult::Rejected, 408));
    assert_eq!(upstream.received_count(), 0);
}

/// A connection that is reset while the client sends takes the answer with it.
#[tokio::test]
async fn whoever_sends_all_of_a_refused_body_gets_the_answer_and_may_go_on() {
    let (gateway, upstream) = gateway("body: 64KiB").await;
    let mut raw = Raw::open(&gateway).await;
    // More than the system takes before somebody reads.
    let body = "x".repeat(24 << 20);
    let length = body.len();
    let head =
        format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
    raw.say(&head).await;
    raw.say(&body).await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 413 "));
    raw.ask("gpt-4o").await;
    assert!(raw.answer().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(upstream.received_count(), 1);
}

#[tokio::test]
async fn a_connection_that_does_not_come_to_the_point_is_closed() {
    let (gateway, upstream) = gateway("idle_connection: 200ms").await;
    for said in [
        "",
        "G",
        "P",
        "PRI * HTTP/2.0\r\n",
        "POST /v1/chat/completions HT",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-le",
    ] {
        let mut raw = Raw::open(&gateway).await;
        raw.say(said).await;
        let answer = within(raw.until_closed()).await;
        assert!(!answer.contains("200 OK"), "{said:?}: {answer}");
    }
    assert_eq!(upstream.received_count(), 0);
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_up_a_drain() {
    // The default idle timeout and grace time are longer than the harness waits.
    let (gateway, upstream) = gateway("requests: 1").await;
    let silent = Raw::open(&gateway).await;
    // Connections are accepted in order.
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    within(gateway.gateway.drain()).await;
    assert_eq!(silent.until_closed().await, "");
    assert_eq!(upstream.received_count(), 1);
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_and_closed_when_none_comes() {
    let (gateway, upstream) = gateway("idle_connection: 600ms").await;
    let mut raw = Raw::open(&gateway).await;
    for _ in 0..3 {
        raw.ask("gpt-4o").await;
        let answer = raw.answer().await;
        assert!(answer.contains("Hello from only."), "{answer}");
    }
    assert_eq!(raw.until_closed().await, "");
    assert_eq!(upstream.received_count(), 3);
}

#[tokio::test]
async fn a_connection_too_many_waits_until_another_one_closes() {
    let (gateway, upstream) = gateway("connections: 2").await;
    let hang = Script::fault(Fault::Hang).with_only_model("endless");
    upstream.play(hang).await;
    let mut open = Raw::open(&gateway).await;
    open.ask("early").await;
    open.answer().await;
    let mut busy = Raw::open(&gateway).await;
    busy.ask("endless").await;
    upstream.wait_received(2).await;
    // It is not the idle connection that has to wait.
    open.ask("endless").await;
    upstream.wait_received(3).await;
    let mut waiting = Raw::open(&gateway).await;
    waiting.ask("late").await;
    let meanwhile = within(waiting.0.read_u8());
    let patience = tokio::time::timeout(Duration::from_millis(1500), meanwhile);
    assert!(
        patience.await.is_err(),
        "no connection may be closed for it"
    );
    drop(busy);
    let answer = waiting.answer().await;
    assert!(answer.contains("Hello from only."), "{answer}");
    let received = upstream.received();
    let models: Vec<_> = received.iter().filter_map(Received::model).collect();
    assert_eq!(models, ["early", "endless", "endless", "late"]);
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let (gateway, upstream) = gateway("headers: 16KiB").await;
    for (size, status) in [(12_000, "200"), (40_000, "431")] {
        let mut raw = Raw::open(&gateway).await;
        let padding = "x".repeat(size);
        raw.say(&format!(
            "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-padding: {padding}\r\n\r\n"
        ))
        .await;
        let answer = raw.answer().await;
        let begin = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begin), "{answer}");
    }
    assert_eq!(upstream.received_count(), 0);
}
