//! Malformed replies of upstreams: another upstream answers, or the client gets an error; replies are never mixed up.

use std::io::{Read, Write};
use std::net;
use std::thread;

use backstop::simulator::{Script, Simulator};
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::CHAT;
use crate::harness::{TestGateway, chat_text};
use crate::raw::Raw;

/// What an upstream sends, and whether that is an answer.
type Case = (&'static str, String, bool);

const ANSWER: &str = r#"{"object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello from odd."}}]}"#;

fn reply(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\n\r\n{body}")
}

fn sized(lines: &str) -> String {
    let length = ANSWER.len();
    reply(
        &format!("200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}{lines}"),
        ANSWER,
    )
}

fn with_length(length: &str) -> String {
    reply(
        &format!("200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}"),
        ANSWER,
    )
}

fn chunked(body: &str) -> String {
    reply(
        "200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked",
        body,
    )
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let size = format!("{:x}", ANSWER.len());
    let many = (0..2000)
        .map(|n| format!("\r\nx-{n}: y"))
        .collect::<String>();
    let long = "y".repeat(2 << 20);
    vec![
        ("well", sized(""), true),
        (
            "a limit that is never reset",
            sized(
                "\r\nX-RateLimit-Limit-Requests: 9\r\nX-RateLimit-Remaining-Requests: 0\
                \r\nX-RateLimit-Reset-Requests: 1e22",
            ),
            true,
        ),
        (
            "one 103",
            reply("103 Early Hints\r\nLink: </x>", &sized("")),
            true,
        ),
        ("many 100", reply("100 Continue", "").repeat(2000), false),
        (
            "204 with a body",
            reply("204 No Content\r\nContent-Length: 5", "hello"),
            false,
        ),
        (
            "304 with a body",
            reply("304 Not Modified\r\nContent-Length: 5", "hello"),
            false,
        ),
        ("a length too long", with_length("5000"), false),
        ("a length too short", with_length("10"), false),
        ("no number as length", with_length("x"), false),
        ("a negative length", with_length("-5"), false),
        ("two lengths", sized("\r\nContent-Length: 5"), false),
        (
            "both lengths",
            chunked(&format!("{size}\r\n{ANSWER}\r\n0\r\n\r\n")).replacen(
                "Transfer",
                "Content-Length: 5\r\nTransfer",
                1,
            ),
            true,
        ),
        (
            "a first chunk that is none",
            chunked(&format!("zz\r\n{ANSWER}\r\n0\r\n\r\n")),
            false,
        ),
        (
            "a chunk too short",
            chunked(&format!("5\r\n{ANSWER}\r\n0\r\n\r\n")),
            false,
        ),
        (
            "a size that overflows",
            chunked(&format!("ffffffffffffffffff\r\n{ANSWER}")),
            false,
        ),
        (
            "chunks without an end",
            chunked(&format!("{size}\r\n{ANSWER}\r\n")),
            false,
        ),
        ("many lines", sized(&many), false),
        ("a long line", sized(&format!("\r\nx: {long}")), false),
        ("a folded line", sized("\r\nx: a\r\n b"), false),
        ("a zero in a value", sized("\r\nx: a\0b"), false),
        ("a space before the colon", sized("\r\nx : a"), false),
        ("HTTP/0.9", ANSWER.to_owned(), false),
        (
            "HTTP/2.0",
            sized("").replacen("HTTP/1.1", "HTTP/2.0", 1),
            false,
        ),
        ("a status of two digits", reply("20 OK", ""), false),
        (
            "a status of 999",
            reply("999 What\r\nContent-Length: 0", ""),
            false,
        ),
        (
            "a status of 000",
            reply("000 What\r\nContent-Length: 0", ""),
            false,
        ),
        ("nothing", String::new(), false),
        (
            "half a head",
            "HTTP/1.1 200 OK\r\nContent-Le".to_owned(),
            false,
        ),
        (
            "another protocol",
            "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
            false,
        ),
    ]
}

/// An upstream that sends these bytes to every request and closes the connection.
async fn odd(reply: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut request = [0; 16 << 10];
                let _ = tcp.read(&mut request).await;
                let _ = tcp.write_all(reply.as_bytes()).await;
                let _ = tcp.shutdown().await;
                // If something were unread at the close, the connection would be reset.
                while tcp.read(&mut request).await.is_ok_and(|count| count > 0) {}
            });
        }
    });
    url
}

