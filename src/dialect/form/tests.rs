//! A fourth API is a form like the others: here one that only asks and replies.

use serde_json::{Value, json};

use super::{Form, readable};
use crate::catalogue::Dialect;
use crate::dialect::conversation::samples::{assembled, reading};
use crate::dialect::conversation::{
    Api, Asked, Begin, Caching, Conversation, Dropped, Echo, End, Event, Format, Part, Piece,
    ReadEvents, Reading, Role, Sampling, Target, Thinking, Tools, Turn, Unsaid, WriteEvents,
    Written,
};
use crate::dialect::upstream_api::UpstreamApi;

static PLAIN: Form = Form {
    path: "/ask",
    headers: &[],
    read_request: |body| {
        let turn = |role, field: &str| Turn {
            role,
            parts: vec![Part::text(body[field].as_str().unwrap_or_default())],
        };
        Ok(Conversation {
            origin: Api::Chat,
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            turns: vec![turn(Role::System, "rule"), turn(Role::User, "ask")],
            tools: Tools::default(),
            max_output: None,
            stop: Vec::new(),
            sampling: Sampling::default(),
            thinking: Thinking::default(),
            format: Format::Text,
            verbosity: None,
            streaming: None,
            user: None,
            safety_identifier: None,
            service_tier: None,
            caching: Caching::default(),
            echo: Echo::default(),
            dropped: Dropped::nothing(Api::Chat),
        })
    },
    write_request: |conversation, target| {
        if !conversation.tools.list.is_empty() {
            return Err(Unsaid("tools"));
        }
        let parts = conversation.turns.iter().flat_map(|turn| &turn.parts);
        let asked: Vec<&str> = parts.filter_map(Part::as_text).collect();
        let body = json!({ "model": target.model, "ask": asked.join("\n") });
        Ok(Written {
            body: body.to_string().into_bytes(),
            reading: reading(),
            dropped: conversation.dropped,
        })
    },
    read_answer: |body, _| {
        let mut pieces = Vec::new();
        Line.read(None, str::from_utf8(body).unwrap(), &mut pieces);
        Some(pieces)
    },
    write_answer: |_, events| {
        let mut out = Vec::new();
        for event in events {
            Line.write(event, &mut out);
        }
        Some(json!({ "reply": String::from_utf8(out).ok()? }).to_string())
    },
    reader: |_| Box::new(Line),
    writer: |_| Box::new(Line),
    look: |_, _| {},
    resume: |_, _| Box::new(Line),
};

/// A stream has one event with a reply, and then nothing.
#[derive(Debug)]
struct Line;

impl ReadEvents for Line {
    fn read<'a>(&mut self, _: Option<&[u8]>, data: &'a str, pieces: &mut Vec<Piece<'a>>) {
        let body: Value = serde_json::from_str(data).unwrap();
        let text = body["reply"].as_str().unwrap().to_owned();
        pieces.extend([
            Piece::Begin(Begin::default()),
            Piece::Text(text.into()),
            Piece::End(End::Whole),
            Piece::Over,
        ]);
    }

    fn said(&mut self, _: &str) {}
}

impl WriteEvents for Line {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if let Event::Text(text) = event {
            out.extend_from_slice(text.as_bytes());
        }
    }
}

const OTHERS: [Api; 3] = [Api::Chat, Api::Messages, Api::Responses];

/// A request and an answer of each of the others.
fn spoken(api: Api) -> (Value, Value) {
    let turns = json!([{ "role": "user", "content": "hi" }]);
    match api {
        Api::Chat => (
            json!({ "model": "m", "messages": turns }),
            json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
                { "index": 0, "message": { "role": "assistant", "content": "Hello." }, "finish_reason": "stop" }] }),
        ),
        Api::Messages => (
            json!({ "model": "m", "max_tokens": 9, "messages": turns }),
            json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                    "content": [{ "type": "text", "text": "Hello." }], "usage": { "input_tokens": 1, "output_tokens": 1 } }),
        ),
        Api::Responses => (
            json!({ "model": "m", "input": "hi" }),
            json!({ "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": [
                { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                  "content": [{ "type": "output_text", "text": "Hello.", "annotations": [] }] }] }),
        ),
    }
}

