//! The cost of request bodies: memory and work, without blocking other requests.

use std::io::Write;

use backstop::simulator::{Fault, Script, Simulator};
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Answered, TestGateway, chat, chat_text, refusal, within};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Upstreams of both APIs in one simulator: `gpt-*` goes to one with Anthropic's API, all else to one with OpenAI's,
/// and `both-*` to the first one before the second.
async fn gateway(limits: &str) -> (TestGateway, Simulator) {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let url = upstream.base_url();
    let yaml = format!(
        "upstreams:\n\
         \x20 anthropic: {{provider: anthropic, base_url: \"{url}\", api_key: k}}\n\
         \x20 openai: {{provider: openai-compatible, base_url: \"{url}\"}}\n\
         routes:\n\
         \x20 - {{models: [\"gpt-*\"], candidates: [{{upstream: anthropic}}]}}\n\
         \x20 - {{models: [\"both-*\"], candidates: [{{upstream: anthropic}}, {{upstream: openai}}]}}\n\
         \x20 - {{models: [renamed], candidates: [{{upstream: openai, model: mistral-small}}]}}\n\
         \x20 - {{models: [\"*\"], candidates: [{{upstream: openai}}]}}\n\
         limits: {{{limits}}}\n"
    );
    (TestGateway::start(&yaml).await, upstream)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

async fn ask(gateway: &TestGateway, coding: &str, body: impl Into<Bytes>) -> Answered {
    let headers = [JSON, ("content-encoding", coding)];
    gateway.send(Method::POST, CHAT, &headers, body).await
}

/// A chat of one long text.
fn long(model: &str, bytes: usize) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "x".repeat(bytes)}]})
}

/// A chat of very many messages.
fn many(model: &str, messages: usize) -> Value {
    let message = json!({"role": "user", "content": "x"});
    json!({"model": model, "max_tokens": 9, "messages": vec![message; messages]})
}

async fn metric(gateway: &TestGateway, name: &str) -> u64 {
    let page = gateway.admin("/metrics").await.text();
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name}: {page}"))
        .trim()
        .parse()
        .unwrap()
}

/// Waits until no body holds any memory.
async fn until_free(gateway: &TestGateway) {
    let free = async {
        while metric(gateway, "backstop_body_memory_bytes ").await > 0 {
            tokio::task::yield_now().await;
        }
    };
    within(free).await;
}

#[tokio::test]
async fn bodies_that_are_mostly_packing_are_refused() {
    let (gateway, upstream) = gateway("").await;
    let empty = gzip(b"");
    let thrice = gzip(&gzip(&empty.repeat(50_000)));
    assert!(thrice.len() < 1000);
    let answered = ask(&gateway, "gzip, gzip, gzip", thrice).await;
    refusal(&answered, 415, "unsupported_content_encoding");
    let body = chat().to_string();
    for packed in [
        empty.repeat(5_000),
        [&gzip(body.as_bytes()), &*empty.repeat(5_000)].concat(),
        [&gzip(body.as_bytes()), &b"more"[..]].concat(),
        gzip(body.as_bytes())[..40].to_vec(),
    ] {
        let answered = ask(&gateway, "gzip", packed).await;
        refusal(&answered, 400, "invalid_content_encoding");
    }
    let zeros = gzip(&vec![b' '; 4 << 20]);
    refusal(
        &ask(&gateway, "gzip", zeros).await,
        413,
        "request_too_large",
    );
    assert_eq!(upstream.received_count(), 0);
    let both = [gzip(&body.as_bytes()[..9]), gzip(&body.as_bytes()[9..])];
    let answered = ask(&gateway, "gzip", both.concat()).await;
    assert_eq!(chat_text(&answered), "Hello from only.");
}

