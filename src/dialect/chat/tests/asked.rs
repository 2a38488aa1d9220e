//! Requests of clients, read.

use serde_json::{Value, json};

use crate::dialect::chat::read_request;
use crate::dialect::conversation::{
    Call, CallResult, Content, Conversation, Effort, Format, Input, Media, Part, Role, Search,
    Thought, Turn, Unsaid,
};

/// A request with this field.
pub(super) fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
    body[field] = value;
    body
}

pub(super) fn read(field: &str, value: Value) -> Conversation {
    read_request(with(field, value)).unwrap()
}

fn turns(messages: Value) -> Vec<Turn> {
    read("messages", messages).turns
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::new(Content::Call(Call {
        id: id.to_owned(),
        name: name.to_owned(),
        namespace: None,
        input: Input::Json(arguments.to_owned()),
    }))
}

fn result(id: &str, text: &str) -> Part {
    Part::new(Content::Result(CallResult {
        id: id.to_owned(),
        parts: vec![Part::text(text)],
        is_error: false,
    }))
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

#[test]
fn messages_are_turns() {
    let called = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let object = json!({ "id": "c", "function": { "name": "f", "arguments": { "a": 1 } } });
    let messages = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "developer", "content": [{ "type": "text", "text": "Be kind." }, { "type": "text", "text": "" }] },
        { "role": "user", "content": "hi" },
        { "role": "user", "content": ["there", { "type": "input_text", "text": "!" }] },
        { "role": "assistant", "content": "", "reasoning_content": "Hm.", "tool_calls": [called("a"), called("b"), object] },
        { "role": "tool", "tool_call_id": "a", "content": "1" },
        { "role": "tool", "tool_call_id": "b", "name": "f", "content": [{ "type": "text", "text": "2" }] },
        { "role": "user", "content": "and?" },
        { "role": "assistant", "content": [{ "type": "refusal", "refusal": "No." }] },
        { "role": "assistant", "refusal": "Never." },
        { "role": "system", "content": "Now in French." },
    ]);
    let thought = Part::new(Content::Thought(Thought {
        text: "Hm.".to_owned(),
        signature: None,
    }));
    let refusal = |text: &str| Part::new(Content::Refusal(text.to_owned()));
    assert_eq!(
        turns(messages),
        [
            turn(Role::System, vec![Part::text("Be brief.")]),
            turn(Role::System, vec![Part::text("Be kind.")]),
            turn(
                Role::User,
                vec![Part::text("hi"), Part::text("there"), Part::text("!")]
            ),
            turn(
                Role::Assistant,
                vec![
                    thought,
                    call("a", "f", "{}"),
                    call("b", "f", "{}"),
                    call("c", "f", "{\"a\":1}")
                ]
            ),
            turn(
                Role::User,
                vec![result("a", "1"), result("b", "2"), Part::text("and?")]
            ),
            turn(Role::Assistant, vec![refusal("No."), refusal("Never.")]),
            turn(Role::System, vec![Part::text("Now in French.")]),
        ]
    );
}

#[test]
fn what_was_thought_is_read_under_any_of_its_names() {
    for thought in [
        json!({ "reasoning_content": "Hm." }),
        json!({ "reasoning": "Hm.", "reasoning_content": null, "reasoning_details": [{ "text": "Hm." }] }),
        json!({ "thinking": "Hm." }),
        json!({ "reasoning_details": [{ "type": "reasoning.text", "text": "H" }, { "type": "reasoning.summary", "summary": "m." }] }),
        json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] }] }),
    ] {
        let mut message = json!({ "role": "assistant", "content": "x" });
        for (name, value) in thought.as_object().unwrap() {
            message[name] = value.clone();
        }
        let turns = turns(json!([message]));
        let Content::Thought(thought) = &turns[0].parts[0].content else {
            panic!("{message}");
        };
        assert_eq!(thought.text, "Hm.", "{message}");
    }
    let sealed = json!([{ "role": "assistant", "content": "x", "reasoning_details": [{ "type": "reasoning.encrypted", "data": "e" }] }]);
    assert_eq!(
        read("messages", sealed).dropped.into_names(),
        ["messages.reasoning_details"]
    );
}

