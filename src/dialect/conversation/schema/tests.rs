//! What becomes of the schemas that clients send.

use serde_json::{Map, Value, json};

use super::{Taker, of_answer, of_tool};

const TAKERS: [Taker; 2] = [Taker::OpenAi, Taker::Anthropic];

#[track_caller]
fn tool(taker: Taker, schema: &Value) -> (Value, Option<String>) {
    let mut description = Some("d".to_owned());
    let sent = of_tool(schema.clone(), taker, &mut description);
    let mut again = None;
    assert_eq!(
        of_tool(sent.clone(), taker, &mut again),
        sent,
        "once is enough"
    );
    assert_eq!(again, None);
    (sent, description)
}

#[test]
fn what_suits_everybody_is_not_touched() {
    let schema = json!({
        "type": "object", "title": "t", "additionalProperties": false, "x-odd": null,
        "properties": {
            "type": {"type": "string", "enum": ["a", null], "default": null},
            "items": {"type": ["array", "null"], "items": {"oneOf": [{"$ref": "#/$defs/p"}, {"type": "object"}]}},
            "$id": {"description": "free"},
            "any": true,
        },
        "$defs": {"p": {"type": "number", "minimum": 1, "examples": ["$schema"]}},
        "required": ["type"],
        "if": {"required": ["any"]}, "then": {"minProperties": 2},
    });
    assert_eq!(
        tool(Taker::OpenAi, &schema),
        (schema.clone(), Some("d".to_owned()))
    );
    let (sent, description) = tool(Taker::Anthropic, &schema);
    assert!(sent["properties"].get("$id").is_none() && sent.get("additionalProperties").is_none());
    assert!(
        description
            .unwrap()
            .contains(r#""$id": {"description":"free"}"#)
    );
}

#[test]
fn a_root_describes_an_object() {
    let empty = json!({"type": "object", "properties": {}});
    for taker in TAKERS {
        for (schema, expected) in [
            (json!(null), empty.clone()),
            (json!({}), empty.clone()),
            (json!(true), empty.clone()),
            (json!({"type": null}), empty.clone()),
            (json!({"type": "None", "properties": null}), empty.clone()),
            (json!({"type": "object"}), empty.clone()),
            (
                json!({"type": ["object", "null"], "$schema": "http://json-schema.org/draft-04/schema#"}),
                empty.clone(),
            ),
            (json!({"$ref": "#"}), empty.clone()),
            (json!({"$ref": "#/$defs/none"}), empty.clone()),
            (
                json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}}}}),
                json!({"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}},
                    "$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}}}}),
            ),
        ] {
            assert_eq!(
                tool(taker, &schema),
                (expected, Some("d".to_owned())),
                "{schema}"
            );
        }
    }
}

