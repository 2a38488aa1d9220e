//! What is read of a client's request.

use serde_json::{Number, Value, json};

use super::super::read_request;
use crate::dialect::conversation::{
    Api, Call, CallResult, Choice, Content, Conversation, Effort, Format, Input, Media, Part, Role,
    Sampling, Search, Signature, Thinking, Thought, Tool, ToolKind, ToolName, Turn, Unsaid,
    thoughts,
};

fn read(body: &Value) -> Conversation {
    read_request(body.clone()).unwrap_or_else(|unsaid| panic!("{unsaid:?}"))
}

fn dropped(conversation: Conversation) -> Vec<String> {
    conversation.dropped.into_names()
}

/// The parts of a user's message with these blocks, and what was left out.
fn user(blocks: Value) -> Result<(Vec<Part>, Vec<String>), Unsaid> {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": blocks}]});
    let mut conversation = read_request(body)?;
    let parts = conversation.turns.pop().map(|turn| turn.parts);
    Ok((parts.unwrap_or_default(), dropped(conversation)))
}

fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, parts }
}

fn inline(kind: &str, data: &str) -> Media {
    Media::Inline {
        kind: kind.to_owned(),
        data: data.to_owned(),
    }
}

fn signed(text: &str, signature: Option<Signature>) -> Part {
    Part::new(Content::Thought(Thought {
        text: text.to_owned(),
        signature,
    }))
}

fn signature(of: Api, data: &str, is_redacted: bool) -> Signature {
    Signature {
        of,
        data: data.to_owned(),
        is_redacted,
        id: None,
    }
}

fn mark() -> Value {
    json!({"type": "ephemeral"})
}

#[test]
fn turns_are_read_with_their_marks() {
    let body = json!({
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2"},
            {"type": "text", "text": "Be brief.", "cache_control": mark()},
            {"type": "text", "text": ""}, {"type": "text", "text": "Be kind."}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": 9007199254740993_u64}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "cache_control": mark(), "content": [
                    {"type": "text", "text": "broken"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]},
                {"type": "text", "text": "and?"}]},
            {"role": "system", "content": "Be quick."},
        ],
    });
    let marked = |content| Part {
        content,
        cache: Some(mark()),
    };
    let image = Content::Image {
        media: inline("image/png", "aGk="),
        detail: None,
    };
    let result = Content::Result(CallResult {
        id: "t1".to_owned(),
        parts: vec![Part::text("broken"), Part::new(image)],
        is_error: true,
    });
    let call = Content::Call(Call {
        id: "t1".to_owned(),
        name: "f".to_owned(),
        namespace: None,
        input: Input::Json("{\"b\":1,\"a\":9007199254740993}".to_owned()),
    });
    let brief = marked(Content::Text("Be brief.".to_owned()));
    let expected = [
        turn(Role::System, vec![brief, Part::text("Be kind.")]),
        turn(Role::User, vec![Part::text("hi")]),
        turn(
            Role::Assistant,
            vec![Part::text("Let me see."), Part::new(call)],
        ),
        turn(Role::User, vec![marked(result), Part::text("and?")]),
        turn(Role::System, vec![Part::text("Be quick.")]),
    ];
    assert_eq!(read(&body).turns, expected);
}

#[test]
fn fields_are_read_as_they_are_meant() {
    let schema = json!({"type": "object"});
    let tool = json!({"name": "f", "description": "d", "input_schema": schema, "strict": true, "cache_control": mark()});
    let seen = read(&json!({
        "model": "claude-opus-5", "max_tokens": 9, "stream": true, "top_k": 3, "temperature": 0.5, "messages": [],
        "stop_sequences": ["a"], "service_tier": "standard_only", "metadata": {"user_id": "u"},
        "cache_control": mark(), "context_management": {"edits": []}, "speed": null, "container": null, "mcp_servers": [],
        "output_config": {"format": {"type": "json_schema", "schema": schema}, "task_budget": 5},
        "tools": [tool], "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
    }));
    assert_eq!(
        (seen.origin, seen.model.as_str()),
        (Api::Messages, "claude-opus-5")
    );
    let expected = Tool {
        name: "f".to_owned(),
        namespace: None,
        description: Some("d".to_owned()),
        kind: ToolKind::Function {
            schema: schema.clone(),
            strict: Some(true),
        },
        cache: Some(mark()),
    };
    assert_eq!(seen.tools.list, [expected]);
    assert_eq!(
        (&seen.tools.choice, seen.tools.parallel),
        (&Choice::Any, Some(false))
    );
    assert_eq!(
        (seen.max_output, seen.caching.automatic.clone()),
        (Some(9), Some(mark()))
    );
    assert_eq!(seen.stop, ["a"]);
    let sampling = Sampling {
        temperature: Number::from_f64(0.5),
        top_k: Some(3.into()),
        ..Sampling::default()
    };
    assert_eq!(seen.sampling, sampling);
    assert_eq!(
        (seen.user.as_deref(), seen.service_tier.as_deref()),
        (Some("u"), Some("default"))
    );
    assert!(seen.streaming.is_some_and(|stream| stream.with_usage));
    let strict = Some(true);
    assert_eq!(
        seen.format,
        Format::Schema {
            name: None,
            description: None,
            schema,
            strict
        }
    );
    assert_eq!(
        dropped(seen),
        ["output_config.task_budget", "context_management"]
    );
}

