//! Replies that come compressed, although that was not asked for.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::Method;

use super::http1::{ANSWER, Bytes, Turn};
use super::{CHAT, before_bytes, second};
use crate::harness::{Setup, chat, chat_stream, chat_text, stream_text};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    ruzstd::encoding::compress_to_vec(text.as_bytes(), level)
}

fn reply(status: &str, form: &str, coding: &str, body: &[u8]) -> Turn {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {form}\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Turn::Say([head.as_bytes(), body].concat().leak())
}

#[tokio::test]
async fn answers_and_streams_are_unpacked() {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let stream =
        chunk("{\"content\":\"Hello.\"}", "null") + &chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
    for (coding, pack) in [
        ("gzip", gzip as fn(&str) -> Vec<u8>),
        ("deflate", deflate),
        ("zstd", zstd),
    ] {
        let whole = reply("200 OK", "application/json", coding, &pack(ANSWER));
        let events = reply("200 OK", "text/event-stream", coding, &pack(&stream));
        let first = Bytes::start(&[whole, events]).await;
        let second = second().await;
        let gateway = before_bytes(&first, &second).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from bytes.", "{coding}");
        assert_eq!(answered.header("content-encoding"), "");
        assert_eq!(answered.header("content-length"), ANSWER.len().to_string());
        let answered = gateway.post(CHAT, &chat_stream()).await;
        let whole = ("Hello.".to_owned(), true);
        assert_eq!(stream_text(&answered.text()), whole, "{coding}");
        assert_eq!(second.received_count(), 0);
        for head in first.heads() {
            assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
        }
    }
}

#[tokio::test]
async fn the_key_is_hidden_in_packed_errors_too() {
    let error = "{\"error\":{\"message\":\"bad request with secret-key-1\",\"type\":\"invalid_request_error\"}}";
    let packed = reply("400 Bad Request", "application/json", "gzip", &gzip(error));
    let first = Bytes::start(&[packed, packed]).await;
    let url = format!("http://{}/v1", first.address);
    let keys = "provider: openai-compatible, api_key: secret-key-1";
    let gateway = Setup::new().upstream_at("first", &url, keys).start().await;
    let answered = gateway.post(CHAT, &chat()).await;
    let forwarded = gateway.send(Method::GET, "/v1/unknown", &[], "").await;
    for answered in [answered, forwarded] {
        assert_eq!(answered.status, 400);
        assert_eq!(answered.header("content-encoding"), "");
        let message = answered.json()["error"]["message"].to_string();
        assert_eq!(message, "\"bad request with ***\"");
    }
}

#[tokio::test]
async fn an_id_in_a_packed_answer_leads_to_its_owner() {
    let created = gzip("{\"id\":\"file-123456\",\"object\":\"file\"}");
    let packed = reply("200 OK", "application/json", "gzip", &created);
    let owner = Bytes::start(&[packed, packed]).await;
    let other = second().await;
    let url = format!("http://{}/v1", owner.address);
    let gateway = Setup::new()
        .upstream(&other)
        .upstream_at("owner", &url, "provider: openai-compatible")
        .start()
        .await;
    let there = [("x-backstop-upstream", "owner")];
    let answered = gateway.send(Method::POST, "/v1/files", &there, "").await;
    let id = answered.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/files/{id}");
    assert_eq!(gateway.get(&path).await.upstream(), "owner");
}

#[tokio::test]
async fn what_nobody_understands_goes_through_as_it_came() {
    let file = gzip("a file");
    let packed = reply("200 OK", "application/octet-stream", "gzip", &file);
    let first = Bytes::start(&[packed]).await;
    let second = second().await;
    let gateway = before_bytes(&first, &second).await;
    let answered = gateway
        .send(Method::GET, "/v1/files/file-1/content", &[], "")
        .await;
    assert_eq!(answered.header("content-encoding"), "gzip");
    assert_eq!(answered.body, file);
}

#[tokio::test]
async fn damaged_and_unknown_packings_fail_over() {
    let cut = &gzip(ANSWER)[..40];
    for (reply, outcome) in [
        (
            reply("200 OK", "application/json", "gzip", cut),
            "first:connection_lost",
        ),
        (
            reply("200 OK", "application/json", "lzma", b"?"),
            "first:compressed",
        ),
    ] {
        let first = Bytes::start(&[reply]).await;
        let second = second().await;
        let gateway = before_bytes(&first, &second).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), [outcome, "second:ok"]);
    }
}