#[test]
fn alternatives_are_merged_and_told() {
    let file = json!({"type": "object", "properties": {"kind": {"const": "file"}, "path": {"type": "string"}, "mode": {}}, "required": ["kind", "path"], "additionalProperties": false});
    let page = json!({"properties": {"kind": {"const": "page"}, "url": {"type": "string"}}, "required": ["kind", "url"]});
    let merged = json!({
        "$defs": {"page": page}, "type": "object",
        "properties": {
            "kind": {"anyOf": [{"const": "file"}, {"const": "page"}]},
            "path": {"type": "string"}, "mode": {}, "url": {"type": "string"},
        },
        "required": ["kind"],
    });
    for taker in TAKERS {
        let schema = json!({"oneOf": [file, {"$ref": "#/$defs/page"}, {"type": "null"}], "$defs": {"page": page}});
        let (sent, description) = tool(taker, &schema);
        assert_eq!(sent, merged);
        assert_eq!(
            description.unwrap(),
            "d\n\nExactly one of these sets of arguments is expected (? marks what may be left out): \
             {kind: \"file\", path, mode?} or {kind: \"page\", url}"
        );

        let schema = json!({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "required": ["c"], "anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
        let (sent, description) = tool(taker, &schema);
        assert_eq!(
            sent,
            json!({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "required": ["c"]})
        );
        assert!(
            description
                .unwrap()
                .ends_with("At least one of these sets of arguments is expected: {a} or {b}")
        );

        let schema = json!({"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"a": {"minLength": 1}, "b": {}}, "required": ["b"]}]});
        let (sent, description) = tool(taker, &schema);
        let both = json!({"properties": {"a": {"allOf": [{"type": "string"}, {"minLength": 1}]}, "b": {}}, "required": ["a", "b"], "type": "object"});
        assert_eq!((sent, description.unwrap().as_str()), (both, "d"));
    }
}

#[test]
fn what_has_no_meaning_is_left_out_anywhere() {
    let property = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
    for taker in TAKERS {
        for (given, expected) in [
            (
                json!({"type": "array"}),
                json!({"type": "array", "items": {}}),
            ),
            (
                json!({"type": ["array", "null"]}),
                json!({"type": ["array", "null"], "items": {}}),
            ),
            (
                json!({"type": ["string", null, "None"]}),
                json!({"type": ["string", "null"]}),
            ),
            (
                json!({"type": "array", "items": [{"type": "int"}]}),
                json!({"type": "array", "items": {"type": "integer"}}),
            ),
            (
                json!({"items": [{}, {"type": "STRING"}]}),
                json!({"items": {"anyOf": [{}, {"type": "string"}]}}),
            ),
            (
                json!({"minimum": 1, "exclusiveMinimum": true}),
                json!({"exclusiveMinimum": 1}),
            ),
            (
                json!({"maximum": 1, "exclusiveMaximum": false}),
                json!({"maximum": 1}),
            ),
            (
                json!({"type": "any", "required": true, "enum": [], "description": null}),
                json!({}),
            ),
            (
                json!({"anyOf": [{"type": "array"}, "string", null]}),
                json!({"anyOf": [{"type": "array", "items": {}}, {"type": "string"}, {}]}),
            ),
            (
                json!({"$ref": "https://example.com/s", "title": "t"}),
                json!({"title": "t"}),
            ),
            (json!(null), json!({})),
        ] {
            assert_eq!(tool(taker, &property(given)).0, property(expected));
        }
    }
    let (sent, description) = tool(
        Taker::OpenAi,
        &json!({"type": "object", "not": {"required": ["a"]}}),
    );
    assert_eq!(sent, json!({"type": "object", "properties": {}}));
    assert_eq!(description.unwrap(), "d\n\n{not: {\"required\":[\"a\"]}}");
}

#[test]
fn arguments_keep_their_order() {
    let text = r##"{"allOf":[{"$ref":"#/definitions/z"}],"definitions":{"z":{"properties":{"z":{},"a":{},"m":{}}}}}"##;
    let (sent, _) = tool(Taker::OpenAi, &serde_json::from_str(text).unwrap());
    let names: Vec<_> = sent["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(names, ["z", "a", "m"]);
}

#[test]
fn a_schema_that_branches_without_end_is_folded_in_time() {
    let twice = json!([{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]);
    let schema = json!({"anyOf": twice, "$defs": {"a": {"properties": {"b": {}}, "allOf": twice, "oneOf": twice}}});
    let (sent, _) = tool(Taker::Anthropic, &schema);
    assert_eq!(sent["properties"], json!({"b": {}}));
}

#[test]
fn references_copy_no_more_than_the_schema_has_and_a_little() {
    let large =
        || json!({"description": "x".repeat(100_000), "properties": {"a": {}}, "required": ["a"]});
    let required = |parts: usize, references: usize| {
        let parts: Map<String, Value> =
            (0..parts).map(|part| (part.to_string(), large())).collect();
        let names = parts.keys().cycle().take(references);
        let branches = names.map(|name| json!({"$ref": format!("#/$defs/{name}")}));
        let (sent, _) = tool(
            Taker::Anthropic,
            &json!({"anyOf": Value::from_iter(branches), "$defs": parts}),
        );
        sent["required"].clone()
    };
    // Each part once, and a few of them more often.
    for (parts, references) in [(1, 4), (40, 40), (40, 44)] {
        assert_eq!(
            required(parts, references),
            json!(["a"]),
            "{parts} {references}"
        );
    }
    // Of a branch that is not copied, nothing is known, so not all branches require it.
    assert_eq!(required(1, 100), json!(null));
}

#[test]
fn answers_are_enforced_where_they_can_be() {
    let open = json!({"properties": {"a": {"type": "string", "minLength": 2}}});
    let closed = json!({"properties": {"a": {"type": "string", "description": "{minLength: 2}"}}, "type": "object", "additionalProperties": false});
    assert_eq!(of_answer(open.clone(), Taker::Anthropic), Some(closed));
    let typed = json!({"properties": {"a": {"type": "string", "minLength": 2}}, "type": "object"});
    assert_eq!(of_answer(open.clone(), Taker::OpenAi), Some(typed.clone()));
    assert_eq!(
        of_answer(json!({"anyOf": [open, {"type": "null"}]}), Taker::OpenAi),
        Some(typed)
    );
    for schema in [
        json!({"type": "array", "items": {}}),
        json!({"anyOf": [{"type": "string"}]}),
        json!(null),
    ] {
        assert_eq!(of_answer(schema, Taker::OpenAi), None);
    }
    assert_eq!(of_answer(json!({"type": "object"}), Taker::Anthropic), None);
}