fn target(api: &UpstreamApi) -> Target<'_> {
    Target {
        model: "m",
        upstream: api,
    }
}

/// An answer of one form, in another one.
fn put_back(from: &Form, to: &Form, reading: &Reading, asked: &Asked, answer: &Value) -> Value {
    let answer = answer.to_string();
    let pieces = (from.read_answer)(answer.as_bytes(), reading).unwrap();
    let events = assembled(reading.names.clone(), pieces);
    serde_json::from_str(&(to.write_answer)(asked, events).unwrap()).unwrap()
}

#[test]
fn another_api_is_read_and_written_like_the_others() {
    let upstream = UpstreamApi::new(Dialect::OpenAi);
    for api in OTHERS {
        let (request, answer) = spoken(api);
        let form = api.form();

        // Its clients are served by the others.
        let plain = json!({ "model": "m", "rule": "Be brief.", "ask": "hi" });
        let mut conversation = (PLAIN.read_request)(plain).unwrap();
        let asked = Asked::of(&mut conversation);
        let written = (form.write_request)(conversation, &target(&upstream)).unwrap();
        let sent: Value = serde_json::from_slice(&written.body).unwrap();
        assert!(sent.to_string().contains("Be brief."), "{sent}");
        let answered = put_back(form, &PLAIN, &written.reading, &asked, &answer);
        assert_eq!(answered, json!({ "reply": "Hello." }), "{api:?}");

        // And it serves theirs.
        let mut conversation = (form.read_request)(request).unwrap();
        let asked = Asked::of(&mut conversation);
        let written = (PLAIN.write_request)(conversation, &target(&upstream)).unwrap();
        assert_eq!(written.body, br#"{"model":"m","ask":"hi"}"#);
        let reply = json!({ "reply": "Good day." });
        let answered = put_back(&PLAIN, form, &written.reading, &asked, &reply);
        assert!(answered.to_string().contains("Good day."), "{answered}");
    }
}

#[test]
fn half_an_emoji_makes_no_event_unreadable() {
    let reading = reading();
    for (api, event) in [
        (Api::Chat, r#"{"choices":[{"delta":{"content":"\ud83d"}}]}"#),
        (
            Api::Messages,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"\ud83d"}}"#,
        ),
        (
            Api::Responses,
            r#"{"type":"response.output_text.delta","delta":"\ud83d"}"#,
        ),
    ] {
        let mut pieces = Vec::new();
        let mut reader = (api.form().reader)(&reading);
        let event = readable(event.as_bytes());
        reader.read(None, &event, &mut pieces);
        assert_eq!(
            pieces.pop(),
            Some(Piece::Text("\u{fffd}".into())),
            "{api:?}"
        );
    }
}

/// What a model is asked in one API for a request in another.
fn put_into(to: Api, from: Api, body: Value) -> Value {
    let upstream = UpstreamApi::new(Dialect::OpenAi);
    let conversation = (from.form().read_request)(body).unwrap();
    let written = (to.form().write_request)(conversation, &target(&upstream)).unwrap();
    serde_json::from_slice(&written.body).unwrap()
}

#[test]
fn a_search_of_the_web_is_chosen_in_the_words_of_each_api() {
    let by_name = json!({ "type": "tool", "name": "web_search" });
    let by_kind = json!({ "type": "web_search" });
    let searching = |tools: Value| json!({ "model": "m", "max_tokens": 9, "messages": [], "tools": tools, "tool_choice": by_name });
    let hosted = json!({ "type": "web_search_20250305", "name": "web_search", "max_uses": 8 });
    let own = json!({ "name": "web_search", "input_schema": { "type": "object" } });

    let sent = put_into(Api::Responses, Api::Messages, searching(json!([hosted])));
    assert_eq!(sent["tool_choice"], "required");
    let other = json!({ "name": "f", "input_schema": { "type": "object" } });
    let sent = put_into(
        Api::Responses,
        Api::Messages,
        searching(json!([hosted, other])),
    );
    let allowed = json!({ "type": "allowed_tools", "mode": "required", "tools": [by_kind] });
    assert_eq!(sent["tool_choice"], allowed);
    let sent = put_into(Api::Responses, Api::Messages, searching(json!([own])));
    assert_eq!(sent["tool_choice"]["type"], "function");
    for kind in ["web_search", "web_search_preview"] {
        let asked = json!({ "model": "m", "input": "hi", "tools": [{ "type": kind }], "tool_choice": { "type": kind } });
        let sent = put_into(Api::Messages, Api::Responses, asked);
        assert_eq!(sent["tool_choice"], by_name);
        assert_eq!(sent["tools"][0]["name"], by_name["name"]);
    }
    let nothing = json!({ "model": "m", "input": "hi", "tool_choice": by_kind });
    let refused = (Api::Responses.form().read_request)(nothing);
    assert_eq!(refused.unwrap_err(), Unsaid("tool_choice"));
}

