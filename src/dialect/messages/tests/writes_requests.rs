//! What is sent to a model that Anthropic's API serves.

use serde_json::{Value, json};

use super::{conversation, written, written_for};
use crate::catalogue::Dialect;
use crate::dialect::conversation::{
    Api, Call, Content, Input, Media, Part, Role, Signature, Thought, Turn, Unsaid,
};
use crate::dialect::upstream_api::UpstreamApi;

const OLDER: &str = "claude-sonnet-4-5";
const NEWER: &str = "claude-opus-5";

/// A request that says hi, with further fields.
pub(super) fn asking(more: Value) -> Value {
    let mut body =
        json!({"model": "m", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}]});
    if let Value::Object(more) = more {
        body.as_object_mut().unwrap().extend(more);
    }
    body
}

/// What is sent, and what was left out.
pub(super) fn sent(body: &Value, model: &str) -> (Value, Vec<String>) {
    let (body, written) = written(conversation(body), model).unwrap();
    (body, written.dropped.into_names())
}

/// A user's message.
pub(super) fn user(blocks: Value) -> Value {
    json!({"role": "user", "content": blocks})
}

/// A block of text.
pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[test]
fn a_plain_question_is_sent_with_a_limit() {
    let (body, dropped) = sent(&asking(json!({"max_tokens": null, "stream": true})), NEWER);
    let expected = json!({"model": NEWER, "max_tokens": 32_000, "messages": [user(json!([text("hi")]))], "stream": true});
    assert_eq!((body, dropped), (expected, Vec::new()));
    let upstream = UpstreamApi {
        max_output: Some(8192),
        ..UpstreamApi::new(Dialect::Anthropic)
    };
    let (body, _) = written_for(
        conversation(&asking(json!({}))),
        "claude-3-5-haiku-latest",
        upstream,
    )
    .unwrap();
    assert_eq!(body["max_tokens"], 8192);
    // Nothing was said before, so nothing can be cached.
    assert_eq!(body["cache_control"], Value::Null);
}

#[test]
fn what_every_model_takes_is_sent_as_it_was_said() {
    let body = json!({"model": OLDER, "max_tokens": 50, "system": [text("Be brief."), text("Be kind.")],
        "messages": [
            user(json!([text("Paris?"), {"type": "image", "source": {"type": "url", "url": "https://u"}}])),
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                text("See:"),
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"b": 1, "a": 9007199254740993_u64}}]},
            user(json!([
                {"type": "tool_result", "tool_use_id": "c1", "is_error": true, "content": [text("no")]},
                {"type": "document", "title": "T", "context": "C", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}])),
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}], "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "stop_sequences": ["END"], "temperature": 0.5, "top_k": 3, "metadata": {"user_id": "u"}, "service_tier": "standard_only",
    });
    assert_eq!(sent(&body, OLDER), (body, Vec::new()));
}

#[test]
fn ids_and_arguments_are_written_so_that_they_are_accepted() {
    let mut asked = conversation(&asking(json!({"tools": [{"name": "get_weather"}]})));
    let call = |id: &str, name: &str, input| {
        Content::Call(Call {
            id: id.to_owned(),
            name: name.to_owned(),
            namespace: None,
            input,
        })
    };
    let calls = [
        call(
            "functions.f:0",
            "get_weather",
            Input::Json("not json".to_owned()),
        ),
        call(
            "functions.f:0",
            "get weather!",
            Input::Json(" {\"n\":1.50} ".to_owned()),
        ),
        call("", "patch", Input::Text("*** Begin".to_owned())),
    ];
    asked.turns.push(Turn {
        role: Role::Assistant,
        parts: calls.into_iter().map(Part::new).collect(),
    });
    let (body, written) = written(asked, NEWER).unwrap();
    let blocks = body["messages"][1]["content"].as_array().unwrap();
    let ids: Vec<_> = blocks
        .iter()
        .map(|block| block["id"].as_str().unwrap())
        .collect();
    assert!(
        ids.iter().all(|id| id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))),
        "{ids:?}"
    );
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    assert_eq!(blocks[0]["input"], json!({"arguments": "not json"}));
    assert!(
        String::from_utf8(written.body)
            .unwrap()
            .contains("{\"n\":1.50}")
    );
    assert_eq!(blocks[2]["input"], json!({"input": "*** Begin"}));
    let name = blocks[1]["name"].as_str().unwrap();
    assert!(!name.contains([' ', '!']));
    assert_eq!(written.reading.names.own(name).name, "get weather!");
    // Every call has a result.
    let results = body["messages"][2]["content"].as_array().unwrap();
    let answered: Vec<_> = results
        .iter()
        .map(|block| block["tool_use_id"].as_str().unwrap())
        .collect();
    assert_eq!(answered, ids);
    assert!(results.iter().all(|block| block["is_error"] == true));
}

