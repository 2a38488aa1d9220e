//! What is sent of tools, the choice among them, and the form of the answer.

use serde_json::{Value, json};

use super::writes_requests::{asking, sent, text, user};
use super::{conversation, written};
use crate::dialect::conversation::{
    Choice, Conversation, Format, Search, Tool, ToolKind, ToolName, Unsaid,
};

const OLDER: &str = "claude-sonnet-4-5";
const NEWER: &str = "claude-opus-5";

fn tool(name: &str) -> Value {
    json!({"name": name, "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}})
}

fn among(names: &[&str], must: bool) -> Choice {
    Choice::Among {
        names: names.iter().map(|name| named(name)).collect(),
        must,
    }
}

fn named(name: &str) -> ToolName {
    ToolName {
        name: name.to_owned(),
        ..ToolName::default()
    }
}

#[test]
fn names_of_tools_are_unique() {
    let mut later = tool("f");
    later["description"] = "later".into();
    let asked = asking(json!({"tools": [tool("f"), tool("g"), later]}));
    let (body, _) = sent(&asked, OLDER);
    assert_eq!(body["tools"], json!([tool("g"), later]));
}

#[test]
fn the_choice_among_tools_is_said_in_anthropics_words() {
    let tools = json!({"tools": [tool("f"), tool("g")]});
    for (choice, parallel, expected, count) in [
        (Choice::Unsaid, None, Value::Null, 2),
        (Choice::Unsaid, Some(true), Value::Null, 2),
        (
            Choice::Unsaid,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            2,
        ),
        (Choice::Auto, None, json!({"type": "auto"}), 2),
        (
            Choice::Any,
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
            2,
        ),
        (Choice::Never, Some(false), json!({"type": "none"}), 2),
        (
            Choice::One(named("g")),
            None,
            json!({"type": "tool", "name": "g"}),
            2,
        ),
        (among(&["g"], false), None, json!({"type": "auto"}), 1),
        (
            among(&["g"], true),
            None,
            json!({"type": "tool", "name": "g"}),
            1,
        ),
        (among(&["f", "g"], true), None, json!({"type": "any"}), 2),
    ] {
        let mut asked = conversation(&asking(tools.clone()));
        asked.tools.choice = choice.clone();
        asked.tools.parallel = parallel;
        let (body, _) = written(asked, OLDER).unwrap();
        assert_eq!(body["tool_choice"], expected, "{choice:?}");
        assert_eq!(body["tools"].as_array().unwrap().len(), count);
    }
}

#[test]
fn a_model_that_cannot_be_forced_is_not() {
    let tools = json!({"tools": [tool("f"), tool("g")]});
    for (choice, model, is_fine) in [
        (Choice::Any, "claude-fable-5-1", false),
        (Choice::One(named("f")), "claude-mythos-5-2", false),
        (among(&["f"], true), "claude-opus-5-5", false),
        (Choice::Any, "claude-sonnet-5-5", false),
        (Choice::Auto, "claude-fable-5-1", true),
        (among(&["f"], false), "claude-opus-5-5", true),
        (Choice::Any, "claude-fable-5", true),
        (Choice::Any, NEWER, true),
    ] {
        let mut asked = conversation(&asking(tools.clone()));
        asked.tools.choice = choice.clone();
        let refused = written(asked, model).err();
        assert_eq!(
            refused,
            (!is_fine).then_some(Unsaid("tool_choice")),
            "{choice:?} {model}"
        );
    }
}

#[test]
fn tools_have_names_and_schemas_that_are_accepted() {
    let mut asked = conversation(&asking(json!({"tools": [
        {"name": "get weather!", "strict": true}, {"name": "web_search", "input_schema": {"type": "object"}}]})));
    asked.tools.list.push(Tool {
        name: "patch".to_owned(),
        namespace: None,
        description: Some("Patches.".to_owned()),
        kind: ToolKind::Custom {
            format: json!({"type": "grammar", "syntax": "lark", "definition": "start: /x/"}),
        },
        cache: None,
    });
    asked.tools.search = Some(Search {
        allowed_domains: vec!["a.com".to_owned()],
        location: json!({"city": "Berlin"}),
        context_size: Some("low".to_owned()),
    });
    let (body, written) = written(asked, NEWER).unwrap();
    let tools = body["tools"].as_array().unwrap();
    for (tool, own) in tools.iter().zip(["get weather!", "web_search", "patch"]) {
        let name = tool["name"].as_str().unwrap();
        assert!(name != "web_search" && !name.contains([' ', '!']), "{name}");
        assert_eq!(written.reading.names.own(name).name, own);
        assert_eq!(tool["input_schema"]["type"], "object");
    }
    assert!(
        tools[2]["description"]
            .as_str()
            .unwrap()
            .contains("start: /x/")
    );
    assert_eq!(tools[2]["input_schema"]["required"], json!(["input"]));
    assert!(written.reading.names.own("patch").is_custom);
    assert_eq!(
        tools[3],
        json!({"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.com"],
            "user_location": {"type": "approximate", "city": "Berlin"}})
    );
    assert_eq!(
        written.dropped.into_names(),
        ["strict", "web_search_options.search_context_size"]
    );
}

#[test]
fn past_calls_need_a_declaration() {
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]});
    let result = user(json!([{"type": "tool_result", "tool_use_id": "a", "content": [text("y")]}]));
    let (body, _) = sent(
        &asking(json!({"messages": [user(json!([text("x")])), call, result]})),
        OLDER,
    );
    assert_eq!(
        body["tools"],
        json!([{"name": "unused", "input_schema": {"type": "object", "properties": {}}}])
    );
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn a_schema_says_its_name_and_what_it_is_for() {
    let mut asked = conversation(&asking(json!({})));
    asked.format = Format::Schema {
        name: Some("x".to_owned()),
        description: Some("for y".to_owned()),
        schema: json!({"type": "object", "title": "X", "properties": {}, "additionalProperties": false}),
        strict: None,
    };
    let (body, written) = written(asked, NEWER).unwrap();
    let schema = &body["output_config"]["format"]["schema"];
    assert_eq!(schema["title"], "X");
    assert_eq!(schema["description"], "for y");
    let lost = written.dropped.into_names();
    assert_eq!(lost, ["response_format.json_schema.name"]);
}

