//! Threads of Anthropic's Messages API: the upstream has the conversation so far, and a request has only what is new.

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answered, Setup, TestGateway, refusal, simulators};

const VERSION: (&str, &str) = ("anthropic-version", "2026-10-21");

/// The candidates of `claude-*`: the first upstream speaks Anthropic's API, the second one `OpenAI`'s.
async fn gateway(first: &Simulator, second: &Simulator, candidates: &[&str]) -> TestGateway {
    Setup::new()
        .upstream_as(first, "provider: anthropic, api_key: k")
        .upstream_as(second, "provider: openai, api_key: k")
        .route(&["claude-*"], candidates)
        .lines("timeouts: {first_token: 600ms, answer: 600ms, idle: 400ms, content: 600ms}")
        .start()
        .await
}

/// One request: its messages, and what it says of the thread.
async fn ask(gateway: &TestGateway, is_streamed: bool, thread: Value, said: Value) -> Answered {
    let body = json!({"model": "claude-opus-5", "max_tokens": 9, "stream": is_streamed, "thread": thread, "messages": [said]});
    let headers = [("content-type", "application/json"), VERSION];
    gateway
        .send(Method::POST, "/v1/messages", &headers, body.to_string())
        .await
}

fn new() -> Value {
    json!({"type": "create"})
}

fn after(id: &str) -> Value {
    json!({"type": "continue", "previous_message_id": id})
}

fn question() -> Value {
    json!({"role": "user", "content": "hi"})
}

/// Its call is in the thread.
fn result() -> Value {
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "21"});
    json!({"role": "user", "content": [result]})
}

fn id_of(answered: &Answered) -> String {
    let text = answered.text();
    let (_, rest) = text.split_once("\"id\":\"msg_").unwrap();
    format!("msg_{}", rest.split('"').next().unwrap())
}

/// In the words after which Anthropic's SDKs send the whole conversation.
fn assert_is_not_found(answered: &Answered) {
    let error = refusal(answered, 404, "thread_not_found");
    assert_eq!(error["type"], "not_found_error");
    assert_eq!(error["details"], json!({"error_code": "thread_not_found"}));
}

#[tokio::test]
async fn a_thread_goes_on_where_it_is_and_a_result_needs_no_call() {
    for is_streamed in [false, true] {
        let (claude, openai) = simulators().await;
        let candidates = ["second, model: gpt-4o", "first, model: claude-sonnet-4-5"];
        let gateway = gateway(&claude, &openai, &candidates).await;
        openai.play(Script::fault(Fault::Refuse)).await;
        let begun = ask(&gateway, is_streamed, new(), question()).await;
        assert_eq!(begun.upstream(), "first");
        openai.play(Script::healthy()).await;

        let thread = after(&id_of(&begun));
        let answered = ask(&gateway, is_streamed, thread.clone(), result()).await;
        assert_eq!(answered.upstream(), "first");
        let sent = claude.received().last().unwrap().json();
        assert_eq!(sent["messages"], json!([result()]));
        assert_eq!(sent["thread"], thread);
        assert_eq!(openai.received_count(), 0);
    }
}

#[tokio::test]
async fn where_an_answer_was_translated_nobody_has_the_thread_and_nobody_is_asked() {
    for is_streamed in [false, true] {
        let (claude, openai) = simulators().await;
        let gateway = gateway(&claude, &openai, &["first", "second, model: gpt-4o"]).await;
        claude.play(Script::fault(Fault::Refuse)).await;
        let begun = ask(&gateway, is_streamed, new(), question()).await;
        assert_eq!(begun.upstream(), "second");
        assert_eq!(begun.header("x-backstop-dropped"), "thread");
        claude.play(Script::healthy()).await;

        let answered = ask(&gateway, is_streamed, after(&id_of(&begun)), result()).await;
        assert_is_not_found(&answered);
        assert_eq!((claude.received_count(), openai.received_count()), (0, 1));
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_takes_its_threads_with_it_and_others_get_the_whole_conversation()
{
    let (claude, openai) = simulators().await;
    let gateway = gateway(&claude, &openai, &["first", "second, model: gpt-4o"]).await;
    let begun = ask(&gateway, false, new(), question()).await;
    assert_eq!(begun.upstream(), "first");
    claude.play(Script::status(500)).await;
    let answered = ask(&gateway, false, after(&id_of(&begun)), result()).await;
    assert_is_not_found(&answered);
    // It is asked once: a message can be gone on from only once.
    assert_eq!((claude.received_count(), openai.received_count()), (2, 0));
    let again = ask(&gateway, false, new(), question()).await;
    assert_eq!(again.upstream(), "second");
}

/// It would answer the new message alone, as if nothing had been said before.
#[tokio::test]
async fn who_copies_the_api_has_no_threads() {
    let (copy, openai) = simulators().await;
    let gateway = gateway(&copy, &openai, &["first, model: glm-5.2"]).await;
    let begun = ask(&gateway, false, new(), question()).await;
    assert_eq!(begun.upstream(), "first");
    let answered = ask(&gateway, false, after(&id_of(&begun)), result()).await;
    assert_is_not_found(&answered);
    assert_eq!(copy.received_count(), 1);
}
