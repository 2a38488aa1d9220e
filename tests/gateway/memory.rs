//! Candidates for which `limits.memory` has no room: another one may need none, or less.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, chat_text, refusal, simulators, within};

const CHAT: &str = "/v1/chat/completions";
const LIMITS: &str = "limits: {body: 1MiB, memory: 2MiB}\n";

/// An answer that fits into the memory as it is, but not with its translation.
fn large() -> Script {
    Script::answer("word ".repeat(200_000))
}

/// What the first one sends has to be translated, what the second one sends has not.
async fn gateway() -> (TestGateway, Simulator, Simulator) {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: k")
        .upstream(&second)
        .route(&["*"], &["first", "second"])
        .lines(LIMITS)
        .start()
        .await;
    (gateway, first, second)
}

async fn state_of(gateway: &TestGateway, name: &str) -> Value {
    let shown = gateway.admin("/api/upstreams").await.json();
    let mut scopes = shown["scopes"].as_array().unwrap().iter();
    let scope = scopes.find(|scope| scope["upstream"] == name && scope["model"] == "*");
    scope.unwrap()["state"].clone()
}

#[tokio::test]
async fn an_answer_without_room_comes_from_somebody_whose_answer_needs_none() {
    let (gateway, first, second) = gateway().await;
    first.play(large()).await;
    for count in 1..=30 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), ["first:no_memory", "second:ok"]);
        assert_eq!(chat_text(&answered), "Hello from second.");
        assert_eq!(
            (first.received_count(), second.received_count()),
            (count, count)
        );
    }
    gateway.events.finished(29).await;
    // Nobody is to blame, and the metrics have the reason.
    assert_eq!(state_of(&gateway, "first").await, "closed");
    let metrics = gateway.admin("/metrics").await.text();
    for (series, count) in [
        (
            r#"backstop_failovers_total{from="first",reason="no_memory",to="second"}"#,
            30,
        ),
        (
            r#"backstop_fallback_answers_total{from="first",passed_over="false",reason="no_memory",route="*",to="second"}"#,
            30,
        ),
        (
            r#"backstop_upstream_attempts_total{key="1",model="*",result="abandoned",upstream="first"}"#,
            30,
        ),
    ] {
        let line = format!("{series} {count}");
        assert!(metrics.contains(&line), "no {line}: {metrics}");
    }
}

#[tokio::test]
async fn if_nobodys_answer_has_room_each_was_asked_once_and_the_client_is_to_ask_again() {
    let (gateway, first, second) = gateway().await;
    first.play(large()).await;
    // More than all of the memory.
    second.play(Script::answer("word ".repeat(500_000))).await;
    let answered = gateway.post(CHAT, &chat()).await;
    let error = refusal(&answered, 503, "memory_limit_reached");
    assert_eq!(answered.trail(), ["first:no_memory", "second:no_memory"]);
    assert_eq!(answered.header("retry-after"), "1");
    let message = error["message"].as_str().unwrap();
    assert!(!message.contains("not asked"), "{message}");
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

/// To put another name for the model into a large request takes memory, to pass it on takes none.
#[tokio::test]
async fn a_request_without_room_goes_to_somebody_who_takes_it_as_it_is() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["m"], &["first, model: other", "second"])
        .route(&["*"], &["second"])
        .lines(LIMITS)
        .start()
        .await;
    let long = |model: &str, bytes: usize| json!({"model": model, "messages": [{"role": "user", "content": "x".repeat(bytes)}]});
    second.play(Script::fault(Fault::Hang)).await;
    let takes_memory = long("taken", 1 << 19);
    let meanwhile = async {
        within(second.wait_received(1)).await;
        second.play(Script::healthy()).await;
        gateway.post(CHAT, &long("m", 900 << 10)).await
    };
    let answered = tokio::select! {
        _ = gateway.post(CHAT, &takes_memory) => panic!("an answer from an upstream that hangs"),
        answered = meanwhile => answered,
    };
    assert_eq!(answered.trail(), ["first:no_memory", "second:ok"]);
    assert_eq!((first.received_count(), second.received_count()), (0, 2));
}
