//! What is sent for a conversation.

use serde_json::{Value, json};

use super::{call, read, result, sent, text, turn, written};
use crate::dialect::conversation::*;

/// A conversation as the other APIs bring it.
fn of_chat(turns: Vec<Turn>) -> Conversation {
    let mut conversation = read(json!({"model": "m", "input": "x"}));
    conversation.origin = Api::Chat;
    conversation.dropped = Dropped::nothing(Api::Chat);
    conversation.turns = turns;
    conversation
}

fn thought(of: Api) -> Content {
    let signature = Signature {
        of,
        data: "e".to_owned(),
        is_redacted: false,
        id: Some("rs_1".to_owned()),
    };
    Content::Thought(Thought {
        text: "hm".to_owned(),
        signature: Some(signature),
    })
}

fn function(name: &str, schema: Value, strict: Option<bool>) -> Tool {
    let kind = ToolKind::Function { schema, strict };
    Tool {
        name: name.to_owned(),
        namespace: None,
        description: Some("d".to_owned()),
        kind,
        cache: None,
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn turns_are_items() {
    let image = Content::Image {
        media: Media::Inline {
            kind: "image/png".to_owned(),
            data: "aGk=".to_owned(),
        },
        detail: None,
    };
    let file = |media: Media| Content::Document {
        media,
        name: Some("n".to_owned()),
        context: Some("about".to_owned()),
    };
    let pdf = Media::Inline {
        kind: "application/pdf".to_owned(),
        data: "aGk=".to_owned(),
    };
    let conversation = of_chat(vec![
        turn(Role::System, vec![text("a"), text("b")]),
        turn(Role::System, vec![text("c")]),
        turn(
            Role::User,
            vec![
                text("see"),
                image.clone(),
                file(pdf),
                file(Media::Text("plain".to_owned())),
                file(Media::Url("https://x".to_owned())),
            ],
        ),
        turn(
            Role::Assistant,
            vec![
                thought(Api::Responses),
                text("one"),
                call("c1", "f", Input::Json("{}".to_owned())),
                thought(Api::Messages),
                call("c2", "g", Input::Text("x".to_owned())),
            ],
        ),
        turn(
            Role::User,
            vec![
                result("c1", vec![text("bad")], true),
                result("c2", vec![text("2"), image], false),
                text("and?"),
            ],
        ),
        turn(Role::System, vec![text("late")]),
        turn(
            Role::Assistant,
            vec![
                text("so"),
                Content::Refusal("no".to_owned()),
                thought(Api::Responses),
            ],
        ),
        turn(Role::User, vec![text("why?")]),
    ]);
    let (body, dropped) = sent(conversation, "gpt-6-sol");
    let shown =
        json!({"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"});
    let about = json!({"type": "input_text", "text": "about"});
    assert_eq!(
        body,
        json!({
            "model": "gpt-6-sol", "instructions": "a\n\nb\n\nc", "store": false, "stream": false,
            "include": ["reasoning.encrypted_content"],
            "input": [
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "see"}, shown, about,
                    {"type": "input_file", "filename": "n", "file_data": "data:application/pdf;base64,aGk="},
                    {"type": "input_text", "text": "n\nabout\nplain"}, about,
                    {"type": "input_file", "file_url": "https://x"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "e"},
                {"type": "message", "role": "assistant", "content": "one"},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
                {"type": "function_call_output", "call_id": "c1", "output": "Error: bad"},
                {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}, shown]},
                {"type": "message", "role": "user", "content": "and?"},
                {"type": "message", "role": "developer", "content": "late"},
                {"type": "message", "id": "msg_0009", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": "so", "annotations": []}, {"type": "refusal", "refusal": "no"}]},
                {"type": "message", "role": "user", "content": "why?"},
            ],
        })
    );
    assert_eq!(dropped, ["messages.reasoning_content"]);
}