#[test]
fn a_schema_is_kept_to_by_the_model_or_by_a_tool() {
    let shaped = |tools: Value, choice: Choice| {
        let mut asked = conversation(&asking(
            json!({"tools": tools, "thinking": {"type": "adaptive"}}),
        ));
        asked.tools.choice = choice;
        asked.format = Format::Schema {
            name: Some("x".to_owned()),
            description: None,
            schema: json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}),
            strict: None,
        };
        asked
    };
    let (body, newer) = written(shaped(json!([]), Choice::Unsaid), NEWER).unwrap();
    assert_eq!(body["output_config"]["format"]["type"], "json_schema");
    assert_eq!(body["thinking"]["type"], "adaptive");
    assert!(!newer.reading.has_answer_tool && body["tools"].is_null());
    // The schema says what has no field of its own.
    assert_eq!(body["output_config"]["format"]["schema"]["title"], "x");
    assert!(newer.dropped.into_names().is_empty());
    for (tools, asked, choice) in [
        (
            json!([]),
            Choice::Unsaid,
            json!({"type": "tool", "name": "json_tool_call"}),
        ),
        (json!([tool("f")]), Choice::Unsaid, json!({"type": "any"})),
        (
            json!([tool("f")]),
            Choice::Never,
            json!({"type": "tool", "name": "json_tool_call"}),
        ),
    ] {
        let (body, older) = written(shaped(tools, asked), "claude-sonnet-4-0").unwrap();
        let tools = body["tools"].as_array().unwrap();
        assert_eq!(tools.last().unwrap()["name"], "json_tool_call");
        assert_eq!(body["tool_choice"], choice);
        assert!(
            older.reading.has_answer_tool
                && body["thinking"].is_null()
                && body["output_config"].is_null()
        );
        assert_eq!(older.dropped.into_names(), ["reasoning_effort"]);
    }
    let mut json = conversation(&asking(json!({})));
    json.format = Format::Json;
    let (body, _) = written(json, NEWER).unwrap();
    assert_eq!(
        body["system"],
        json!([text("Answer with one JSON object and nothing else.")])
    );
}

/// Asks for an answer by a schema, with these tools.
fn by_schema(tools: Value) -> Conversation {
    let mut asked = conversation(&asking(json!({"tools": tools})));
    asked.format = Format::Schema {
        name: None,
        description: None,
        schema: json!({"type": "object", "properties": {}}),
        strict: None,
    };
    asked
}

#[test]
fn a_call_that_must_be_made_comes_before_the_answer() {
    for (choice, expected) in [
        (Choice::Any, json!({"type": "any"})),
        (among(&["f"], true), json!({"type": "tool", "name": "f"})),
        (
            Choice::One(named("f")),
            json!({"type": "tool", "name": "f"}),
        ),
    ] {
        let mut asked = by_schema(json!([tool("f")]));
        asked.tools.choice = choice;
        let (body, older) = written(asked, "claude-sonnet-4-0").unwrap();
        assert_eq!(body["tools"].as_array().unwrap().len(), 1);
        assert_eq!(body["tool_choice"], expected);
        assert!(older.reading.has_answer_tool);
    }
}

#[test]
fn tools_of_ours_have_their_names_for_themselves() {
    let mut asked = by_schema(json!([tool("json_tool_call"), tool("web_search")]));
    asked.tools.search = Some(Search::default());
    let (body, written) = written(asked, "claude-sonnet-4-0").unwrap();
    let tools = body["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[2..], ["web_search", "json_tool_call"]);
    let own: Vec<String> = names[..2]
        .iter()
        .map(|sent| written.reading.names.own(sent).name)
        .collect();
    assert_eq!(own, ["json_tool_call", "web_search"]);
    assert!(!names[..2].contains(&own[0].as_str()) && !names[..2].contains(&own[1].as_str()));
}
