//! Good answers: every endpoint, and the record kept of the requests.

use std::time::Duration;

use serde_json::json;

use super::{Script, chat, chat_stream, exchange, simulator, within};
use crate::simulator::Framing;

#[tokio::test]
async fn a_chat_is_answered_and_signed() {
    let simulator = simulator(Script::answer("One two.").with_header("x-extra", "1")).await;
    let reply = chat(&simulator).await;
    assert!(reply.is_status(200) && reply.has("x-simulator: a\r\n") && reply.has("x-extra: 1\r\n"));
    assert!(reply.has("x-request-id: req_a"));
    let answer = reply.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "One two.");
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["usage"]["completion_tokens"], 2);
}

#[tokio::test]
async fn every_endpoint_answers_with_its_own_object() {
    let simulator = simulator(Script::healthy()).await;
    for (path, object) in [
        ("/v1/chat/completions", "chat.completion"),
        ("/completions", "text_completion"),
        ("/v1/responses?beta=true", "response"),
        ("/openai/deployments/m/embeddings?api-version=1", "list"),
    ] {
        let answer = exchange(&simulator, path, r#"{"model":"m","input":"x"}"#).await;
        assert_eq!(answer.json()["object"], object, "{path}");
    }
    let echo = exchange(&simulator, "/v1/other?q=1", "abc").await.json();
    let expected = json!({"id": "object_a000005", "simulator": "a", "method": "POST", "path": "/v1/other?q=1", "body_bytes": 3});
    assert_eq!(echo, expected);
}

#[tokio::test]
async fn a_chat_stream_has_a_role_the_words_a_finish_and_done() {
    let simulator = simulator(Script::healthy()).await;
    let reply = chat_stream(&simulator).await;
    assert!(reply.is_whole());
    assert_eq!(reply.body().matches("data: ").count(), 6);
    for part in [
        r#""content":"Hello""#,
        r#"" from""#,
        r#""stop""#,
        "data: [DONE]\n\n",
    ] {
        assert!(reply.has(part), "{part} in {}", reply.text);
    }
    assert!(!reply.has("usage"));
}

#[tokio::test]
async fn usage_comes_only_when_asked_for() {
    let simulator = simulator(Script::healthy()).await;
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    let reply = exchange(&simulator, "/chat/completions", body).await;
    assert_eq!(reply.body().matches(r#""usage":null"#).count(), 5);
    assert_eq!(reply.body().matches(r#""total_tokens""#).count(), 1);
}

#[tokio::test]
async fn framing_changes_line_ends_and_chunks() {
    let simulator = simulator(Script::healthy().with_framing(Framing::CrLf)).await;
    assert!(chat_stream(&simulator).await.has("data: [DONE]\r\n\r\n"));
    let bytes = Script::answer("").with_framing(Framing::OneBytePerChunk);
    simulator.play(bytes).await;
    let reply = chat_stream(&simulator).await;
    assert!(reply.body().starts_with("1\r\nd\r\n1\r\na\r\n") && reply.is_whole());
}

#[tokio::test]
async fn delays_hold_back_head_and_tokens() {
    let pause = Duration::from_millis(30);
    let slow = Script::answer("a b c")
        .with_answer_delay(pause)
        .with_first_token_delay(pause)
        .with_token_delay(pause);
    let simulator = simulator(slow).await;
    let start = tokio::time::Instant::now();
    assert!(chat(&simulator).await.is_status(200));
    assert!(start.elapsed() >= pause * 4);
    let start = tokio::time::Instant::now();
    assert!(chat_stream(&simulator).await.is_whole());
    assert!(start.elapsed() >= pause * 4);
}

#[tokio::test]
async fn requests_are_kept_and_waited_for() {
    let simulator = simulator(Script::healthy()).await;
    let (reply, ()) = within(async {
        tokio::join!(
            exchange(&simulator, "/v1/responses?x=1", r#"{"model":"m"}"#),
            simulator.wait_received(1)
        )
    })
    .await;
    assert!(reply.is_status(200));
    let received = simulator.received();
    assert_eq!(received.len(), simulator.received_count());
    assert_eq!(received[0].path, "/v1/responses?x=1");
    assert_eq!(received[0].model().as_deref(), Some("m"));
    assert_eq!(received[0].header("host"), Some("a"));
    assert_eq!(simulator.abandoned(), 0);
}

#[tokio::test]
async fn a_fault_can_be_kept_for_requests_that_come_too_soon() {
    let hour = Duration::from_secs(3600);
    let simulator = simulator(Script::status(429).with_spacing(hour)).await;
    assert!(chat(&simulator).await.is_status(200));
    assert!(chat(&simulator).await.is_status(429));
    assert!(chat(&simulator).await.is_status(429));
    let nothing = Duration::from_nanos(1);
    simulator
        .play(Script::status(429).with_spacing(nothing))
        .await;
    assert!(chat(&simulator).await.is_status(200));
}