/// A gateway with a route of its own for each case, and a fallback.
async fn gateway(cases: &[Case], second: &Simulator) -> TestGateway {
    let mut upstreams = String::new();
    let mut routes = String::new();
    for (number, (_, reply, _)) in cases.iter().enumerate() {
        let url = odd(reply.clone()).await;
        upstreams +=
            &format!("  odd{number}: {{provider: openai-compatible, base_url: \"{url}\"}}\n");
        routes += &format!(
            "  - {{models: [m{number}], candidates: [{{upstream: odd{number}}}, {{upstream: second}}]}}\n"
        );
    }
    let url = second.base_url();
    TestGateway::start(&format!(
        "upstreams:\n{upstreams}  second: {{provider: openai-compatible, base_url: \"{url}\"}}\n\
         routes:\n{routes}timeouts: {{first_token: 2s, answer: 2s, idle: 1s}}\n"
    ))
    .await
}

#[tokio::test]
async fn no_form_of_a_reply_reaches_a_client_as_something_else() {
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let cases = cases();
    let gateway = &gateway(&cases, &second).await;
    let ask = |(number, (name, _, is_answer)): (usize, &Case)| {
        let (name, is_answer) = (*name, *is_answer);
        let mut body = json!({"model": format!("m{number}"), "messages": []});
        async move {
            let answered = gateway.post(CHAT, &body).await;
            assert_eq!(answered.status, 200, "{name}: {answered:?}");
            let text = if is_answer {
                "Hello from odd."
            } else {
                "Hello from second."
            };
            assert_eq!(chat_text(&answered), text, "{name}");
            body["stream"] = true.into();
            let answered = gateway.post(CHAT, &body).await;
            assert_eq!(answered.status, 200, "{name}: {answered:?}");
            let server = if is_answer {
                format!("odd{number}")
            } else {
                "second".to_owned()
            };
            assert_eq!(answered.upstream(), server, "{name}");
            let text = answered.text();
            assert!(text.contains("Hello"), "{name}: {answered:?}");
            assert!(text.ends_with("data: [DONE]\n\n"), "{name}: {answered:?}");
        }
    };
    join_all(cases.iter().enumerate().map(ask)).await;
    // A forwarded request may not be sent again. Its client gets one reply at most, or none.
    for (number, (name, _, _)) in cases.iter().enumerate() {
        let body = json!({"model": format!("m{number}")}).to_string();
        let mut raw = Raw::open(gateway.gateway.address()).await;
        let length = body.len();
        let head =
            format!("POST /v1/whatever HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}");
        raw.say(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes())
            .await;
        let answer = raw.until_closed().await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{name}: {answer}");
    }
    let last = gateway
        .post(CHAT, &json!({"model": "m0", "messages": []}))
        .await;
    assert_eq!(chat_text(&last), "Hello from odd.");
}

/// An upstream that sends this, and then that for ever, faster than anybody can read.
fn endless(begin: &'static str, again: &'static str) -> String {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut tcp in listener.incoming().flatten() {
            thread::spawn(move || {
                let again = again.repeat(10_000);
                let _ = tcp.read(&mut [0; 16 << 10]);
                let _ = tcp.write_all(begin.as_bytes());
                while tcp.write_all(again.as_bytes()).is_ok() {}
            });
        }
    });
    url
}

/// A gateway that asks this upstream first, and the healthy one then.
async fn with_endless(url: &str, second: &Simulator) -> TestGateway {
    TestGateway::start(&format!(
        "upstreams:\n  endless: {{provider: openai-compatible, base_url: \"{url}\"}}\n  \
         second: {{provider: openai-compatible, base_url: \"{}\"}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: endless}}, {{upstream: second}}]}}]\n\
         timeouts: {{first_token: 1s, answer: 1s, content: 1s}}\n",
        second.base_url()
    ))
    .await
}

#[tokio::test]
async fn an_upstream_that_announces_its_answer_for_ever_is_given_up_in_time() {
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let url = endless("", "HTTP/1.1 103 Early Hints\r\n\r\n");
    let gateway = with_endless(&url, &second).await;
    for stream in [false, true] {
        let body = json!({"model": "m", "messages": [], "stream": stream});
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(
            answered.trail(),
            ["endless:first_token_timeout", "second:ok"]
        );
    }
}

#[tokio::test]
async fn a_stream_of_signs_of_life_without_a_pause_is_no_stream_of_content() {
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let begin = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
        data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n";
    let gateway = with_endless(&endless(begin, ": still there\n\n"), &second).await;
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": true});
    let answered = gateway.post("/v1/messages", &body).await;
    let text = answered.text();
    assert!(
        text.contains("Hello") && text.contains("event: error"),
        "{text}"
    );
    assert!(text.contains("stopped sending content"), "{text}");
}
