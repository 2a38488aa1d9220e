//! Answers with thoughts and tool calls that break off, for clients of each API, at upstreams of each API.

use std::ffi::OsString;

use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use serde_json::{Value, json};

use super::wire::{Heard, Said, Wire, hear, stream};
use crate::harness::{Answered, Setup, TestGateway};
use crate::sdk::install::{python_with, sdk_folder};
use crate::sdk::run;

const WIRES: [Wire; 3] = [Wire::Chat, Wire::Messages, Wire::Responses];
const TIMEOUTS: &str = "timeouts: {first_token: 2s, answer: 2s, idle: 2s, content: 2s, total: 20s}";
const ANTHROPIC: &str = "2.12.0";
const BEFORE: &str = "I look at the ";
const AFTER: &str = "sky above.";
const WHOLE: &str = "I look at the sky above.";
const ARGUMENTS: &str = "{\"at\":\"sky\"}";

/// An upstream, and how it is asked to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its model takes a prefill.
    Claude,
    /// Its model does not.
    NewClaude,
    OpenAi,
    OpenAiWithPrefill,
}

impl Kind {
    fn wire(self, client: Wire) -> Wire {
        match (self, client) {
            (Self::Claude | Self::NewClaude, _) => Wire::Messages,
            (_, Wire::Responses) => Wire::Responses,
            (_, Wire::Chat | Wire::Messages) => Wire::Chat,
        }
    }

    fn keys(self) -> &'static str {
        match self {
            Self::Claude | Self::NewClaude => "provider: anthropic, api_key: k",
            Self::OpenAi => "provider: openai-compatible, prefill: none",
            Self::OpenAiWithPrefill => "provider: openai-compatible, prefill: trailing",
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::Claude => "claude-sonnet-4-5",
            Self::NewClaude => "claude-opus-4-8",
            Self::OpenAi | Self::OpenAiWithPrefill => "gpt-4o",
        }
    }

    fn is_instructed(self) -> bool {
        matches!(self, Self::NewClaude | Self::OpenAi)
    }
}

const WAYS: [(Kind, Kind); 6] = [
    (Kind::Claude, Kind::Claude),
    (Kind::Claude, Kind::NewClaude),
    (Kind::Claude, Kind::OpenAi),
    (Kind::Claude, Kind::OpenAiWithPrefill),
    (Kind::OpenAi, Kind::Claude),
    (Kind::OpenAi, Kind::NewClaude),
];

fn request(client: Wire) -> (&'static str, Value) {
    let schema = json!({"type": "object", "properties": {"at": {"type": "string"}}});
    let messages = json!([{"role": "user", "content": "hi"}]);
    match client {
        Wire::Chat => {
            let tool =
                json!({"type": "function", "function": {"name": "look", "parameters": schema}});
            let body = json!({"model": "m", "stream": true, "messages": messages, "tools": [tool]});
            ("/v1/chat/completions", body)
        }
        Wire::Messages => {
            let tool = json!({"name": "look", "input_schema": schema});
            let thinking = json!({"type": "enabled", "budget_tokens": 1024});
            let body = json!({"model": "m", "stream": true, "max_tokens": 4000, "messages": messages, "tools": [tool], "thinking": thinking});
            ("/v1/messages", body)
        }
        Wire::Responses => {
            let tool = json!({"type": "function", "name": "look", "parameters": schema});
            let body = json!({"model": "m", "stream": true, "input": messages, "tools": [tool], "reasoning": {"summary": "auto"}});
            ("/v1/responses", body)
        }
    }
}

/// Two upstreams that send these streams, and a client that asks the first.
struct Scene {
    client: Wire,
    second: Simulator,
    answered: Answered,
    _first: Simulator,
    gateway: TestGateway,
}

impl Scene {
    async fn play(client: Wire, way: (Kind, Kind), sent: String, rest: String) -> Self {
        let body = request(client).1.to_string();
        Self::play_for(client, body, way, sent, rest).await
    }

    async fn play_for(
        client: Wire,
        body: String,
        (one, two): (Kind, Kind),
        sent: String,
        rest: String,
    ) -> Self {
        let first = Simulator::start("first", Script::fault(Fault::Raw(sent)))
            .await
            .unwrap();
        let second = Simulator::start("second", Script::fault(Fault::Raw(rest)))
            .await
            .unwrap();
        let candidates = [("first", one), ("second", two)]
            .map(|(name, kind)| format!("{name}, model: {}", kind.model()));
        let gateway = Setup::new()
            .upstream_as(&first, one.keys())
            .upstream_as(&second, two.keys())
            .route_with(
                &["*"],
                &[&candidates[0], &candidates[1]],
                "continuation: regenerate",
            )
            .lines(TIMEOUTS)
            .start()
            .await;
        let json = [("content-type", "application/json")];
        let answered = gateway
            .send(Method::POST, request(client).0, &json, body)
            .await;
        assert_eq!(answered.header("x-backstop-continuation"), "regenerate");
        Self {
            client,
            second,
            answered,
            _first: first,
            gateway,
        }
    }

