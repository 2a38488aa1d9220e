//! What a request says.

use serde_json::{Value, json};

use super::{call, read, result, text, turn};
use crate::dialect::conversation::*;
use crate::dialect::responses::read_request;

fn json(text: &str) -> Input {
    Input::Json(text.to_owned())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_input_is_turns() {
    let conversation = read(json!({"model": "m", "instructions": "Be brief.", "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "d"}]},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "what?"},
            {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
            {"type": "input_file", "file_url": "https://x/y.pdf"},
            {"type": "input_file", "filename": "a.TXT", "file_data": "aGk="},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "encrypted_content": "e"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "one"}, {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}, {"type": "input_image", "image_url": "u"}]},
        {"role": "user", "content": "and?"},
        {"role": "assistant", "content": "Yes."},
    ]}));
    let inline = |kind: &str| Media::Inline {
        kind: kind.to_owned(),
        data: "aGk=".to_owned(),
    };
    let image = |media: Media, detail: Option<&str>| Content::Image {
        media,
        detail: detail.map(str::to_owned),
    };
    let file = |media: Media, name: Option<&str>| Content::Document {
        media,
        name: name.map(str::to_owned),
        context: None,
    };
    let url = |url: &str| Media::Url(url.to_owned());
    let signature = Signature {
        of: Api::Responses,
        data: "e".to_owned(),
        is_redacted: false,
        id: Some("rs_1".to_owned()),
    };
    let audio = Content::Audio {
        data: "aGk=".to_owned(),
        format: "mp3".to_owned(),
    };
    let expected = [
        turn(Role::System, vec![text("Be brief.")]),
        turn(Role::System, vec![text("d")]),
        turn(
            Role::User,
            vec![
                text("what?"),
                image(inline("image/png"), Some("low")),
                image(url("https://x/y.png"), None),
                file(inline("application/pdf"), Some("a.pdf")),
                file(url("https://x/y.pdf"), None),
                file(inline("text/plain"), Some("a.TXT")),
                audio,
            ],
        ),
        turn(
            Role::Assistant,
            vec![
                Content::Thought(Thought {
                    text: "a\n\nb".to_owned(),
                    signature: Some(signature),
                }),
                text("one"),
                Content::Refusal("no".to_owned()),
                call("c1", "f", json("{}")),
                call("c2", "g", Input::Text("x".to_owned())),
            ],
        ),
        turn(
            Role::User,
            vec![
                result("c1", vec![text("1")], false),
                result("c2", vec![text("2"), image(url("u"), None)], false),
                text("and?"),
            ],
        ),
        turn(Role::Assistant, vec![text("Yes.")]),
    ];
    assert_eq!(conversation.turns, expected);
    assert_eq!(conversation.dropped.into_names(), ["input.web_search_call"]);
}

#[test]
fn thoughts_are_found_under_their_seal() {
    let of = |item: Value| match read(json!({"model": "m", "input": [item]})).turns.pop() {
        Some(mut turn) => match turn.parts.remove(0).content {
            Content::Thought(thought) => Some(thought),
            other => panic!("{other:?}"),
        },
        None => None,
    };
    let claudes = Signature {
        of: Api::Messages,
        data: "s".to_owned(),
        is_redacted: false,
        id: None,
    };
    let sealed = thoughts::seal(&claudes);
    let thought = of(
        json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": sealed}),
    );
    assert_eq!(
        thought,
        Some(Thought {
            text: "t".to_owned(),
            signature: Some(claudes)
        })
    );
    let open = json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "t"}], "encrypted_content": null});
    assert_eq!(
        of(open),
        Some(Thought {
            text: "t".to_owned(),
            signature: None
        })
    );
    assert_eq!(
        of(json!({"type": "reasoning", "id": "rs_1", "summary": []})),
        None
    );
}