#[test]
fn instructions_alone_are_the_input() {
    let (body, _) = sent(
        of_chat(vec![turn(Role::System, vec![text("Greet me.")])]),
        "gpt-4o",
    );
    assert_eq!(body["instructions"], Value::Null);
    assert_eq!(
        body["input"],
        json!([{"type": "message", "role": "developer", "content": "Greet me."}])
    );
}

#[test]
fn the_beginning_of_an_answer_is_continued() {
    let turns = vec![
        turn(Role::User, vec![text("x")]),
        turn(Role::Assistant, vec![text("{\"a\":")]),
    ];
    let mut conversation = of_chat(turns.clone());
    assert_eq!(
        sent(conversation.clone(), "gpt-4o").0["input"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    conversation.origin = Api::Messages;
    let (body, _) = sent(conversation, "gpt-4o");
    let prompt = "Continue your last message exactly behind its last words: {\"a\":";
    assert_eq!(body["input"][2]["content"], prompt);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn tools_are_flat_and_as_strict_as_they_were() {
    let closed = json!({"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"], "additionalProperties": false});
    let open = json!({"type": "object", "properties": {"x": {"type": "string"}}});
    let mut conversation = of_chat(vec![turn(Role::User, vec![text("x")])]);
    let long = "n".repeat(70);
    conversation.tools = Tools {
        list: vec![
            function("a", closed.clone(), Some(true)),
            function("b", open.clone(), Some(true)),
            function("c", Value::Null, None),
            Tool {
                kind: ToolKind::Custom {
                    format: json!({"type": "grammar", "syntax": "lark", "definition": "s"}),
                },
                ..function("p", Value::Null, None)
            },
            function(&long, open, None),
        ],
        search: Some(Search {
            allowed_domains: vec!["a.org".to_owned()],
            location: json!({"city": "Paris"}),
            context_size: Some("low".to_owned()),
        }),
        choice: Choice::Among {
            names: vec![
                ToolName {
                    name: long,
                    ..ToolName::default()
                },
                ToolName {
                    name: "p".to_owned(),
                    namespace: None,
                    is_custom: true,
                },
            ],
            must: true,
        },
        parallel: Some(false),
    };
    let (body, dropped) = sent(conversation, "gpt-4o");
    let tools = body["tools"].as_array().unwrap();
    assert_eq!(
        tools[0],
        json!({"type": "function", "name": "a", "description": "d", "parameters": closed, "strict": true})
    );
    assert_eq!(tools[1]["strict"], false);
    assert_eq!(tools[2]["strict"], false);
    assert_eq!(
        tools[2]["parameters"],
        json!({"type": "object", "properties": {}})
    );
    assert_eq!(
        tools[3],
        json!({"type": "custom", "name": "p", "description": "d", "format": {"type": "grammar", "syntax": "lark", "definition": "s"}})
    );
    assert_eq!(
        tools[5],
        json!({"type": "web_search", "filters": {"allowed_domains": ["a.org"]},
        "user_location": {"city": "Paris", "type": "approximate"}, "search_context_size": "low"})
    );
    assert!(tools[4]["name"].as_str().unwrap().len() <= 64);
    let choice = json!({"type": "allowed_tools", "mode": "required", "tools": [
        {"type": "function", "name": tools[4]["name"]}, {"type": "custom", "name": "p"}]});
    assert_eq!(body["tool_choice"], choice);
    assert_eq!(body["parallel_tool_calls"], false);
    assert_eq!(dropped, ["strict"]);
}

#[test]
fn models_get_what_they_take() {
    let mut conversation = of_chat(vec![turn(Role::User, vec![text("x")])]);
    conversation.sampling.temperature = Some(1.into());
    conversation.sampling.seed = Some(7.into());
    conversation.stop = vec!["END".to_owned()];
    conversation.max_output = Some(3);
    conversation.thinking = Thinking {
        budget: Some(20_000),
        is_shown: true,
        ..Thinking::default()
    };
    conversation.verbosity = Some("low".to_owned());
    conversation.caching.key = Some("k".to_owned());
    conversation.user = Some("u".to_owned());
    conversation.streaming = Some(Streaming { with_usage: false });
    conversation.format = Format::Schema {
        name: None,
        description: None,
        schema: json!({"type": "object"}),
        strict: None,
    };
    let (body, dropped) = sent(conversation.clone(), "gpt-6.1-sol");
    assert_eq!(
        body["reasoning"],
        json!({"effort": "high", "summary": "auto"})
    );
    assert_eq!(body["temperature"], Value::Null);
    assert_eq!(body["max_output_tokens"], 16);
    assert_eq!(body["stream"], true);
    assert_eq!(
        (&body["prompt_cache_key"], &body["user"]),
        (&json!("k"), &json!("u"))
    );
    assert_eq!(body["text"]["verbosity"], "low");
    assert_eq!(body["text"]["format"]["type"], "json_schema");
    assert_eq!(body["text"]["format"]["name"], "answer");
    assert_eq!(dropped, ["temperature", "seed", "stop"]);
    let mut by_effort = conversation.clone();
    by_effort.thinking = Thinking {
        effort: Some(Effort::Low),
        is_shown: true,
        ..Thinking::default()
    };
    assert_eq!(
        sent(by_effort, "gpt-6.1-sol").0["reasoning"],
        json!({"effort": "low"})
    );
    let (body, dropped) = sent(conversation, "gpt-4o");
    assert_eq!(
        (&body["reasoning"], &body["temperature"]),
        (&Value::Null, &json!(1))
    );
    assert_eq!(dropped, ["reasoning_effort", "seed", "verbosity", "stop"]);
}

#[test]
fn names_that_are_longer_than_openai_takes_are_left_out() {
    for (letter, length, is_taken) in [("u", 64, true), ("ü", 64, true), ("u", 65, false)] {
        let name = Some(letter.repeat(length));
        let mut conversation = of_chat(vec![turn(Role::User, vec![text("x")])]);
        conversation.user.clone_from(&name);
        conversation.caching.key.clone_from(&name);
        conversation.safety_identifier = name;
        let (body, dropped) = sent(conversation, "gpt-6-astra");
        for field in ["user", "safety_identifier", "prompt_cache_key"] {
            assert_eq!(body[field].is_string(), is_taken, "{field}");
        }
        assert_eq!(dropped.is_empty(), is_taken, "{dropped:?}");
    }
}

#[test]
fn something_is_said_at_least() {
    let (body, _) = sent(of_chat(vec![turn(Role::User, vec![text("")])]), "gpt-4o");
    let nothing = json!([{"type": "message", "role": "user", "content": "(empty)"}]);
    assert_eq!(body["input"], nothing);
}

#[test]
fn whoever_asks_for_json_is_heard_in_the_input() {
    let mut conversation = of_chat(vec![
        turn(Role::System, vec![text("Answer in JSON.")]),
        turn(Role::User, vec![text("x")]),
    ]);
    let (body, _) = sent(conversation.clone(), "gpt-4o");
    assert_eq!(body["instructions"], "Answer in JSON.");
    conversation.format = Format::Json;
    let (body, _) = sent(conversation, "gpt-4o");
    assert!(body.get("instructions").is_none());
    assert_eq!(body["text"]["format"]["type"], "json_object");
    assert_eq!(
        body["input"],
        json!([{"type": "message", "role": "developer", "content": "Answer in JSON."}, {"type": "message", "role": "user", "content": "x"}])
    );
}

#[test]
fn an_answer_that_is_no_object_is_asked_for_elsewhere() {
    for (kind, is_taken) in [("object", true), ("array", false)] {
        let mut conversation = of_chat(vec![turn(Role::User, vec![text("x")])]);
        conversation.format = Format::Schema {
            name: None,
            description: None,
            schema: json!({ "type": kind }),
            strict: None,
        };
        let refused = written(conversation, "gpt-4o").err();
        let expected = (!is_taken).then_some(Unsaid("this JSON schema"));
        assert_eq!(refused, expected, "{kind}");
    }
}