    fn heard(&self) -> Heard {
        hear(self.client, &self.answered.text())
    }

    /// The request for the rest, which has all of the client's tools.
    fn asked(&self) -> Value {
        let asked = self.second.received()[0].json();
        assert_eq!(asked["tools"].as_array().unwrap().len(), 1);
        asked
    }

    fn is_continued(&self, thoughts: &str, has_call: bool) {
        let about = self.answered.text();
        let heard = self.heard();
        let said = (heard.thoughts.as_str(), heard.text.as_str());
        assert_eq!(said, (thoughts, WHOLE), "{about}");
        let calls: Vec<_> = heard
            .calls
            .iter()
            .map(|(name, id, arguments)| {
                assert!(id.ends_with("_second"), "{id}");
                (name.as_str(), arguments.as_str())
            })
            .collect();
        let expected = has_call.then_some(("look", ARGUMENTS));
        assert_eq!(calls, Vec::from_iter(expected), "{about}");
        let end = match (self.client, has_call) {
            (Wire::Chat, true) => "tool_calls",
            (Wire::Chat, false) => "stop",
            (Wire::Messages, true) => "tool_use",
            (Wire::Messages, false) => "end_turn",
            (Wire::Responses, _) => "completed",
        };
        assert_eq!(heard.end, end, "{about}");
    }

    /// The client is told that the answer has failed, and nobody else is asked.
    fn ends_honestly(&self) {
        let about = self.answered.text();
        assert_eq!(self.heard().end, "error", "{about}");
        assert!(about.contains("not continued: a tool call"), "{about}");
        assert_eq!(self.second.received_count(), 0);
    }
}

const CALL: [Said; 4] = [
    Said::Call,
    Said::Arguments("{\"at\":"),
    Said::Arguments("\"sky\"}"),
    Said::Call_,
];

/// What the second upstream sends: the rest of the text, or all of it where it is told to repeat the last words; then
/// perhaps a call.
fn rest(client: Wire, kind: Kind, text: &'static str, has_call: bool) -> String {
    let text = if kind.is_instructed() { WHOLE } else { text };
    let mut said = vec![Said::Thought("Once more"), Said::Thought_];
    if !text.is_empty() {
        said.extend([Said::Text(text), Said::Text_]);
    }
    if has_call {
        said.extend(CALL);
    }
    said.push(Said::End);
    stream(kind.wire(client), "second", &said)
}

#[tokio::test]
async fn a_text_goes_on_and_the_call_behind_it_comes() {
    for client in WIRES {
        for way in WAYS {
            for has_call in [true, false] {
                let sent = stream(way.0.wire(client), "first", &[Said::Text(BEFORE)]);
                let rest = rest(client, way.1, AFTER, has_call);
                let scene = Scene::play(client, way, sent, rest).await;
                scene.is_continued("", has_call);
                let asked = scene.asked();
                let list = if asked["messages"].is_array() {
                    "messages"
                } else {
                    "input"
                };
                let last = asked[list].as_array().unwrap().last().unwrap();
                let role = if way.1.is_instructed() {
                    "user"
                } else {
                    "assistant"
                };
                assert_eq!(last["role"], role, "{asked}");
                let told = last.to_string();
                assert!(told.contains("I look at the\""), "{asked}");
                assert_eq!(told.contains("Its last words are: "), way.1.is_instructed());
                // A message that begins with text cannot be thought about first.
                assert!(
                    way.1 != Kind::Claude || asked["thinking"].is_null(),
                    "{asked}"
                );
            }
        }
    }
}

#[tokio::test]
async fn thoughts_before_the_text_are_no_obstacle() {
    let sent = [Said::Thought("Hm"), Said::Thought_, Said::Text(BEFORE)];
    for client in WIRES {
        for way in WAYS {
            let sent = stream(way.0.wire(client), "first", &sent);
            let rest = rest(client, way.1, AFTER, true);
            let scene = Scene::play(client, way, sent, rest).await;
            scene.is_continued("Hm", true);
        }
    }
}