#[test]
fn empty_texts_are_not_sent() {
    let body = asking(json!({"system": [text(" ")], "messages": [
        {"role": "assistant", "content": "Hello"},
        user(json!([text(" \n")])),
        {"role": "assistant", "content": [text(" ")]},
        user(json!([text("\t")])),
    ]}));
    let (body, _) = sent(&body, NEWER);
    assert_eq!(body["system"], Value::Null);
    let nothing = user(json!([text("(empty)")]));
    let hello = json!({"role": "assistant", "content": [text("Hello")]});
    assert_eq!(body["messages"], json!([nothing, hello, nothing]));
    let (body, _) = sent(&asking(json!({"messages": []})), NEWER);
    assert_eq!(body["messages"], json!([nothing]));
}

#[test]
fn later_instructions_stand_where_they_are_accepted() {
    let system = |words: &str| json!({"role": "system", "content": words});
    let answer = json!({"role": "assistant", "content": [text("Hello.")]});
    let body = asking(json!({"system": "Be brief.", "messages": [
        user(json!([text("hi")])), system("a"), system("b"), answer, system("c"),
        user(json!([text("what?")])), system("d"), user(json!([text("now!")])), system("e"),
    ]}));
    let amid = |words: &[&str]| json!({"role": "system", "content": words.iter().map(|words| text(words)).collect::<Value>()});
    let texts = |words: &[&str]| user(words.iter().map(|words| text(words)).collect());
    for model in [
        NEWER,
        "claude-opus-4-8",
        "claude-sonnet-5-5",
        "claude-fable-5",
    ] {
        let (body, dropped) = sent(&body, model);
        assert_eq!(body["system"], json!([text("Be brief.")]));
        let expected = json!([
            texts(&["hi"]),
            amid(&["a", "b"]),
            answer,
            texts(&["c", "what?", "d", "now!"]),
            amid(&["e"])
        ]);
        assert_eq!(body["messages"], expected, "{model}");
        assert!(dropped.is_empty());
    }
    for model in [
        OLDER,
        "claude-opus-4-7",
        "claude-sonnet-5",
        "claude-3-5-haiku-latest",
        "glm-5",
    ] {
        let (body, _) = sent(&body, model);
        let expected = json!([
            texts(&["hi", "a", "b"]),
            answer,
            texts(&["c", "what?", "d", "now!", "e"])
        ]);
        assert_eq!(body["messages"], expected, "{model}");
    }
}

#[test]
fn a_beginning_is_gone_on_with_by_models_that_can() {
    let body = asking(
        json!({"messages": [user(json!([text("x")])), {"role": "assistant", "content": "The answer is "}]}),
    );
    let (older, _) = sent(&body, OLDER);
    assert_eq!(
        older["messages"][1]["content"],
        json!([text("The answer is")])
    );
    let (newer, _) = sent(&body, NEWER);
    assert_eq!(
        newer["messages"][1]["content"],
        json!([text("The answer is ")])
    );
    let prompt = newer["messages"][2]["content"][0]["text"].as_str().unwrap();
    assert!(prompt.ends_with("The answer is"), "{prompt}");
}

