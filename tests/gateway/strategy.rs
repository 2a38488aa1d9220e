//! How candidates of one tier share the requests that both could serve.

use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat_text};

const CHAT: &str = "/v1/chat/completions";
const CONVERSATIONS: usize = 30;

/// A gateway with this strategy, an upstream that is slow and one that is not.
async fn gateway(slow: &Simulator, quick: &Simulator, strategy: &str) -> TestGateway {
    let strategy = format!("strategy: {strategy}");
    Setup::new()
        .upstream(slow)
        .upstream(quick)
        .route_with(&["*"], &["slow, tier: 1", "quick, tier: 1"], &strategy)
        .start()
        .await
}

/// The first message of a conversation.
fn question(conversation: usize) -> Value {
    json!({"model": "m", "messages": [], "prompt_cache_key": format!("conversation {conversation}")})
}

/// Sends a request for each conversation in turn; returns which upstreams answered.
async fn ask_all(gateway: &TestGateway) -> Vec<String> {
    let mut answered = Vec::new();
    for conversation in 0..CONVERSATIONS {
        answered.push(chat_text(
            &gateway.post(CHAT, &question(conversation)).await,
        ));
    }
    answered
}

#[tokio::test]
async fn by_latency_requests_go_to_whoever_answers_sooner_and_by_weight_to_both() {
    // The expected latency of an unknown upstream is one second.
    let late = Script::answer("slow").with_answer_delay(Duration::from_millis(1500));
    let slow = Simulator::start("slow", late).await.unwrap();
    let quick = Simulator::start("quick", Script::answer("quick"))
        .await
        .unwrap();

    let by_latency = gateway(&slow, &quick, "latency").await;
    let answered = ask_all(&by_latency).await;
    let of_slow = answered.iter().filter(|who| *who == "slow").count();
    // A slow upstream is only detected by sending it requests.
    assert!(of_slow <= 2, "{answered:?}");

    slow.play(Script::answer("slow")).await;
    let by_weight = gateway(&slow, &quick, "weighted").await;
    let answered = ask_all(&by_weight).await;
    let of_slow = answered.iter().filter(|who| *who == "slow").count();
    assert!((6..=24).contains(&of_slow), "{answered:?}");
    assert_eq!(
        ask_all(&by_weight).await,
        answered,
        "each stays where it is"
    );
}

/// However slow it is: operators have decided on tiers and weights.
#[tokio::test]
async fn by_latency_tiers_still_go_before_and_weights_still_count() {
    for candidates in [
        ["slow, tier: 1", "quick, tier: 2"],
        ["slow, tier: 1, weight: 1000", "quick, tier: 1"],
    ] {
        let late = Script::answer("slow").with_answer_delay(Duration::from_millis(1500));
        let slow = Simulator::start("slow", late).await.unwrap();
        let quick = Simulator::start("quick", Script::healthy()).await.unwrap();
        let gateway = Setup::new()
            .upstream(&slow)
            .upstream(&quick)
            .route_with(&["*"], &candidates, "strategy: latency")
            .start()
            .await;
        for conversation in 0..3 {
            let answered = gateway.post(CHAT, &question(conversation)).await;
            assert_eq!(chat_text(&answered), "slow", "{candidates:?}");
        }
        assert_eq!(quick.received_count(), 0);
    }
}
