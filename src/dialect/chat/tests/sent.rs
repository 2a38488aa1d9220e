//! Conversations, as an upstream without quirks is sent them.

use serde_json::{Value, json};

use super::{conversation, sent, turn, upstream, written};
use crate::catalogue::{Prefill, Quirks};
use crate::dialect::conversation::{
    Api, Caching, Call, CallResult, Choice, Content, Conversation, Effort, Input, Media, Part,
    Role, Search, Signature, Streaming, Thought, Tool, ToolKind, Turn, Unsaid,
};

pub(super) fn call(id: &str, name: &str, input: Input) -> Part {
    Part::new(Content::Call(Call {
        id: id.to_owned(),
        name: name.to_owned(),
        namespace: None,
        input,
    }))
}

fn result(id: &str, parts: Vec<Part>, is_error: bool) -> Part {
    Part::new(Content::Result(CallResult {
        id: id.to_owned(),
        parts,
        is_error,
    }))
}

fn image(data: &str) -> Part {
    Part::new(Content::Image {
        media: Media::Inline {
            kind: "image/png".to_owned(),
            data: data.to_owned(),
        },
        detail: None,
    })
}

fn thought(of: Option<Api>) -> Part {
    let signature = of.map(|of| Signature {
        of,
        data: "s".to_owned(),
        is_redacted: false,
        id: None,
    });
    Part::new(Content::Thought(Thought {
        text: "hm".to_owned(),
        signature,
    }))
}

pub(super) fn tool(name: &str, schema: Value) -> Tool {
    Tool {
        name: name.to_owned(),
        namespace: None,
        description: Some("d".to_owned()),
        kind: ToolKind::Function {
            schema,
            strict: None,
        },
        cache: None,
    }
}

pub(super) fn with(turns: Vec<Turn>) -> Conversation {
    conversation(Api::Messages, turns)
}

pub(super) fn plain() -> Conversation {
    with(vec![turn(Role::User, vec![Part::text("x")])])
}

fn messages(turns: Vec<Turn>) -> Value {
    sent(with(turns), "gpt-4o", Quirks::UNKNOWN).0["messages"].clone()
}

#[test]
fn a_conversation_is_sent_as_a_chat() {
    let mut asked = with(vec![
        turn(
            Role::System,
            vec![Part::text("Be brief."), Part::text("Be kind.")],
        ),
        turn(Role::User, vec![Part::text("hi")]),
        turn(
            Role::Assistant,
            vec![
                thought(Some(Api::Messages)),
                Part::text("Let me see."),
                call("t1", "f", Input::Json("{\"a\":1}".to_owned())),
            ],
        ),
        turn(
            Role::User,
            vec![
                result("t1", vec![Part::text("broken"), image("aGk=")], true),
                Part::text("and?"),
            ],
        ),
    ]);
    asked.max_output = Some(9);
    asked.stop = vec!["a".to_owned()];
    asked.streaming = Some(Streaming { with_usage: true });
    asked.user = Some("u".to_owned());
    asked.tools.list = vec![tool("f", json!({ "type": "object" }))];
    asked.tools.choice = Choice::Any;
    asked.tools.parallel = Some(false);
    asked.thinking.effort = Some(Effort::High);
    let (body, dropped) = sent(asked, "gpt-4o", Quirks::UNKNOWN);
    assert_eq!(dropped, ["messages.thinking", "thinking"]);
    assert_eq!(
        body,
        json!({
            "model": "gpt-4o", "max_tokens": 9, "stream": true, "stream_options": { "include_usage": true },
            "stop": ["a"], "user": "u", "tool_choice": "required", "parallel_tool_calls": false,
            "tools": [{ "type": "function", "function": { "name": "f", "description": "d", "parameters": { "type": "object", "properties": {} } } }],
            "messages": [
                { "role": "system", "content": "Be brief.\n\nBe kind." },
                { "role": "user", "content": "hi" },
                { "role": "assistant", "content": "Let me see.", "tool_calls": [
                    { "id": "t1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }] },
                { "role": "tool", "tool_call_id": "t1", "content": "Error: broken" },
                { "role": "user", "content": [
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } },
                    { "type": "text", "text": "and?" }] },
            ],
        })
    );
}

#[test]
fn a_question_without_words_is_one() {
    let nothing = json!([{ "role": "user", "content": "(empty)" }]);
    assert_eq!(messages(vec![turn(Role::User, Vec::new())]), nothing);
    assert_eq!(messages(Vec::new()), nothing);
}

#[test]
fn the_reader_knows_where_the_client_wants_the_answer_to_end() {
    let mut asked = conversation(Api::Messages, Vec::new());
    asked.stop = vec!["END".to_owned()];
    let written = written(asked, "m", &upstream(Quirks::UNKNOWN)).unwrap();
    assert_eq!(written.reading.stops, ["END"]);
}

#[test]
fn what_the_system_shows_is_shown_by_the_user() {
    let turns = vec![
        turn(Role::System, vec![Part::text("Look."), image("aQ==")]),
        turn(Role::System, vec![Part::text("Be brief.")]),
        turn(Role::User, vec![Part::text("hi")]),
        turn(Role::Assistant, vec![Part::text("Hello.")]),
        turn(Role::System, vec![image("ag==")]),
    ];
    let shown = |data: &str| json!({ "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{data}") } });
    assert_eq!(
        messages(turns),
        json!([
            { "role": "system", "content": "Look.\n\nBe brief." },
            { "role": "user", "content": [shown("aQ=="), { "type": "text", "text": "hi" }] },
            { "role": "assistant", "content": "Hello." },
            { "role": "user", "content": [shown("ag==")] },
        ])
    );
}