#[test]
fn thinking_is_read_as_it_is_meant() {
    for (thinking, config, is_on, effort, budget, is_shown) in [
        (json!(null), json!(null), None, None, None, false),
        (
            json!({"type": "adaptive"}),
            json!({"effort": "max"}),
            Some(true),
            Some(Effort::Max),
            None,
            true,
        ),
        (
            json!({"type": "adaptive", "display": "omitted"}),
            json!({}),
            Some(true),
            None,
            None,
            false,
        ),
        (
            json!({"type": "enabled", "budget_tokens": 5000}),
            json!({}),
            Some(true),
            None,
            Some(5000),
            true,
        ),
        (
            json!({"type": "disabled"}),
            json!({"effort": "low"}),
            Some(false),
            Some(Effort::Low),
            None,
            false,
        ),
        (
            json!({"type": "between_tools"}),
            json!({}),
            Some(false),
            None,
            None,
            false,
        ),
    ] {
        let seen = read(&json!({"messages": [], "thinking": thinking, "output_config": config}));
        let expected = Thinking {
            is_on,
            effort,
            budget,
            is_shown,
        };
        assert_eq!(seen.thinking, expected, "{thinking}");
    }
}

#[test]
fn thoughts_keep_what_proves_them() {
    let sealed = signature(Api::Responses, "enc", true);
    let seal = thoughts::seal(&sealed);
    let body = json!({"messages": [{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "thinking", "thinking": "b", "signature": ""},
        {"type": "thinking", "thinking": ""},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "redacted_thinking", "data": seal},
    ]}, {"role": "user", "content": "x"}]});
    assert_eq!(
        read(&body).turns[0].parts,
        [
            signed("a", Some(signature(Api::Messages, "s", false))),
            signed("b", None),
            signed("", Some(signature(Api::Messages, "d", true))),
            signed("", Some(sealed)),
        ]
    );
}

#[test]
fn documents_and_findings_are_read() {
    let document = |media, name: Option<&str>| {
        Part::new(Content::Document {
            media,
            name: name.map(str::to_owned),
            context: None,
        })
    };
    let image = json!({"type": "image", "source": {"type": "url", "url": "u"}});
    let image_part = Part::new(Content::Image {
        media: Media::Url("u".to_owned()),
        detail: None,
    });
    let source = |source: Value| json!([{"type": "document", "title": "T", "source": source}]);
    let name = Some("T");
    for (blocks, expected) in [
        (
            source(json!({"type": "base64", "media_type": "application/pdf", "data": "cGRm"})),
            vec![document(inline("application/pdf", "cGRm"), name)],
        ),
        (
            source(json!({"type": "url", "url": "u"})),
            vec![document(Media::Url("u".to_owned()), name)],
        ),
        (
            source(json!({"type": "text", "media_type": "text/plain", "data": "hi"})),
            vec![document(Media::Text("hi".to_owned()), name)],
        ),
        (
            source(json!({"type": "content", "content": "hi"})),
            vec![document(Media::Text("hi".to_owned()), name)],
        ),
        (
            source(
                json!({"type": "content", "content": [{"type": "text", "text": "a"}, image, {"type": "text", "text": "b"}]}),
            ),
            vec![document(Media::Text("a\nb".to_owned()), name), image_part],
        ),
        (
            json!([{"type": "search_result", "title": "T", "source": "s", "content": [{"type": "text", "text": "found"}]}]),
            vec![Part::text("T (s)\nfound")],
        ),
    ] {
        assert_eq!(
            user(blocks.clone()).unwrap(),
            (expected, Vec::new()),
            "{blocks}"
        );
    }
}

