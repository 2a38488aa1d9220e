//! One conversation of ten turns with thoughts and parallel calls, which every client leads through upstreams of all three
//! APIs and back, streamed and not.

mod agents;
mod ai_sdk;
mod client;
mod google;
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

/// A gateway with one upstream for each API, and Google's, which takes chats.
struct Three {
    gateway: TestGateway,
    chatty: Simulator,
    claude: Simulator,
    openai: Simulator,
    google: Simulator,
}

impl Three {
    async fn start() -> Self {
        let simulator = async |name| Simulator::start(name, Script::healthy()).await.unwrap();
        let (chatty, claude) = (simulator("chatty").await, simulator("claude").await);
        let (openai, google) = (simulator("openai").await, simulator("google").await);
        let candidates = [
            "openai, model: gpt-6.2",
            "claude, model: claude-sonnet-4-5",
            "chatty, model: kimi-k2",
            "google, model: gemini-3.5-pro",
        ];
        let gateway = Setup::new()
            .upstream_as(&openai, "provider: openai, api_key: a")
            .upstream_as(&claude, "provider: anthropic, api_key: b")
            .upstream_as(
                &chatty,
                "provider: openai-compatible, responses: false, api_key: c",
            )
            .upstream_as(&google, "provider: gemini, api_key: d")
            .route(&["*"], &candidates)
            .start()
            .await;
        Self {
            gateway,
            chatty,
            claude,
            openai,
            google,
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
        let said = match body["stream"] == true {
            true => stream(upstream, &whole),
            false => whole.to_string(),
        };
        let asked = self
            .ask_who_says(said, client, body, self.upstream(upstream))
            .await;
        assert_eq!(asked.path, upstream.path(), "{client:?} {number}");
        asked
    }

    /// Asks an upstream whose answer has these bytes.
    async fn ask_who_says(
        &self,
        said: String,
        client: Wire,
        body: &Value,
        upstream: &Simulator,
    ) -> Asked {
        let script = Script::fault(match body["stream"] == true {
            true => Fault::Raw(said),
            false => Fault::Status {
                code: 200,
                headers: Vec::new(),
                body: Some(said),
            },
        });
        upstream.play(script).await;
        let before = upstream.received_count();
        let headers = [
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
            ("x-backstop-upstream", upstream.name()),
        ];
        let answered = self
            .gateway
            .send(Method::POST, client.path(), &headers, body.to_string())
            .await;
        let context = format!("{client:?} {} {answered:?}", upstream.name());
        assert_eq!(answered.status, 200, "{context}");
        let received = upstream.received();
        assert_eq!(received.len(), before + 1, "{context}");
        Asked {
            path: received[before].path.clone(),
            received: received[before].json(),
            answer: match body["stream"] == true {
                true => fold(client, &answered.text()),
                false => answered.json(),
            },
        }
    }
}

struct Asked {
    path: String,
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

#[tokio::test]
async fn arguments_are_json_though_the_model_escapes_too_little() {
    // In the text of an answer these stand for a line break and a backslash that nobody has escaped.
    let tool: Tool = (
        "weather",
        |city| json!({"city": format!("{city}@break@digit")}),
    );
    let three = Three::start().await;
    let apis = [Chat, Messages, Responses];
    let pairs = apis
        .into_iter()
        .flat_map(|api| apis.map(|other| (api, other)));
    for (client, upstream) in pairs.filter(|(client, upstream)| client != upstream) {
        for is_streamed in [false, true] {
            let body = request(client, &[question(0)], is_streamed);
            let whole = answer(upstream, 0, tool);
            let said = match is_streamed {
                true => stream(upstream, &whole),
                false => whole.to_string(),
            };
            let said = said.replace("@break", "\\n").replace("@digit", "\\\\d");
            let upstream = three.upstream(upstream);
            let asked = three.ask_who_says(said, client, &body, upstream).await;
            let heard = hear(client, &asked.answer);
            let cities: Vec<&str> = heard
                .calls
                .iter()
                .map(|call| call.arguments["city"].as_str().unwrap())
                .collect();
            assert_eq!(
                cities,
                CITIES.map(|city| format!("{city}\n\\d")),
                "{client:?} {} {is_streamed}",
                upstream.name()
            );
        }
    }
}