#[tokio::test]
async fn beyond_the_memory_for_bodies_a_request_is_asked_to_retry() {
    let (gateway, upstream) = gateway("body: 1MiB, memory: 1MiB").await;
    upstream.play(Script::fault(Fault::Hang)).await;
    let first = long("m", 700 << 10);
    let meanwhile = async {
        within(upstream.wait_received(1)).await;
        let held = metric(&gateway, "backstop_body_memory_bytes ").await;
        assert!((700 << 10..1 << 20).contains(&held), "{held}");
        upstream.play(Script::healthy()).await;
        let large = long("m", 400 << 10);
        let answered = gateway.post(CHAT, &large).await;
        let error = refusal(&answered, 503, "memory_limit_reached");
        assert!(error["message"].as_str().unwrap().contains("limits.memory"));
        assert_eq!(answered.header("retry-after"), "1");
        let answered = gateway.post(MESSAGES, &large).await;
        assert_eq!(answered.status, 503);
        assert_eq!(answered.json()["error"]["type"], "overloaded_error");
        // Compressed, it is not larger than others; decompressed it is.
        let packed = gzip(large.to_string().replace("xx", "xyz").as_bytes());
        assert!(packed.len() < 9000);
        let answered = ask(&gateway, "gzip", packed).await;
        refusal(&answered, 503, "memory_limit_reached");
        // Small ones pass, and so does one that still fits.
        assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
        assert_eq!(gateway.post(CHAT, &long("m", 200 << 10)).await.status, 200);
        assert_eq!(
            metric(&gateway, "backstop_body_memory_refusals_total ").await,
            3
        );
    };
    tokio::select! {
        _ = gateway.post(CHAT, &first) => panic!("an answer from an upstream that hangs"),
        () = meanwhile => {}
    }
    assert_eq!(upstream.received_count(), 3);
    until_free(&gateway).await;
    let answered = gateway.post(CHAT, &long("m", 900 << 10)).await;
    assert_eq!(chat_text(&answered), "Hello from only.");
}

/// A body without a length takes its memory as it grows; if it is rejected, it is not read to its end.
#[tokio::test]
async fn a_body_that_grows_beyond_the_memory_is_refused() {
    let (gateway, upstream) = gateway("body: 1MiB, memory: 1MiB").await;
    upstream.play(Script::fault(Fault::Hang)).await;
    let first = long("m", 700 << 10);
    let meanwhile = async {
        within(upstream.wait_received(1)).await;
        let mut raw = TcpStream::connect(gateway.gateway.address()).await.unwrap();
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        raw.write_all(head.as_bytes()).await.unwrap();
        let chunk = [b"10000\r\n", &*vec![b' '; 0x10000], b"\r\n"].concat();
        let mut answer = vec![0; 4096];
        let (mut from, mut to) = raw.split();
        let writing = async {
            for _ in 0..12 {
                // It may be closed by then.
                let _ = to.write_all(&chunk).await;
            }
            std::future::pending::<()>().await;
        };
        let count = tokio::select! {
            count = from.read(&mut answer) => count.unwrap(),
            () = writing => 0,
        };
        let answer = String::from_utf8(answer[..count].to_vec()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("memory_limit_reached"), "{answer}");
    };
    tokio::select! {
        _ = gateway.post(CHAT, &first) => panic!("an answer from an upstream that hangs"),
        () = within(meanwhile) => {}
    }
    assert_eq!(upstream.received_count(), 1);
}

#[tokio::test]
async fn what_is_too_large_to_be_translated_goes_to_whom_it_need_not_be() {
    let (gateway, upstream) = gateway("body: 1MiB, memory: 4MiB").await;
    // Forwarded as text, it is accepted.
    let text = gateway.post(CHAT, &long("gpt-4o", 300 << 10)).await;
    assert_eq!(chat_text(&text), "Hello from only.");
    let answered = gateway.post(CHAT, &many("gpt-4o", 9000)).await;
    let error = refusal(&answered, 413, "request_too_large");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("too large to be translated"), "{message}");
    let answered = gateway.post(MESSAGES, &many("claude", 9000)).await;
    assert_eq!(answered.status, 413);
    assert_eq!(answered.json()["error"]["type"], "request_too_large");
    assert_eq!(upstream.received_count(), 1);

    let mut body = many("both-1", 9000);
    let answered = gateway.post(CHAT, &body).await;
    assert_eq!(answered.upstream(), "openai");
    assert_eq!(upstream.received()[1].json(), body);
    // Replacing the model's name is not a translation.
    body["model"] = "renamed".into();
    let answered = gateway.post(CHAT, &body).await;
    assert_eq!(answered.status, 200, "{answered:?}");
    body["model"] = "mistral-small".into();
    assert_eq!(upstream.received()[2].json(), body);
}