#[test]
fn what_the_system_says_amid_the_talk_goes_with_the_user() {
    let system = || turn(Role::System, vec![Part::text("Be kind.")]);
    let turns = || {
        vec![
            turn(Role::System, vec![Part::text("Be brief.")]),
            system(),
            turn(Role::User, vec![Part::text("hi")]),
            system(),
            turn(Role::Assistant, vec![Part::text("Hello.")]),
            system(),
            turn(Role::User, vec![image("aGk=")]),
            system(),
        ]
    };
    let reminder = "<system-reminder>\nBe kind.\n</system-reminder>";
    let text = json!({ "type": "text", "text": reminder });
    assert_eq!(
        messages(turns()),
        json!([
            { "role": "system", "content": "Be brief.\n\nBe kind." },
            { "role": "user", "content": format!("hi\n\n{reminder}") },
            { "role": "assistant", "content": "Hello." },
            { "role": "user", "content": [text, { "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } }, text] },
        ])
    );
    let to_openai = sent(with(turns()), "gpt-4o", Quirks::OPENAI).0;
    let roles: Vec<&Value> = to_openai["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(
        roles,
        [
            "system",
            "user",
            "system",
            "assistant",
            "system",
            "user",
            "system"
        ]
    );
}

#[test]
fn an_answer_of_thoughts_alone_leaves_no_gap() {
    let turns = vec![
        turn(Role::User, vec![Part::text("a")]),
        turn(Role::Assistant, vec![thought(None)]),
        turn(Role::User, vec![Part::text("b")]),
    ];
    assert_eq!(
        messages(turns),
        json!([{ "role": "user", "content": "a\n\nb" }])
    );
}

#[test]
fn documents_are_sent_as_text_or_as_files() {
    let document = |media: Media, name: Option<&str>| {
        Part::new(Content::Document {
            media,
            name: name.map(str::to_owned),
            context: None,
        })
    };
    let inline = |kind: &str, data: &str| Media::Inline {
        kind: kind.to_owned(),
        data: data.to_owned(),
    };
    let turns = vec![turn(
        Role::User,
        vec![
            document(inline("application/pdf", "cGRm"), None),
            document(Media::Text("part".to_owned()), Some("T")),
            document(inline("text/csv", "YSxi"), Some("a.csv")),
            document(inline("image/png", "aGk="), None),
            document(inline("application/zip", "aGk="), Some("a.zip")),
            Part::new(Content::Audio {
                data: "aGk=".to_owned(),
                format: "wav".to_owned(),
            }),
        ],
    )];
    assert_eq!(
        messages(turns)[0]["content"],
        json!([
            { "type": "file", "file": { "filename": "document.pdf", "file_data": "data:application/pdf;base64,cGRm" } },
            { "type": "text", "text": "T\npart" },
            { "type": "text", "text": "a.csv\na,b" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } },
            { "type": "file", "file": { "filename": "a.zip", "file_data": "data:application/zip;base64,aGk=" } },
            { "type": "input_audio", "input_audio": { "data": "aGk=", "format": "wav" } },
        ])
    );
    for (origin, feature) in [
        (Api::Messages, "documents by URL"),
        (Api::Responses, "file_url"),
    ] {
        let far = document(Media::Url("u".to_owned()), None);
        let asked = conversation(origin, vec![turn(Role::User, vec![far])]);
        assert_eq!(
            written(asked, "m", &upstream(Quirks::UNKNOWN)).err(),
            Some(Unsaid(feature))
        );
    }
}

#[test]
fn a_beginning_is_put_as_each_upstream_wants_it() {
    let put = |prefill: Prefill| {
        let asked = with(vec![
            turn(Role::User, vec![Part::text("x")]),
            turn(Role::Assistant, vec![Part::text("Once")]),
        ]);
        let mut upstream = upstream(Quirks::UNKNOWN);
        upstream.prefill = prefill;
        let written = written(asked, "m", &upstream).unwrap();
        serde_json::from_slice::<Value>(&written.body).unwrap()
    };
    assert_eq!(
        put(Prefill::Trailing)["messages"][1],
        json!({ "role": "assistant", "content": "Once" })
    );
    assert_eq!(put(Prefill::Prefix)["messages"][1]["prefix"], true);
    assert_eq!(put(Prefill::Vllm)["continue_final_message"], true);
    assert_eq!(
        put(Prefill::None)["messages"][2],
        json!({ "role": "user", "content": "Continue your last message exactly behind its last words: Once" })
    );
}

#[test]
fn what_others_may_refuse_is_left_out_and_named() {
    let mut asked = conversation(
        Api::Responses,
        vec![turn(Role::User, vec![Part::text("x")])],
    );
    asked.caching = Caching {
        key: Some("k".to_owned()),
        retention: Some("24h".to_owned()),
        automatic: None,
    };
    asked.verbosity = Some("low".to_owned());
    asked.service_tier = Some("flex".to_owned());
    asked.user = Some("u".repeat(65));
    asked.stop = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    let (body, dropped) = sent(asked.clone(), "m", Quirks::UNKNOWN);
    assert_eq!(
        dropped,
        [
            "stop",
            "user",
            "service_tier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "text.verbosity"
        ]
    );
    assert_eq!(body["stop"], json!(["a", "b", "c", "d"]));
    let (body, dropped) = sent(asked, "gpt-5.1", Quirks::OPENAI);
    assert_eq!(dropped, ["stop", "user"]);
    assert_eq!(
        (
            &body["verbosity"],
            &body["prompt_cache_key"],
            &body["service_tier"]
        ),
        (&json!("low"), &json!("k"), &json!("flex"))
    );
}

#[test]
fn the_web_cannot_be_searched() {
    let mut asked = plain();
    asked.tools.search = Some(Search::default());
    assert_eq!(
        written(asked, "m", &upstream(Quirks::UNKNOWN)).err(),
        Some(Unsaid("hosted tools"))
    );
}

#[test]
fn marks_for_the_cache_are_kept_where_claude_is_behind_a_chat() {
    let mark = json!({ "type": "ephemeral" });
    let marked = |part: Part| Part {
        cache: Some(json!({ "type": "ephemeral" })),
        ..part
    };
    let asked = || {
        with(vec![
            turn(Role::System, vec![Part::text("a"), marked(Part::text("b"))]),
            turn(Role::User, vec![Part::text("x")]),
            turn(
                Role::Assistant,
                vec![call("c", "f", Input::Json("{}".to_owned()))],
            ),
            turn(
                Role::User,
                vec![
                    marked(result("c", vec![Part::text("y")], false)),
                    marked(Part::text("z")),
                ],
            ),
        ])
    };
    let text = |text: &str| json!([{ "type": "text", "text": text, "cache_control": mark }]);
    let (body, dropped) = sent(asked(), "anthropic/claude-opus-5", Quirks::UNKNOWN);
    assert!(dropped.is_empty(), "{dropped:?}");
    let contents: Vec<&Value> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["content"])
        .collect();
    let system = json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b", "cache_control": mark }]);
    assert_eq!(
        contents,
        [&system, &json!("x"), &Value::Null, &text("y"), &text("z")]
    );
    for (model, quirks) in [("openai/gpt-5", Quirks::UNKNOWN), ("claude", Quirks::OLDER)] {
        let (body, dropped) = sent(asked(), model, quirks);
        assert_eq!(dropped, ["cache_control"]);
        assert_eq!(body["messages"][0]["content"], "a\n\nb");
    }
}

#[test]
fn an_error_is_told_though_it_has_no_words() {
    let messages = messages(vec![
        turn(Role::User, vec![Part::text("hi")]),
        turn(
            Role::Assistant,
            vec![call("t1", "f", Input::Json("{}".to_owned()))],
        ),
        turn(Role::User, vec![result("t1", Vec::new(), true)]),
    ]);
    assert_eq!(messages[2]["content"], "Error");
}