#[tokio::test]
async fn a_stream_that_broke_off_within_thoughts_is_asked_for_its_whole_text() {
    for client in WIRES {
        for way in WAYS {
            let sent = stream(way.0.wire(client), "first", &[Said::Thought("Hm")]);
            let rest = rest(client, way.1, WHOLE, true);
            let scene = Scene::play(client, way, sent, rest).await;
            scene.is_continued("Hm", true);
            let asked = scene.asked().to_string();
            assert!(!asked.contains("last words"), "{asked}");
        }
    }
}

#[tokio::test]
async fn a_call_that_was_to_follow_a_whole_text_comes() {
    for client in WIRES {
        for way in WAYS {
            let said = [Said::Text(BEFORE), Said::Text(AFTER), Said::Text_];
            let sent = stream(way.0.wire(client), "first", &said);
            let rest = rest(client, way.1, "", true);
            let scene = Scene::play(client, way, sent, rest).await;
            scene.is_continued("", true);
        }
    }
}

#[tokio::test]
async fn a_text_of_which_nothing_but_the_end_was_missing_is_ended() {
    for client in WIRES {
        for two in [Kind::Claude, Kind::OpenAiWithPrefill] {
            let way = (Kind::Claude, two);
            let sent = stream(way.0.wire(client), "first", &[Said::Text(WHOLE)]);
            let silent = stream(two.wire(client), "second", &[Said::End]);
            let scene = Scene::play(client, way, sent, silent).await;
            scene.is_continued("", false);
        }
    }
}

/// An upstream has begun a call without its name, so that the client has heard nothing of it.
#[tokio::test]
async fn a_call_that_nobody_has_heard_of_is_made_by_the_next_upstream() {
    let untold = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_lost","function":{"arguments":""}}]}}]}"#;
    let sent = stream(Wire::Chat, "first", &[Said::Text(BEFORE)]) + untold + "\n\n";
    let way = (Kind::OpenAi, Kind::Claude);
    let rest = rest(Wire::Messages, way.1, AFTER, true);
    let scene = Scene::play(Wire::Messages, way, sent, rest).await;
    scene.is_continued("", true);
    assert!(!scene.answered.text().contains("call_lost"));
}

#[tokio::test]
async fn a_text_behind_calls_goes_on_without_further_calls() {
    let before = [Said::Text("So. "), Said::Text_];
    for client in WIRES {
        for way in WAYS {
            let said = [&before[..], &CALL[..], &[Said::Text(BEFORE)]].concat();
            let sent = stream(way.0.wire(client), "first", &said);
            let rest = rest(client, way.1, AFTER, false);
            let scene = Scene::play(client, way, sent, rest).await;
            let (heard, about) = (scene.heard(), scene.answered.text());
            // A chat has one text.
            let translates = client == Wire::Chat && way.0.wire(client) != Wire::Chat;
            let gap = if translates { "\n\n" } else { "" };
            assert_eq!(heard.text, format!("So. {gap}{WHOLE}"), "{about}");
            assert_eq!(heard.calls.len(), 1, "{about}");
            assert!(heard.calls[0].1.ends_with("_first"), "{about}");
            assert!(["tool_calls", "tool_use", "completed"].contains(&heard.end.as_str()));
            let asked = scene.asked();
            let choice = &asked["tool_choice"];
            assert!(choice == "none" || choice["type"] == "none", "{asked}");
            assert!(
                asked.to_string().contains("has not been run yet"),
                "{asked}"
            );
            assert!(asked.to_string().contains("sky"), "{asked}");
        }
    }
}

/// No tree has such numbers.
#[tokio::test]
async fn numbers_in_calls_are_asked_with_as_they_were_written() {
    const NUMBER: &str = "12345678901234567890.10";
    let (path, mut body) = request(Wire::Messages);
    assert_eq!(path, "/v1/messages");
    let call = json!({"type": "tool_use", "id": "t", "name": "look", "input": {"at": "NUMBER"}});
    let result = json!({"type": "tool_result", "tool_use_id": "t", "content": "blue"});
    let turns = [
        json!({"role": "assistant", "content": [call]}),
        json!({"role": "user", "content": [result]}),
    ];
    body["messages"].as_array_mut().unwrap().extend(turns);
    let body = body.to_string().replace("\"NUMBER\"", NUMBER);
    let arguments = Said::Arguments("{\"at\":12345678901234567890.10}");
    let said = [Said::Call, arguments, Said::Call_, Said::Text(BEFORE)];
    for way in [(Kind::Claude, Kind::Claude), (Kind::Claude, Kind::OpenAi)] {
        let sent = stream(Wire::Messages, "first", &said);
        let rest = rest(Wire::Messages, way.1, AFTER, false);
        let scene = Scene::play_for(Wire::Messages, body.clone(), way, sent, rest).await;
        assert_eq!(scene.heard().text, WHOLE);
        let asked = scene.second.received()[0].body.clone();
        let asked = String::from_utf8(asked.into()).unwrap();
        assert_eq!(asked.matches(NUMBER).count(), 2, "{asked}");
    }
}

