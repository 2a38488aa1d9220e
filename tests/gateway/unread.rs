//! Clients that do not read what they are sent, or read it slowly.

use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::frames::{Frames, INITIAL_WINDOW, RST_STREAM, WINDOW_UPDATE, data, number, setting};
use crate::harness::{TestGateway, chat, chat_stream, chat_text, within};

const CHAT: &str = "/v1/chat/completions";
/// More than the sockets and the gateway buffer.
const LONG: usize = 12 << 20;

fn config(url: &str, more: &str) -> String {
    format!(
        "upstreams: {{only: {{provider: openai-compatible, base_url: \"{url}\"}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: only}}]}}]\n{more}"
    )
}

/// A gateway with one upstream and these further lines.
async fn gateway(script: Script, more: &str) -> (TestGateway, Simulator) {
    let upstream = Simulator::start("only", script).await.unwrap();
    let yaml = config(&upstream.base_url(), more);
    (TestGateway::start(&yaml).await, upstream)
}

/// Waits until this many requests have ended; returns how.
async fn results(gateway: &TestGateway, count: usize) -> Vec<RequestResult> {
    let mut ended = Vec::new();
    let enough = |event: &Event| {
        if let Event::RequestFinished(report) = event
            && !ended.iter().any(|(id, _)| *id == report.id)
        {
            ended.push((report.id.clone(), report.result));
        }
        (ended.len() == count).then(|| ended.iter().map(|(_, result)| *result).collect())
    };
    gateway.events.wait_for(enough).await
}

/// How the attempts that are over have ended.
fn outcomes(gateway: &TestGateway) -> Vec<&'static str> {
    let events = gateway.events.all();
    let outcomes = events.iter().filter_map(|event| match event {
        Event::AttemptFinished { report, .. } => Some(report.outcome.label()),
        _ => None,
    });
    outcomes.collect()
}

/// The upstream counts as one that has never failed.
async fn upstream_is_unblamed(gateway: &TestGateway) {
    let told = gateway.admin("/api/upstreams").await.json();
    let text = told.to_string();
    for scope in told["scopes"].as_array().unwrap() {
        assert_eq!(scope["state"], "closed", "{text}");
        assert!(scope["evidence"].as_f64().unwrap() <= 0.0, "{text}");
        assert!(
            scope["errors_5m"]["ratio"].as_f64().unwrap_or(0.0) == 0.0,
            "{text}"
        );
    }
}

/// Sends a request over HTTP/1.1, and keeps little of what comes.
async fn ask_unread(gateway: &TestGateway, body: &Value) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = within(socket.connect(gateway.gateway.address()))
        .await
        .unwrap();
    let body = body.to_string();
    let length = body.len();
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_reads_nothing_loses_its_place() {
    for body in [chat(), chat_stream()] {
        let word = format!("{} ", "x".repeat(20_000));
        let script = Script::answer(word.repeat(LONG / word.len()));
        let (gateway, upstream) = gateway(script, "limits: {write: 300ms, requests: 1}\n").await;
        let mut unread = ask_unread(&gateway, &body).await;
        assert_eq!(results(&gateway, 1).await, [RequestResult::ClientGone]);
        upstream.play(Script::healthy()).await;
        let served = async {
            while gateway.post(CHAT, &chat()).await.status != 200 {
                // The slot is released just after the event is reported.
                tokio::task::yield_now().await;
            }
        };
        within(served).await;
        // What has been read by now does not look complete.
        let mut read = Vec::new();
        let ended = within(unread.read_to_end(&mut read)).await;
        assert!(ended.is_err() || read.len() < LONG);
        upstream_is_unblamed(&gateway).await;
    }
}

