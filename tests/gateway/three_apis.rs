//! One conversation of ten turns with thoughts and parallel calls, which every client leads through upstreams of all three
//! APIs and back, streamed and not.

mod agents;
mod client;
mod upstream;

use std::collections::HashSet;

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use self::client::{Heard, fold, go_on, hear, question, request};
use self::upstream::{CITIES, Tool, answer, judge, stream, text, thought};
use crate::harness::{Setup, TestGateway};

/// An API for conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Chat,
    Messages,
    Responses,
}

use Wire::{Chat, Messages, Responses};

impl Wire {
    fn path(self) -> &'static str {
        match self {
            Chat => "/v1/chat/completions",
            Messages => "/v1/messages",
            Responses => "/v1/responses",
        }
    }

    /// The upstream that speaks it, and no other.
    fn upstream(self) -> &'static str {
        match self {
            Chat => "chatty",
            Messages => "claude",
            Responses => "openai",
        }
    }

    /// Whether what proves a thought of this API finds back to its upstream through a client of the other one. Chats have no
    /// field for it; what can be read of thoughts stays with those that take it.
    fn brings_back(client: Self, upstream: Self) -> bool {
        client != Chat && upstream != Chat
    }
}

/// The tool of the clients.
const WEATHER: Tool = ("weather", |city| json!({"city": city}));

/// A gateway with one upstream for each API.
struct Three {
    gateway: TestGateway,
    chatty: Simulator,
    claude: Simulator,
    openai: Simulator,
}

impl Three {
    async fn start() -> Self {
        let simulator = async |name| Simulator::start(name, Script::healthy()).await.unwrap();
        let (chatty, claude) = (simulator("chatty").await, simulator("claude").await);
        let openai = simulator("openai").await;
        let candidates = [
            "openai, model: gpt-6.2",
            "claude, model: claude-sonnet-4-5",
            "chatty, model: kimi-k2",
        ];
        let gateway = Setup::new()
            .upstream_as(&openai, "provider: openai, api_key: a")
            .upstream_as(&claude, "provider: anthropic, api_key: b")
            .upstream_as(
                &chatty,
                "provider: openai-compatible, responses: false, api_key: c",
            )
            .route(&["*"], &candidates)
            .start()
            .await;
        Self {
            gateway,
            chatty,
            claude,
            openai,
        }
    }

    fn upstream(&self, wire: Wire) -> &Simulator {
        match wire {
            Chat => &self.chatty,
            Messages => &self.claude,
            Responses => &self.openai,
        }
    }

    /// Asks this upstream, which gives the answer with this number. Returns what it received, and what the client has.
    async fn ask(&self, client: Wire, body: &Value, upstream: Wire, number: usize) -> Asked {
        let whole = answer(upstream, number, WEATHER);
        let script = Script::fault(match body["stream"] == true {
            true => Fault::Raw(stream(upstream, &whole)),
            false => Fault::Status {
                code: 200,
                headers: Vec::new(),
                body: Some(whole.to_string()),
            },
        });
        let simulator = self.upstream(upstream);
        simulator.play(script).await;
        let before = simulator.received_count();
        let headers = [
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
            ("x-backstop-upstream", upstream.upstream()),
        ];
        let answered = self
            .gateway
            .send(Method::POST, client.path(), &headers, body.to_string())
            .await;
        let context = format!("{client:?} {upstream:?} {number}: {answered:?}");
        assert_eq!(answered.status, 200, "{context}");
        let received = simulator.received();
        assert_eq!(received.len(), before + 1, "{context}");
        let received = &received[before];
        assert_eq!(received.path, upstream.path(), "{context}");
        Asked {
            received: received.json(),
            answer: match body["stream"] == true {
                true => fold(client, &answered.text()),
                false => answered.json(),
            },
        }
    }
}

struct Asked {
    received: Value,
    answer: Value,
}

/// Leads the conversation. The upstreams take turns with each answer, this one first.
async fn ten_turns(client: Wire, is_streamed: bool, first: usize) {
    let three = Three::start().await;
    let mut history = Vec::new();
    let mut ids = HashSet::new();
    let mut given = [0; 3];
    for number in 0..20 {
        let (turn, has_calls) = (number / 2, number % 2 == 0);
        if has_calls {
            history.push(question(turn));
        }
        let place = (number + first) % 3;
        let upstream = [Responses, Messages, Chat][place];
        let body = request(client, &history, is_streamed);
        let asked = three.ask(client, &body, upstream, number).await;
        let context = format!(
            "{client:?} {is_streamed} {upstream:?} {number}: {}",
            asked.received
        );

        let judged = judge(upstream, &asked.received);
        assert_eq!(judged.calls, number + number % 2, "{context}");
        if Wire::brings_back(client, upstream) {
            assert_eq!(judged.own_thoughts, given[place], "{context}");
        } else if client != upstream {
            assert_eq!(judged.own_thoughts, 0, "{context}");
        }
        if upstream == Messages {
            assert!(judged.marks > 0, "{context}");
        }
        given[place] += 1;

        let heard = hear(client, &asked.answer);
        assert_heard(&heard, upstream, number);
        for call in &heard.calls {
            assert!(ids.insert(call.id.clone()), "{context}");
        }
        go_on(client, &mut history, &asked.answer, &heard);
    }
}

fn assert_heard(heard: &Heard, upstream: Wire, number: usize) {
    assert_eq!(heard.thoughts, thought(upstream, number));
    assert_eq!(heard.text, text(upstream, number));
    let calls: Vec<_> = heard
        .calls
        .iter()
        .map(|call| (call.name.as_str(), call.arguments["city"].as_str().unwrap()))
        .collect();
    let has_calls = number.is_multiple_of(2);
    let expected = CITIES.map(|city| ("weather", city));
    assert_eq!(calls, expected[..if has_calls { 2 } else { 0 }]);
    assert_eq!(heard.wants_results, has_calls);
}

async fn from_each(client: Wire) {
    for first in 0..3 {
        ten_turns(client, false, first).await;
        ten_turns(client, true, first).await;
    }
}

#[tokio::test]
async fn a_client_of_chats_goes_through_all_three() {
    from_each(Chat).await;
}

#[tokio::test]
async fn a_client_of_messages_goes_through_all_three() {
    from_each(Messages).await;
}

#[tokio::test]
async fn a_client_of_responses_goes_through_all_three() {
    from_each(Responses).await;
}