#[tokio::test]
async fn behind_a_call_that_has_begun_nobody_goes_on() {
    let whole = [
        Said::Text(WHOLE),
        Said::Text_,
        CALL[0],
        CALL[1],
        CALL[2],
        CALL[3],
    ];
    for client in WIRES {
        for way in [(Kind::Claude, Kind::Claude), (Kind::OpenAi, Kind::Claude)] {
            // Within the arguments, and behind the call.
            for length in 3..=whole.len() {
                let sent = stream(way.0.wire(client), "first", &whole[..length]);
                let rest = rest(client, way.1, AFTER, true);
                let scene = Scene::play(client, way, sent, rest).await;
                scene.ends_honestly();
            }
        }
    }
}

#[tokio::test]
async fn a_call_without_the_last_words_is_not_taken_for_the_rest() {
    for client in WIRES {
        let way = (Kind::NewClaude, Kind::OpenAi);
        let sent = stream(way.0.wire(client), "first", &[Said::Text(BEFORE)]);
        let said = [&CALL[..], &[Said::End]].concat();
        let rest = stream(way.1.wire(client), "second", &said);
        let scene = Scene::play(client, way, sent, rest).await;
        let heard = scene.heard();
        assert_eq!((heard.text.as_str(), heard.end.as_str()), (BEFORE, "error"));
        assert_eq!(heard.calls, []);
    }
}

#[tokio::test]
async fn anthropics_python_package_sees_one_message() {
    let package = format!("anthropic=={ANTHROPIC}");
    let python = python_with(&format!("anthropic-{ANTHROPIC}"), &[&package]).await;
    let script = sdk_folder().join("anthropic_continued.py");
    let said = [Said::Thought("Hm"), Said::Thought_, Said::Text(BEFORE)];
    for way in WAYS {
        let sent = stream(way.0.wire(Wire::Messages), "first", &said);
        let rest = rest(Wire::Messages, way.1, AFTER, true);
        let scene = Scene::play(Wire::Messages, way, sent, rest).await;
        let base_url = OsString::from(scene.gateway.url(""));
        let printed = run(&python, &[script.as_os_str(), &base_url], "").await;
        let expected = [
            r#"{"type": "thinking", "thinking": "Hm"}"#.to_owned(),
            format!("{{\"type\": \"text\", \"text\": \"{WHOLE}\"}}"),
            r#"{"type": "tool_use", "name": "look", "input": {"at": "sky"}}"#.to_owned(),
            "msg____________first tool_use".to_owned(),
        ];
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{way:?}");
    }
}

/// After every event of an agent's answer: the client has the whole answer, or is told that it has not.
#[tokio::test]
async fn wherever_an_answer_breaks_off_no_word_is_lost_or_doubled() {
    let said = [
        Said::Thought("Hm"),
        Said::Thought_,
        Said::Text(BEFORE),
        Said::Text(AFTER),
        Said::Text_,
    ];
    let said = [&said[..], &CALL[..], &[Said::End]].concat();
    for client in WIRES {
        for way in [(Kind::Claude, Kind::Claude), (Kind::OpenAi, Kind::Claude)] {
            let wire = way.0.wire(client);
            let whole = stream(wire, "first", &said);
            let cuts = whole
                .match_indices("\n\n")
                .map(|(cut, _)| &whole[..cut + 2]);
            for sent in cuts {
                let told = hear(wire, sent);
                if told.thoughts.is_empty() || !told.end.is_empty() {
                    continue;
                }
                let rest = rest(client, way.1, &WHOLE[told.text.len()..], true);
                let scene = Scene::play(client, way, sent.to_owned(), rest).await;
                if !told.calls.is_empty() {
                    scene.ends_honestly();
                } else if scene.heard().end == "error" {
                    // An item of a response whose text is over, but not the item.
                    assert_eq!(wire, Wire::Responses);
                    let about = scene.answered.text();
                    assert!(about.contains("between two parts"), "{about}");
                } else {
                    scene.is_continued("Hm", true);
                }
            }
        }
    }
}
