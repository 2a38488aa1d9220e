//! What a request says about tools.

use serde_json::{Value, json};

use super::read;
use crate::dialect::conversation::*;

fn with_tools(tools: Value, choice: Value) -> Tools {
    read(json!({"model": "m", "input": "x", "tools": tools, "tool_choice": choice})).tools
}

#[test]
fn tools_of_all_kinds_are_known() {
    let group = |name: &str, members: Value| json!({"type": "namespace", "name": name, "description": "", "tools": members});
    let wait = json!({"type": "function", "name": "wait", "strict": false, "parameters": {"type": "object"}});
    let format = json!({"type": "grammar", "syntax": "lark", "definition": "start: LF"});
    let patch = json!({"type": "custom", "name": "patch", "description": "d", "format": format});
    let conversation = read(json!({
        "model": "m",
        "tools": [patch, group("agents", json!([wait])), {"name": "bare"}, {"type": "tool_search"}],
        "input": [
            {"type": "additional_tools", "role": "developer", "tools": [group("functions", json!([{"type": "custom", "name": "exec"}, wait]))]},
            {"type": "tool_search_output", "tools": [{"type": "function", "name": "bare", "description": "new"}]},
            {"role": "user", "content": "x"},
            {"type": "custom_tool_call", "call_id": "c1", "name": "exec", "namespace": "functions", "input": "1"},
        ],
    }));
    let names: Vec<(&str, Option<&str>)> = conversation
        .tools
        .list
        .iter()
        .map(|tool| (tool.name.as_str(), tool.namespace.as_deref()))
        .collect();
    let expected = [
        ("patch", None),
        ("wait", Some("agents")),
        ("bare", None),
        ("exec", Some("functions")),
        ("wait", Some("functions")),
    ];
    assert_eq!(names, expected);
    assert_eq!(conversation.tools.list[0].kind, ToolKind::Custom { format });
    let kind = ToolKind::Function {
        schema: json!({"type": "object"}),
        strict: Some(false),
    };
    assert_eq!(conversation.tools.list[1].kind, kind);
    assert_eq!(
        conversation.tools.list[2].description.as_deref(),
        Some("new")
    );
    let Content::Call(call) = &conversation.turns[1].parts[0].content else {
        panic!()
    };
    assert_eq!(call.namespace.as_deref(), Some("functions"));
    assert_eq!(conversation.dropped.into_names(), ["tools.tool_search"]);
}

#[test]
fn a_choice_may_name_several_tools() {
    let functions = json!([{"type": "function", "name": "a"}, {"type": "custom", "name": "b"}]);
    let name = |name: &str, is_custom: bool| ToolName {
        name: name.to_owned(),
        namespace: None,
        is_custom,
    };
    for (choice, expected) in [
        (json!(null), Choice::Unsaid),
        (json!("auto"), Choice::Auto),
        (json!("none"), Choice::Never),
        (json!("required"), Choice::Any),
        (
            json!({"type": "function", "name": "a"}),
            Choice::One(name("a", false)),
        ),
        (
            json!({"type": "custom", "name": "b"}),
            Choice::One(name("b", true)),
        ),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "a"}]}),
            Choice::Among {
                names: vec![name("a", false)],
                must: true,
            },
        ),
    ] {
        assert_eq!(with_tools(functions.clone(), choice).choice, expected);
    }
    let allowed =
        json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]});
    assert!(
        with_tools(json!([{"type": "web_search"}]), allowed)
            .search
            .is_some()
    );
    let allowed = json!({"type": "allowed_tools", "mode": "auto", "tools": []});
    assert!(
        with_tools(json!([{"type": "web_search"}]), allowed)
            .search
            .is_none()
    );
}

#[test]
fn a_search_has_its_place() {
    let search = json!({"type": "web_search_preview", "user_location": {"type": "approximate", "city": "Paris", "region": null},
                        "filters": {"allowed_domains": ["a.org"]}, "search_context_size": "low"});
    let expected = Search {
        allowed_domains: vec!["a.org".to_owned()],
        location: json!({"city": "Paris"}),
        context_size: Some("low".to_owned()),
    };
    assert_eq!(
        with_tools(json!([search]), Value::Null).search,
        Some(expected)
    );
}

#[test]
fn a_search_in_the_providers_own_copy_of_the_web_is_left_out() {
    let tools = json!([{"type": "web_search", "external_web_access": false}]);
    let read = read(json!({"model": "m", "input": "x", "tools": tools}));
    assert_eq!(read.tools.search, None);
    assert_eq!(read.dropped.into_names(), ["tools.web_search"]);
}