#[test]
fn a_limit_may_have_a_point() {
    let turns = json!([{ "role": "user", "content": "hi" }]);
    for (from, asked) in [
        (
            Api::Chat,
            json!({ "model": "m", "max_tokens": 9000.0, "messages": turns }),
        ),
        (
            Api::Messages,
            json!({ "model": "m", "max_tokens": 9000.0, "messages": turns,
                "thinking": { "type": "enabled", "budget_tokens": 2048.0 } }),
        ),
        (
            Api::Responses,
            json!({ "model": "m", "max_output_tokens": 9000.0, "input": "hi" }),
        ),
    ] {
        let chat = put_into(Api::Chat, from, asked.clone());
        assert_eq!(chat["max_tokens"], 9000, "{from:?}");
        let message = put_into(Api::Messages, from, asked);
        assert_eq!(message["max_tokens"], 9000, "{from:?}");
        if from == Api::Messages {
            assert_eq!(message["thinking"]["budget_tokens"], 2048);
        }
    }
}

#[test]
fn an_effort_that_nobody_knows_is_named() {
    let asked = json!({ "model": "m", "messages": [], "output_config": { "effort": "ultra" } });
    let read = (Api::Messages.form().read_request)(asked).unwrap();
    assert_eq!(read.dropped.into_names(), ["output_config.effort"]);
}

#[test]
fn what_the_model_said_at_different_times_is_no_single_word_in_a_chat() {
    let said = |text: &str| json!({ "role": "assistant", "content": text });
    let text = |text: &str| json!({ "type": "text", "text": text });
    let call = json!({ "type": "tool_use", "id": "t", "name": "f", "input": {} });
    let user = json!({ "role": "user", "content": "hi" });
    let blocks = |blocks: Value| json!([user, { "role": "assistant", "content": blocks }, user]);
    let asked = |messages: Value| json!({ "model": "m", "max_tokens": 9, "messages": messages });
    let items = json!([user, said("Let me look."), said("It is 4."), user]);
    let told_apart = "Let me look.\n\nIt is 4.";
    for (from, body, expected) in [
        (
            Api::Responses,
            json!({ "model": "m", "input": items }),
            told_apart,
        ),
        (Api::Messages, asked(items.clone()), told_apart),
        (
            Api::Messages,
            asked(blocks(json!([
                text("Let me look."),
                call,
                text("It is 4.")
            ]))),
            told_apart,
        ),
        // What cites comes in parts.
        (
            Api::Messages,
            asked(blocks(json!([text("It is "), text("4"), text(".")]))),
            "It is 4.",
        ),
    ] {
        let sent = put_into(Api::Chat, from, body);
        assert_eq!(sent["messages"][1]["content"], expected, "{sent}");
    }
    // Elsewhere they are parts of their own.
    let sent = put_into(
        Api::Messages,
        Api::Responses,
        json!({ "model": "m", "input": items }),
    );
    let parts = &sent["messages"][1]["content"];
    assert_eq!(*parts, json!([text("Let me look."), text("It is 4.")]));
    let sent = put_into(Api::Responses, Api::Messages, asked(items));
    assert_eq!(sent["input"][1]["content"].as_array().unwrap().len(), 2);
}