#[tokio::test]
async fn a_stream_whose_window_stays_shut_loses_its_place() {
    let limits = "limits: {write: 300ms, requests: 6}\ntimeouts: {keepalive: 100ms}\n";
    let late = Script::healthy().with_first_token_delay(Duration::from_millis(200));
    let (gateway, upstream) = gateway(late, limits).await;
    let window = setting(INITIAL_WINDOW, 0);
    let mut unread = Frames::open(gateway.gateway.address(), &window).await;
    let streams = [1, 3, 5, 7, 9, 11];
    for stream in streams {
        // Whole answers, streams, and an opaque body.
        match stream {
            1 | 3 => unread.ask(stream, CHAT, &chat().to_string()).await,
            11 => unread.ask(stream, "/v1/files", "{}").await,
            _ => unread.ask(stream, CHAT, &chat_stream().to_string()).await,
        }
    }
    let mut reset = Vec::new();
    while reset.len() < streams.len() {
        let frame = unread.next().await.expect("resets");
        assert!(frame.kind != 0, "data in spite of the window");
        if frame.kind == RST_STREAM {
            reset.push(frame.stream);
        }
    }
    reset.sort_unstable();
    assert_eq!(reset, streams);
    assert_eq!(results(&gateway, 6).await, [RequestResult::ClientGone; 6]);
    upstream.play(Script::healthy()).await;
    // The connection itself still works.
    unread.ask(13, CHAT, &chat().to_string()).await;
    unread.send(WINDOW_UPDATE, 0, 13, number(1 << 20)).await;
    let frames = unread.until_end_of(13).await;
    assert!(String::from_utf8_lossy(&data(&frames, 13)).contains("Hello from only."));
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(chat_text(&answered), "Hello from only.");
    upstream_is_unblamed(&gateway).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_all_of_it() {
    let text = "x".repeat(80 << 10);
    let script = Script::answer(text.clone());
    let (gateway, _upstream) = gateway(script, "limits: {write: 5s}\n").await;
    let window = setting(INITIAL_WINDOW, 0);
    let mut slow = Frames::open(gateway.gateway.address(), &window).await;
    slow.ask(1, CHAT, &chat().to_string()).await;
    for _ in 0..6 {
        // Each pause is shorter than the limit, but their sum is longer.
        sleep(Duration::from_secs(1)).await;
        slow.send(WINDOW_UPDATE, 0, 1, number(16 << 10)).await;
        slow.send(WINDOW_UPDATE, 0, 0, number(16 << 10)).await;
    }
    let frames = slow.until_end_of(1).await;
    let answer: Value = serde_json::from_slice(&data(&frames, 1)).expect("a whole answer");
    assert_eq!(answer["choices"][0]["message"]["content"], text);
    assert_eq!(results(&gateway, 1).await, [RequestResult::Answered]);
}

/// An upstream that sends a first token, many comments, and the rest.
async fn talkative() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let event = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "1", "object": "chat.completion.chunk", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let first = event(json!({"role": "assistant", "content": "one"}), Value::Null);
    let comments = format!(": {}\n\n", "-".repeat(1000)).repeat(1000);
    let last = event(json!({"content": " two"}), json!("stop"));
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = tcp.read(&mut request).await.unwrap();
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let all = format!("{head}{first}{comments}{last}data: [DONE]\n\n");
        let _ = tcp.write_all(all.as_bytes()).await;
    });
    url
}

#[tokio::test]
async fn the_pause_of_a_client_is_not_the_upstreams() {
    let url = talkative().await;
    let timeouts = "timeouts: {idle: 1s, content: 1s}\nlimits: {write: 60s}\n";
    let gateway = TestGateway::start(&config(&url, timeouts)).await;
    let mut slow = Frames::open(gateway.gateway.address(), &[]).await;
    slow.ask(1, CHAT, &chat_stream().to_string()).await;
    // The window is full of comments, and the last content was long ago.
    let mut frames = Vec::new();
    while data(&frames, 1).len() < 65_535 {
        frames.push(slow.next().await.unwrap());
    }
    sleep(Duration::from_millis(2500)).await;
    for stream in [0, 1] {
        slow.send(WINDOW_UPDATE, 0, stream, number(1 << 30)).await;
    }
    frames.extend(slow.until_end_of(1).await);
    let text = String::from_utf8(data(&frames, 1)).unwrap();
    assert!(
        text.ends_with("data: [DONE]\n\n"),
        "{:?}",
        text.lines().last()
    );
    assert!(text.contains("\" two\""));
    assert_eq!(results(&gateway, 1).await, [RequestResult::Answered]);
    assert_eq!(outcomes(&gateway), ["ok"]);
    upstream_is_unblamed(&gateway).await;
}

#[tokio::test]
async fn an_upstream_that_is_silent_after_a_pause_is_found_out_nevertheless() {
    let (gateway, _upstream) = gateway(
        Script::fault(Fault::StallAfter(2)),
        "timeouts: {idle: 300ms}\nlimits: {write: 60s}\n",
    )
    .await;
    let window = setting(INITIAL_WINDOW, 0);
    let mut slow = Frames::open(gateway.gateway.address(), &window).await;
    slow.ask(1, CHAT, &chat_stream().to_string()).await;
    sleep(Duration::from_millis(600)).await;
    assert_eq!(outcomes(&gateway), [""; 0], "nobody has waited for it yet");
    slow.send(WINDOW_UPDATE, 0, 1, number(1 << 20)).await;
    let frames = slow.until_end_of(1).await;
    let text = String::from_utf8(data(&frames, 1)).unwrap();
    assert!(text.contains("stream_interrupted"), "{text}");
    assert_eq!(outcomes(&gateway), ["idle_timeout"]);
}