/// A gateway with one processor would answer nobody while it decompresses and translates, if it did so on its only
/// thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn large_bodies_are_translated_and_packed_ones_unpacked() {
    let (gateway, upstream) = gateway("").await;
    for (path, model) in [(CHAT, "gpt-4o"), (MESSAGES, "claude")] {
        let body = many(model, 2500);
        let little = chat();
        let (large, small) = tokio::join!(gateway.post(path, &body), gateway.post(CHAT, &little));
        assert_eq!((large.status, small.status), (200, 200));
    }
    let answered = ask(
        &gateway,
        "gzip",
        gzip(many("gpt-4o", 2500).to_string().as_bytes()),
    )
    .await;
    assert_eq!(chat_text(&answered), "Hello from only.");
    assert_eq!(upstream.received_count(), 5);
    until_free(&gateway).await;
}

/// Many small compressed requests at once hold no more than the budget between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_packed_bodies_at_once_stay_within_the_memory() {
    let (gateway, _upstream) = gateway("body: 1MiB, memory: 9MiB").await;
    let text = many("gpt-4o", 2500).to_string();
    let body = Bytes::from(gzip(text.as_bytes()));
    let ask = |_| ask(&gateway, "gzip", body.clone());
    let answers = futures_util::future::join_all((0..12).map(ask)).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(served > 0);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        refusal(answer, 503, "memory_limit_reached");
    }
    until_free(&gateway).await;
}

#[tokio::test]
async fn a_form_that_names_two_models_is_refused() {
    let (gateway, upstream) = gateway("").await;
    let field = "--xx\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n";
    let headers = [("content-type", "multipart/form-data; boundary=xx")];
    let path = "/v1/audio/transcriptions";
    let post = |body: String| gateway.send(Method::POST, path, &headers, body);
    let answered = post(format!("{field}a\r\n{field}b\r\n--xx--\r\n")).await;
    refusal(&answered, 400, "invalid_form");
    assert_eq!(upstream.received_count(), 0);
    assert_eq!(post(format!("{field}a\r\n--xx--\r\n")).await.status, 200);
}

/// Whoever it is for, and what it refers to, stands in it. What is no request in JSON, or is packed in a way that we do not
/// know, is not opened.
#[tokio::test]
async fn a_packed_body_is_read_where_it_is_forwarded() {
    let (gateway, upstream) = gateway("body: 1MiB").await;
    let text = r#"{"model":"renamed","prompt":"a cat"}"#;
    let octets = ("content-type", "application/octet-stream");
    let renamed = text.replace("renamed", "mistral-small").into_bytes();
    for (header, coding, sent, expected, left) in [
        (JSON, "gzip", gzip(text.as_bytes()), renamed, None),
        (octets, "gzip", gzip(b"file"), gzip(b"file"), Some("gzip")),
        (JSON, "br", b"{".to_vec(), b"{".to_vec(), Some("br")),
    ] {
        let headers = [header, ("content-encoding", coding)];
        let path = "/v1/images/generations";
        let answered = gateway.send(Method::POST, path, &headers, sent).await;
        assert_eq!(answered.status, 200, "{}", answered.text());
        let received = upstream.received().pop().unwrap();
        assert!(received.body == expected, "{:?}", received.body);
        assert_eq!(received.header("content-encoding"), left);
    }
    // Within the same bounds as others.
    let headers = [JSON, ("content-encoding", "gzip")];
    let large = gzip(&vec![b' '; 2 << 20]);
    let answered = gateway
        .send(Method::POST, "/v1/files", &headers, large)
        .await;
    assert_eq!(answered.status, 413);
    assert_eq!(upstream.received_count(), 3);
}
