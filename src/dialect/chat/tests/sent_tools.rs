//! Tools, as an upstream without quirks is sent them.

use serde_json::{Value, json};

use super::sent::{call, plain, tool, with};
use super::{conversation, sent, turn, upstream, written};
use crate::catalogue::Quirks;
use crate::dialect::conversation::{
    Api, Choice, Format, Input, Part, Role, Tool, ToolKind, ToolName, Unsaid,
};

#[test]
fn custom_tools_are_functions_with_one_text() {
    let mut asked = with(vec![
        turn(Role::User, vec![Part::text("x")]),
        turn(
            Role::Assistant,
            vec![call("c", "patch", Input::Text("1 + \"1\"".to_owned()))],
        ),
    ]);
    let format = json!({ "type": "grammar", "syntax": "lark", "definition": "start: LF" });
    asked.tools.list = vec![Tool {
        kind: ToolKind::Custom { format },
        ..tool("patch", Value::Null)
    }];
    asked.tools.choice = Choice::One(ToolName {
        name: "patch".to_owned(),
        namespace: None,
        is_custom: true,
    });
    let (body, _) = sent(asked, "m", Quirks::UNKNOWN);
    let function = &body["tools"][0]["function"];
    assert_eq!(
        function["description"],
        "d\n\nThe input is a text that matches this lark grammar:\nstart: LF"
    );
    assert_eq!(
        function["parameters"]["properties"]["input"]["type"],
        "string"
    );
    assert_eq!(
        body["tool_choice"],
        json!({ "type": "function", "function": { "name": "patch" } })
    );
    let arguments = json!({ "input": "1 + \"1\"" }).to_string();
    assert_eq!(
        body["messages"][1]["tool_calls"][0]["function"]["arguments"],
        arguments
    );
    assert_eq!(body["messages"][2]["role"], "tool");
}

#[test]
fn only_the_tools_that_may_be_called_are_sent() {
    for (must, choice) in [(true, "required"), (false, "auto")] {
        let mut asked = plain();
        asked.tools.list = vec![tool("a", json!({})), tool("b", json!({}))];
        let name = ToolName {
            name: "b".to_owned(),
            ..ToolName::default()
        };
        asked.tools.choice = Choice::Among {
            names: vec![name],
            must,
        };
        let (body, _) = sent(asked, "m", Quirks::UNKNOWN);
        assert_eq!(body["tools"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&body["tools"][0]["function"]["name"], &body["tool_choice"]),
            (&json!("b"), &json!(choice))
        );
    }
    let mut none = plain();
    none.tools.choice = Choice::Never;
    none.tools.parallel = Some(false);
    let (body, _) = sent(none, "m", Quirks::UNKNOWN);
    assert_eq!(
        body,
        json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] })
    );
}

#[test]
fn long_names_of_tools_are_shortened_everywhere() {
    let long = format!("mcp__server__{}", "tool".repeat(20));
    let mut asked = with(vec![turn(
        Role::Assistant,
        vec![call("t", &long, Input::Json("{}".to_owned()))],
    )]);
    asked.tools.list = vec![tool(&long, json!({}))];
    asked.tools.choice = Choice::One(ToolName {
        name: long.clone(),
        ..ToolName::default()
    });
    let written = written(asked, "m", &upstream(Quirks::UNKNOWN)).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    let name = body["tools"][0]["function"]["name"].as_str().unwrap();
    assert!(name.len() <= 64);
    assert_eq!(body["tool_choice"]["function"]["name"], name);
    assert_eq!(
        body["messages"][0]["tool_calls"][0]["function"]["name"],
        name
    );
    assert_eq!(written.reading.names.own(name).name, long);
}

#[test]
fn only_what_can_be_kept_to_is_asked_for_strictly() {
    let closed = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"], "additionalProperties": false });
    let open = json!({ "type": "object", "properties": {} });
    for (schema, strict, is_strict, is_dropped) in [
        (&closed, Some(true), true, false),
        (&open, Some(true), false, true),
        (&closed, None, false, false),
        (&closed, Some(false), false, false),
    ] {
        let mut asked = conversation(
            Api::Responses,
            vec![turn(Role::User, vec![Part::text("x")])],
        );
        let kind = ToolKind::Function {
            schema: schema.clone(),
            strict,
        };
        asked.tools.list = vec![Tool {
            kind,
            ..tool("f", Value::Null)
        }];
        asked.format = Format::Schema {
            name: Some("n".to_owned()),
            description: None,
            schema: schema.clone(),
            strict,
        };
        let (body, dropped) = sent(asked, "m", Quirks::UNKNOWN);
        assert_eq!(
            body["tools"][0]["function"].get("strict").is_some(),
            is_strict
        );
        assert_eq!(
            body["response_format"]["json_schema"]
                .get("strict")
                .is_some(),
            is_strict
        );
        assert_eq!(dropped.contains(&"strict".to_owned()), is_dropped);
    }
    let mut asked = plain();
    asked.format = Format::Schema {
        name: None,
        description: None,
        schema: closed.clone(),
        strict: Some(true),
    };
    let format = sent(asked, "m", Quirks::UNKNOWN).0["response_format"].clone();
    assert_eq!(
        format,
        json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": closed, "strict": true } })
    );
}

#[test]
fn openai_gets_the_schema_of_an_object_and_others_any_that_they_can_enforce() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let by_name = json!({"$ref": "#/$defs/a", "$defs": {"a": closed}});
    let mut folded = closed.clone();
    folded["$defs"] = by_name["$defs"].clone();
    let list = json!({"type": "array", "items": closed});
    for (schema, to_openai) in [
        (&closed, Some(&closed)),
        (&by_name, Some(&folded)),
        (&list, None),
    ] {
        let mut asked = plain();
        asked.format = Format::Schema {
            name: None,
            description: None,
            schema: schema.clone(),
            strict: Some(true),
        };
        match to_openai {
            Some(to_openai) => {
                let (body, dropped) = sent(asked.clone(), "gpt-4o", Quirks::OPENAI);
                let format = &body["response_format"]["json_schema"];
                assert_eq!(
                    (&format["schema"], &format["strict"]),
                    (to_openai, &json!(true))
                );
                assert!(dropped.is_empty());
            }
            None => {
                let refused = written(asked.clone(), "gpt-4o", &upstream(Quirks::OPENAI));
                assert_eq!(refused.unwrap_err(), Unsaid("this JSON schema"));
            }
        }
        let (body, dropped) = sent(asked, "m", Quirks::UNKNOWN);
        assert_eq!(&body["response_format"]["json_schema"]["schema"], schema);
        assert!(dropped.is_empty());
    }
}