#[test]
fn fields_are_those_of_the_conversation() {
    let conversation = read(json!({
        "model": "m", "input": "x", "stream": true, "max_output_tokens": 9, "temperature": 0.5, "top_p": 1, "user": "u",
        "safety_identifier": "s", "service_tier": "flex", "prompt_cache_key": "k", "prompt_cache_retention": "24h",
        "reasoning": {"effort": "low", "summary": "auto"}, "store": true, "truncation": "disabled", "background": false,
        "include": ["reasoning.encrypted_content"], "brand_new": 1, "metadata": {"a": "b"},
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}},
    }));
    assert_eq!(conversation.max_output, Some(9));
    assert_eq!(
        conversation.sampling.temperature.unwrap().to_string(),
        "0.5"
    );
    assert_eq!(conversation.sampling.top_p.unwrap().to_string(), "1");
    assert_eq!(
        conversation.thinking,
        Thinking {
            effort: Some(Effort::Low),
            is_shown: true,
            ..Thinking::default()
        }
    );
    assert_eq!(conversation.verbosity.as_deref(), Some("low"));
    assert_eq!(conversation.user.as_deref(), Some("u"));
    assert_eq!(conversation.safety_identifier.as_deref(), Some("s"));
    assert_eq!(conversation.service_tier.as_deref(), Some("flex"));
    let caching = Caching {
        key: Some("k".to_owned()),
        retention: Some("24h".to_owned()),
        automatic: None,
    };
    assert_eq!(conversation.caching, caching);
    assert_eq!(conversation.streaming, Some(Streaming { with_usage: true }));
    let format = Format::Schema {
        name: Some("n".to_owned()),
        description: None,
        schema: json!({"type": "object"}),
        strict: Some(true),
    };
    assert_eq!(conversation.format, format);
    assert_eq!(conversation.echo.fields["metadata"], json!({"a": "b"}));
    assert_eq!(conversation.echo.fields["input"], Value::Null);
    assert_eq!(conversation.dropped.into_names(), ["brand_new", "metadata"]);
}

#[test]
fn what_is_configured_amid_the_input_counts_from_there_on() {
    let update = json!({"type": "configuration_update", "reasoning": {"effort": "high"},
                        "text": {"format": {"type": "text"}}});
    let conversation = read(json!({
        "model": "m", "input": [update, {"role": "user", "content": "x"}], "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    }));
    assert_eq!(conversation.thinking.effort, Some(Effort::High));
    assert!(conversation.thinking.is_shown);
    assert_eq!(conversation.format, Format::Text);
    assert_eq!(conversation.verbosity.as_deref(), Some("low"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_lives_at_one_provider_cannot_be_had_elsewhere() {
    let many: Vec<Value> = (0..1025)
        .map(|number| json!({"type": "function", "name": format!("f{number}")}))
        .collect();
    for (field, value, feature) in [
        (
            "previous_response_id",
            json!("resp_1"),
            "previous_response_id",
        ),
        ("conversation", json!("conv_1"), "conversation"),
        ("prompt", json!({"id": "p"}), "prompt"),
        ("background", json!(true), "background"),
        ("top_logprobs", json!(2), "logprobs"),
        (
            "include",
            json!(["message.output_text.logprobs"]),
            "logprobs",
        ),
        (
            "prompt_cache_options",
            json!({"prewarm": true}),
            "prompt_cache_options.prewarm",
        ),
        ("tools", json!([{"type": "file_search"}]), "hosted tools"),
        (
            "tools",
            json!([{"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]}]),
            "hosted tools",
        ),
        ("tools", json!(many), "so many tools"),
        ("tool_choice", json!({"type": "file_search"}), "tool_choice"),
        (
            "input",
            json!([{"type": "item_reference", "id": "x"}]),
            "item_reference",
        ),
        (
            "input",
            json!([{"type": "compaction", "encrypted_content": "x"}]),
            "compaction",
        ),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]),
            "file_id",
        ),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]),
            "file_id",
        ),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "input_video"}]}]),
            "this kind of content",
        ),
        ("input", json!(1), "a text or a list as input"),
    ] {
        let mut body = json!({"model": "m", "input": "x"});
        body[field] = value;
        assert_eq!(read_request(body).unwrap_err(), Unsaid(feature));
    }
}

#[test]
fn what_is_cached_is_marked() {
    let part = |ttl: &str| json!({"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": ttl}});
    let conversation = read(
        json!({"model": "m", "input": [{"role": "user", "content": [part("30m"), part("12h")]}]}),
    );
    let marks: Vec<_> = conversation.turns[0]
        .parts
        .iter()
        .map(|part| part.cache.clone().unwrap())
        .collect();
    assert_eq!(
        marks,
        [
            json!({"type": "ephemeral"}),
            json!({"type": "ephemeral", "ttl": "1h"})
        ]
    );
    assert!(conversation.dropped.into_names().is_empty());
}