#[test]
fn images_documents_and_sound_are_read_however_they_are_written() {
    let inline = |kind: &str| Media::Inline {
        kind: kind.to_owned(),
        data: "aGk=".to_owned(),
    };
    let image = |media: Media, detail: Option<&str>| Content::Image {
        media,
        detail: detail.map(str::to_owned),
    };
    let document = |media: Media| Content::Document {
        media,
        name: Some("a".to_owned()),
        context: None,
    };
    let file =
        |data: &str| json!({ "type": "file", "file": { "filename": "a", "file_data": data } });
    for (part, expected) in [
        (
            json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=", "detail": "low" } }),
            image(inline("image/png"), Some("low")),
        ),
        (
            json!({ "type": "image_url", "image_url": "data:image/png;base64,aGk=" }),
            image(inline("image/png"), None),
        ),
        (
            json!({ "type": "image_url", "image_url": { "url": "https://x/a" } }),
            image(Media::Url("https://x/a".to_owned()), None),
        ),
        (
            file("data:text/plain;charset=utf-8;base64,aGk="),
            document(inline("text/plain")),
        ),
        (file("aGk="), document(inline("application/pdf"))),
        (
            json!({ "type": "image_url", "image_url": { "url": "data:application/pdf;base64,aGk=" } }),
            Content::Document {
                media: inline("application/pdf"),
                name: None,
                context: None,
            },
        ),
        (
            file("https://x/a.pdf"),
            document(Media::Url("https://x/a.pdf".to_owned())),
        ),
        (
            json!({ "type": "input_audio", "input_audio": { "data": "aGk=", "format": "mp3" } }),
            Content::Audio {
                data: "aGk=".to_owned(),
                format: "mp3".to_owned(),
            },
        ),
    ] {
        let turns = turns(json!([{ "role": "user", "content": [part] }]));
        assert_eq!(turns[0].parts, [Part::new(expected)], "{part}");
    }
}

#[test]
fn marks_for_the_cache_are_kept() {
    let mark = json!({ "type": "ephemeral" });
    let part = json!({ "type": "text", "text": "x", "cache_control": mark });
    let mut body = with(
        "messages",
        json!([
            { "role": "system", "content": [part] },
            { "role": "user", "content": "y", "cache_control": mark },
            { "role": "assistant", "content": "z" },
            { "role": "user", "content": [{ "type": "text", "text": "x", "prompt_cache_breakpoint": { "mode": "explicit" } }] },
        ]),
    );
    body["tools"] =
        json!([{ "type": "function", "function": { "name": "f" }, "cache_control": mark }]);
    body["cache_control"] = mark.clone();
    let read = read_request(body).unwrap();
    assert_eq!(read.turns[0].parts[0].cache.as_ref(), Some(&mark));
    assert_eq!(read.turns[1].parts[0].cache.as_ref(), Some(&mark));
    assert_eq!(read.turns[3].parts[0].cache.as_ref(), Some(&mark));
    assert_eq!(read.tools.list[0].cache.as_ref(), Some(&mark));
    assert_eq!(read.caching.automatic, Some(mark));
}

#[test]
fn what_is_asked_about_the_answer_is_read() {
    let read = read_request(json!({
        "model": "m", "messages": [], "max_tokens": 5, "max_completion_tokens": 9, "stop": "END",
        "temperature": 0.5, "top_p": 1, "top_k": 3, "seed": 7, "presence_penalty": -1, "frequency_penalty": 0.25,
        "reasoning_effort": "low", "verbosity": "high", "stream": true, "stream_options": { "include_usage": true },
        "user": "u", "safety_identifier": "s", "service_tier": "flex", "prompt_cache_key": "k", "prompt_cache_retention": "24h",
        "parallel_tool_calls": false, "n": 1, "logprobs": false, "store": false, "metadata": { "a": "b" }, "brand_new": 1,
        "logit_bias": {}, "prediction": null, "modalities": ["text"], "tools": [],
        "web_search_options": { "search_context_size": "low", "user_location": { "type": "approximate", "approximate": { "city": "Paris", "country": "FR" } } },
    }))
    .unwrap();
    assert_eq!(
        (read.max_output, read.stop),
        (Some(9), vec!["END".to_owned()])
    );
    assert_eq!(
        read.sampling
            .temperature
            .map(|it| it.to_string())
            .as_deref(),
        Some("0.5")
    );
    assert_eq!(read.sampling.top_k.and_then(|it| it.as_u64()), Some(3));
    assert_eq!(read.thinking.effort, Some(Effort::Low));
    assert!(read.thinking.is_shown && read.streaming.unwrap().with_usage);
    let hints = [
        read.verbosity,
        read.user,
        read.safety_identifier,
        read.service_tier,
        read.caching.key,
        read.caching.retention,
    ];
    assert_eq!(
        hints.map(Option::unwrap),
        ["high", "u", "s", "flex", "k", "24h"]
    );
    assert_eq!(read.tools.parallel, Some(false));
    let search = Search {
        allowed_domains: Vec::new(),
        location: json!({ "city": "Paris", "country": "FR" }),
        context_size: Some("low".to_owned()),
    };
    assert_eq!(read.tools.search, Some(search));
    assert_eq!(read.dropped.into_names(), ["metadata", "brand_new"]);
}

