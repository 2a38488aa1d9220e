//! Replies of which enough has come to know what they are, and which then do not go on.

use backstop::simulator::{Script, Simulator};
use serde_json::{Value, json};

use super::http1::{ANSWER, Bytes, Turn};
use crate::harness::{Answered, Setup, chat, chat_stream, stream_text};

const CHAT: &str = "/v1/chat/completions";
const OPENAI: &str = "provider: openai-compatible, api_key: k";

/// What a client gets where the first upstream says this to it, and then nothing, and the second one is well.
async fn answer(said: &'static [u8], timeouts: &str, path: &str, body: &Value) -> Answered {
    let first = Bytes::start(&[Turn::Say(said)]).await;
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let gateway = Setup::new()
        .upstream_at("first", &format!("http://{}/v1", first.address), OPENAI)
        .upstream(&second)
        .lines(&format!("timeouts: {{{timeouts}}}"))
        .start()
        .await;
    gateway.post(path, body).await
}

#[tokio::test]
async fn an_error_whose_body_does_not_come_is_known_by_its_status() {
    for (said, outcome) in [
        (
            &b"HTTP/1.1 503 Busy\r\ncontent-length: 9\r\n\r\n{"[..],
            "first:overloaded",
        ),
        (
            b"HTTP/1.1 429 Wait\r\ncontent-length: 9\r\n\r\n",
            "first:rate_limited",
        ),
    ] {
        let moderation = json!({"model": "omni-moderation", "input": "x"});
        for (path, body) in [
            (CHAT, chat()),
            (CHAT, chat_stream()),
            ("/v1/moderations", moderation),
        ] {
            let answered = answer(said, "idle: 200ms", path, &body).await;
            assert_eq!(answered.trail()[0], outcome, "{path}");
            assert_eq!(answered.upstream(), "second", "{path}");
        }
    }
}

#[tokio::test]
async fn json_in_place_of_a_stream_has_as_much_time_as_the_first_token() {
    let said = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    let timeouts = "first_token: 200ms, idle: 200ms";
    let answered = answer(said, timeouts, CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["first:first_token_timeout", "second:ok"]);
}

/// The answer in one chunk, without the last one.
fn endless(json: &str) -> &'static [u8] {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked";
    let said = format!("{head}\r\n\r\n{:x}\r\n{json}\r\n", json.len());
    said.leak().as_bytes()
}

#[tokio::test]
async fn json_that_is_whole_is_answered_though_its_end_never_comes() {
    let until_close = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{ANSWER}");
    for said in [endless(ANSWER), until_close.leak().as_bytes()] {
        let first = Bytes::start(&[Turn::Say(said), Turn::Answer]).await;
        let gateway = Setup::new()
            .upstream_at("first", &format!("http://{}/v1", first.address), OPENAI)
            .lines("timeouts: {idle: 300s}")
            .start()
            .await;
        for _ in 0..2 {
            let answered = gateway.post(CHAT, &chat()).await;
            assert_eq!(answered.trail(), ["first:ok"]);
            assert_eq!(answered.text(), ANSWER);
        }
        assert_eq!(first.requests(), [1, 2], "a connection that hangs");
    }
}

#[tokio::test]
async fn json_that_is_not_whole_is_no_answer() {
    let part = &ANSWER[..ANSWER.len() - 1];
    assert!(part.ends_with(']'));
    let calls = &part[..part.find("},").unwrap() + 1];
    for said in [endless(part), endless(calls), endless("{}}")] {
        let answered = answer(said, "idle: 700ms", CHAT, &chat()).await;
        assert_eq!(answered.trail()[1], "second:ok");
    }
}

#[tokio::test]
async fn an_error_that_is_whole_is_understood_though_its_end_never_comes() {
    let error = r#"{"error":{"message":"No such model","code":"model_not_found"}}"#;
    let said = format!(
        "HTTP/1.1 404 No\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{error}\r\n",
        error.len()
    );
    let answered = answer(said.leak().as_bytes(), "idle: 300s", CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:model_unavailable", "second:ok"]);
}

/// A stream that is complete, has said nothing, and does not end.
const SILENT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
    data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"stop\"}]}\n\n";

#[tokio::test]
async fn a_stream_that_is_complete_and_says_nothing_is_not_waited_for() {
    let answered = answer(SILENT, "first_token: 300s", CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["first:no_answer", "second:ok"]);
    // After the result of a tool it is the answer.
    let mut after_a_tool = chat_stream();
    after_a_tool["messages"] = json!([
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
            "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "done"}]);
    let answered = answer(SILENT, "first_token: 300s", CHAT, &after_a_tool).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(stream_text(&answered.text()), (String::new(), true));
}

/// Servers of Whisper answer so where the client asks for text or subtitles.
#[tokio::test]
async fn a_recording_without_a_voice_is_written_down_as_an_empty_text() {
    for (form, upstream) in [
        ("text/plain; charset=utf-8", "first"),
        ("application/x-subrip", "first"),
        ("application/json", "second"),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {form}\r\ncontent-length: 0\r\n\r\n");
        let path = "/v1/audio/transcriptions";
        let request = json!({"model": "whisper-1"});
        let answered = answer(head.leak().as_bytes(), "idle: 5s", path, &request).await;
        assert_eq!(answered.status, 200, "{form}");
        assert_eq!(answered.upstream(), upstream, "{form}");
    }
}