#[test]
fn thoughts_go_back_to_their_provider_only() {
    let mut asked = conversation(&asking(json!({})));
    let thought = |signature: Option<Api>| {
        Part::new(Content::Thought(Thought {
            text: "Hm.".to_owned(),
            signature: signature.map(|of| Signature {
                of,
                data: "s".to_owned(),
                is_redacted: false,
                id: None,
            }),
        }))
    };
    let parts = vec![
        thought(None),
        thought(Some(Api::Responses)),
        thought(Some(Api::Messages)),
        Part::text("b"),
    ];
    asked.turns.push(Turn {
        role: Role::Assistant,
        parts,
    });
    asked.turns.push(Turn {
        role: Role::User,
        parts: vec![Part::text("c")],
    });
    let (body, written) = written(asked, OLDER).unwrap();
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"type": "thinking", "thinking": "Hm.", "signature": "s"}, text("b")])
    );
    assert_eq!(written.dropped.into_names(), ["messages.reasoning_content"]);
}

/// An answer that broke off leaves them in Codex's history.
#[test]
fn thoughts_that_nothing_follows_are_left_out() {
    let thought = Part::new(Content::Thought(Thought {
        text: "Hm.".to_owned(),
        signature: Some(Signature {
            of: Api::Messages,
            data: "s".to_owned(),
            is_redacted: false,
            id: None,
        }),
    }));
    let turn = |role, parts| Turn { role, parts };
    let mut asked = conversation(&asking(json!({})));
    asked.turns.extend([
        turn(Role::Assistant, vec![thought.clone()]),
        turn(Role::User, vec![Part::text("b")]),
        turn(Role::Assistant, vec![Part::text("c"), thought.clone()]),
        turn(Role::Assistant, vec![thought]),
        turn(Role::User, vec![Part::text("d")]),
    ]);
    let (body, written) = written(asked, OLDER).unwrap();
    let said = json!({"role": "assistant", "content": [text("c")]});
    let questions = user(json!([text("hi"), text("b")]));
    assert_eq!(
        body["messages"],
        json!([questions, said, user(json!([text("d")]))])
    );
    assert_eq!(written.dropped.into_names(), ["messages.reasoning_content"]);
}

#[test]
fn what_cannot_be_said_here_is_named() {
    let audio = Content::Audio {
        data: "aGk=".to_owned(),
        format: "wav".to_owned(),
    };
    let zip = Media::Inline {
        kind: "application/zip".to_owned(),
        data: "aGk=".to_owned(),
    };
    let file = Content::Document {
        media: zip.clone(),
        name: None,
        context: None,
    };
    let image = Content::Image {
        media: zip,
        detail: None,
    };
    for (content, feature) in [
        (audio, "audio"),
        (file, "files of this kind"),
        (image, "images of this kind"),
    ] {
        let mut asked = conversation(&asking(json!({})));
        asked.turns[0].parts.push(Part::new(content));
        assert_eq!(written(asked, NEWER).err(), Some(Unsaid(feature)));
    }
}

#[test]
fn hints_are_sent_where_there_is_a_word_for_them() {
    let mut asked = conversation(&asking(
        json!({"stop_sequences": ["END", " "], "metadata": {"user_id": "me@example.com"}}),
    ));
    asked.service_tier = Some("flex".to_owned());
    asked.verbosity = Some("low".to_owned());
    asked.sampling.seed = Some(7.into());
    asked.caching.key = Some("k".to_owned());
    let (body, written) = written(asked.clone(), OLDER).unwrap();
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert!(body["metadata"].is_null() && body["service_tier"].is_null());
    let names = written.dropped.into_names();
    assert_eq!(
        names,
        [
            "stop",
            "user",
            "service_tier",
            "verbosity",
            "seed",
            "prompt_cache_key"
        ]
    );
    asked.safety_identifier = Some("u1".to_owned());
    asked.service_tier = Some("auto".to_owned());
    let (body, _) = super::written(asked, OLDER).unwrap();
    assert_eq!(
        (&body["metadata"], &body["service_tier"]),
        (&json!({"user_id": "u1"}), &json!("auto"))
    );
}