#[test]
fn how_hard_a_model_is_to_think_has_several_names() {
    let thinking = |field: &str, value: Value| read(field, value).thinking;
    assert_eq!(
        thinking("reasoning", json!({ "effort": "high" })).effort,
        Some(Effort::High)
    );
    assert_eq!(
        thinking("reasoning", json!({ "max_tokens": 900 })).budget,
        Some(900)
    );
    assert!(!thinking("reasoning", json!({ "exclude": true })).is_shown);
    assert_eq!(
        thinking("thinking", json!({ "type": "disabled" })).is_on,
        Some(false)
    );
    assert_eq!(
        thinking("thinking", json!({ "type": "enabled" })).is_on,
        Some(true)
    );
    let unknown = read("reasoning_effort", json!("extreme"));
    assert_eq!(unknown.thinking.effort, None);
    assert_eq!(unknown.dropped.into_names(), ["reasoning_effort"]);
}

#[test]
fn formats_are_read() {
    let schema = json!({ "type": "object" });
    let described = json!({ "name": "n", "schema": schema, "strict": true });
    let format = |value: Value| read("response_format", value).format;
    assert_eq!(format(json!({ "type": "text" })), Format::Text);
    assert_eq!(format(json!({ "type": "json_object" })), Format::Json);
    assert_eq!(
        format(json!({ "type": "json_schema", "json_schema": described })),
        Format::Schema {
            name: Some("n".to_owned()),
            description: None,
            schema,
            strict: Some(true)
        }
    );
}

#[test]
fn what_no_other_api_has_is_named() {
    for (field, value, feature) in [
        ("n", json!(2), "n"),
        ("logprobs", json!(true), "logprobs"),
        ("top_logprobs", json!(3), "logprobs"),
        ("modalities", json!(["text", "audio"]), "audio"),
        ("audio", json!({ "voice": "v" }), "audio"),
        ("logit_bias", json!({ "1": 5 }), "logit_bias"),
        (
            "response_format",
            json!({ "type": "grammar" }),
            "response_format",
        ),
        ("messages", json!("hi"), "a list of messages"),
        (
            "messages",
            json!([{ "role": "user", "content": [{ "type": "file", "file": { "file_id": "f" } }] }]),
            "file_id",
        ),
        (
            "messages",
            json!([{ "role": "user", "content": [{ "type": "video_url" }] }]),
            "content of this kind",
        ),
        (
            "messages",
            json!([{ "role": "assistant", "audio": { "id": "a" } }]),
            "audio",
        ),
    ] {
        assert_eq!(
            read_request(with(field, value)).err(),
            Some(Unsaid(feature)),
            "{field}"
        );
    }
}

#[test]
fn the_older_calls_of_functions_are_told_apart_by_their_names() {
    let turns = turns(json!([
        { "role": "assistant", "content": null, "function_call": { "name": "f", "arguments": "{}" } },
        { "role": "function", "name": "f", "content": "one" },
    ]));
    assert_eq!(turns[0].parts, [call("call_f", "f", "{}")]);
    assert_eq!(turns[1].parts, [result("call_f", "one")]);
}

#[test]
fn a_call_that_is_said_in_both_ways_is_one_call() {
    let turns = turns(json!([
        { "role": "assistant", "content": null, "function_call": { "name": "f:", "arguments": "{}" },
          "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
        { "role": "tool", "tool_call_id": "c", "content": "one" },
    ]));
    assert_eq!(turns[0].parts, [call("c", "f", "{}")]);
}

#[test]
fn what_nobody_knows_of_history_is_told_or_left_out() {
    let read = read(
        "messages",
        json!([
            { "role": "assistant", "content": [{ "type": "text", "text": "See" }, { "type": "reference", "reference_ids": [1] }],
              "tool_calls": [{ "id": "c", "function": { "name": "f", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "c", "content": { "type": "row", "n": 1 } },
        ]),
    );
    assert_eq!(
        read.turns[0].parts,
        [Part::text("See"), call("c", "f", "{}")]
    );
    assert_eq!(
        read.turns[1].parts,
        [result("c", "{\"type\":\"row\",\"n\":1}")]
    );
    assert_eq!(read.dropped.into_names(), ["messages.content"]);
}