#[test]
fn what_is_only_a_hint_is_left_out_and_named() {
    let document = json!({"type": "document", "citations": {"enabled": true}, "source": {"type": "text", "data": "x"}});
    assert_eq!(user(json!([document])).unwrap().1, ["citations"]);
    let added = json!([{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}]);
    let (parts, names) = user(added).unwrap();
    assert_eq!(parts, [Part::text("The tool f is available.")]);
    assert_eq!(names, ["tool_addition"]);
    let reference = json!([{"type": "tool_reference", "tool_name": "get_weather"}]);
    let (parts, names) =
        user(json!([{"type": "tool_result", "tool_use_id": "t", "content": reference}])).unwrap();
    assert_eq!(names, ["tool_reference"]);
    let Content::Result(result) = &parts[0].content else {
        panic!("{parts:?}")
    };
    assert_eq!(
        result.parts,
        [Part::text("The tool get_weather is available.")]
    );
    let body = json!({"messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [
            {"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "x", "content": []},
            {"type": "text", "text": "Found."}]},
        {"role": "user", "content": "y"}],
        "tools": [
            {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
            {"name": "f", "input_schema": {}, "defer_loading": true, "eager_input_streaming": false}]});
    let seen = read(&body);
    assert_eq!(seen.turns[1].parts, [Part::text("Found.")]);
    assert_eq!(seen.tools.list.len(), 1);
    assert_eq!(
        dropped(seen),
        [
            "server_tool_use",
            "web_search_tool_result",
            "tool_search_tool_bm25_20251119",
            "defer_loading"
        ]
    );
}

#[test]
fn the_web_is_searched_by_whoever_can() {
    let place = json!({"type": "approximate", "city": "Berlin", "country": null});
    let tool = json!({"type": "web_search_20260318", "name": "web_search", "max_uses": 5,
        "allowed_domains": ["a.com"], "user_location": place});
    let seen = read(
        &json!({"messages": [], "tools": [tool], "tool_choice": {"type": "tool", "name": "f"}}),
    );
    let expected = Search {
        allowed_domains: vec!["a.com".to_owned()],
        location: json!({"city": "Berlin"}),
        context_size: None,
    };
    assert_eq!(seen.tools.search, Some(expected));
    let named = ToolName {
        name: "f".to_owned(),
        ..ToolName::default()
    };
    assert_eq!(seen.tools.choice, Choice::One(named));
    assert_eq!(dropped(seen), ["max_uses"]);
}

#[test]
fn what_only_anthropic_has_is_named() {
    let paused =
        json!([{"role": "assistant", "content": [{"type": "server_tool_use", "id": "x"}]}]);
    for (body, feature) in [
        (json!({"messages": "hi"}), "a list of messages"),
        (json!([]), "a list of messages"),
        (
            json!({"messages": [], "container": {"skills": []}}),
            "containers and MCP servers",
        ),
        (
            json!({"messages": [], "mcp_servers": [{}]}),
            "containers and MCP servers",
        ),
        (
            json!({"messages": [], "tools": [{"type": "bash_20250124", "name": "bash"}]}),
            "hosted tools",
        ),
        (json!({"messages": [], "max_tokens": 0}), "max_tokens of 0"),
        (json!({"messages": paused}), "content of this kind"),
    ] {
        assert_eq!(
            read_request(body.clone()).err(),
            Some(Unsaid(feature)),
            "{body}"
        );
    }
    for (block, feature) in [
        (
            json!({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "file_id",
        ),
        (
            json!({"type": "document", "source": {"type": "file", "file_id": "f"}}),
            "file_id",
        ),
        (
            json!({"type": "container_upload", "file_id": "f"}),
            "file_id",
        ),
        (
            json!({"type": "tool_result", "content": [{"type": "image", "source": {"type": "file"}}]}),
            "file_id",
        ),
        (json!({"type": "unheard_of"}), "content of this kind"),
    ] {
        assert_eq!(user(json!([block])).err(), Some(Unsaid(feature)), "{block}");
    }
}
