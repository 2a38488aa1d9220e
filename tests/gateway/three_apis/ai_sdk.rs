//! Vercel's AI SDK, in each of its three APIs: a conversation of ten turns whose every answer comes from another API.

use backstop::simulator::{Fault, Script};
use serde_json::{Value, json};

use super::Wire::{self, Chat, Messages, Responses};
use super::upstream::{answer, judge, stream, text, thought};
use super::{Three, WEATHER};
use crate::applications::frameworks::vercel_script;
use crate::applications::program::Program;

/// Two for each turn.
const ANSWERS: usize = 20;

/// They take turns.
const UPSTREAMS: [Wire; 3] = [Responses, Messages, Chat];

fn upstream_of(number: usize) -> Wire {
    UPSTREAMS[number % 3]
}

/// The upstream of the answer with this number gives it to its next request. Every second turn is streamed.
async fn prepare(three: &Three, number: usize) {
    let wire = upstream_of(number);
    let whole = answer(wire, number, WEATHER);
    let script = Script::fault(match number / 2 % 2 {
        0 => Fault::Raw(stream(wire, &whole)),
        _ => Fault::Status {
            code: 200,
            headers: Vec::new(),
            body: Some(whole.to_string()),
        },
    });
    three.upstream(wire).play(script).await;
}

async fn ten_turns(client: Wire, provider: &str) {
    let three = Three::start().await;
    for number in 0..3 {
        prepare(&three, number).await;
    }
    let url = three.gateway.url("/v1");
    let names = UPSTREAMS.map(Wire::upstream);
    let program = Program::new("node")
        .with([vercel_script("vercel_turns.mjs").await])
        .with([url.as_str(), "key", provider])
        .with(names)
        .run();
    let go_on = async {
        for number in 0..ANSWERS {
            let simulator = three.upstream(upstream_of(number));
            simulator.wait_received(number / 3 + 1).await;
            prepare(&three, number + 3).await;
        }
        std::future::pending().await
    };
    let printed = tokio::select! {
        printed = program => printed,
        never = go_on => never,
    };
    for (turn, line) in printed.lines().enumerate() {
        let heard: Value = serde_json::from_str(line).unwrap();
        let [first, second] = [2 * turn, 2 * turn + 1];
        let thoughts = [first, second].map(|number| thought(upstream_of(number), number));
        let last = text(upstream_of(second), second);
        let expected = json!({"thoughts": thoughts, "calls": 2, "text": last});
        assert_eq!(heard, expected, "{provider} {turn}");
    }
    assert_eq!(printed.lines().count(), ANSWERS / 2);
    for number in 0..ANSWERS {
        let wire = upstream_of(number);
        let received = three.upstream(wire).received();
        assert_eq!(received.len(), (ANSWERS + 2 - number % 3) / 3);
        let asked = &received[number / 3];
        assert_eq!(asked.path, wire.path());
        let context = format!("{provider} {number} {}", asked.json());
        let judged = judge(wire, &asked.json());
        assert_eq!(judged.calls, number + number % 2, "{context}");
        let brings_back = Wire::brings_back(client, wire);
        let own = if brings_back { number / 3 } else { 0 };
        assert_eq!(judged.own_thoughts, own, "{context}");
        // Its own requests for Claude pass as they are.
        let is_marked = wire == Messages && client != Messages;
        assert_eq!(judged.marks > 0, is_marked, "{context}");
    }
}

#[tokio::test]
async fn it_goes_through_all_three_in_responses() {
    ten_turns(Responses, "responses").await;
}

#[tokio::test]
async fn it_goes_through_all_three_in_messages() {
    ten_turns(Messages, "anthropic").await;
}

#[tokio::test]
async fn it_goes_through_all_three_in_chats() {
    ten_turns(Chat, "compatible").await;
}
