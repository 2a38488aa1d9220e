//! Tools of clients, read.

use serde_json::{Value, json};

use super::asked::{read, with};
use crate::dialect::chat::read_request;
use crate::dialect::conversation::{Choice, ToolKind, ToolName, Unsaid};

#[test]
fn tools_are_read_in_all_their_forms() {
    let schema = json!({ "type": "object", "properties": { "a": {} } });
    let described =
        json!({ "name": "f", "description": "d", "parameters": schema, "strict": true });
    let mut flat = described.clone();
    flat["type"] = "function".into();
    for tools in [
        json!([{ "type": "function", "function": described }]),
        json!([{ "function": described }]),
        json!([flat]),
    ] {
        let tools = read("tools", tools).tools;
        assert_eq!(
            (
                tools.list[0].name.as_str(),
                tools.list[0].description.as_deref()
            ),
            ("f", Some("d"))
        );
        let kind = ToolKind::Function {
            schema: schema.clone(),
            strict: Some(true),
        };
        assert_eq!(tools.list[0].kind, kind);
        assert_eq!(tools.parallel, None);
    }
    let grammar =
        json!({ "type": "grammar", "grammar": { "syntax": "lark", "definition": "start: LF" } });
    let custom =
        |format: Value| json!([{ "type": "custom", "custom": { "name": "p", "format": format } }]);
    for (format, expected) in [
        (
            grammar,
            json!({ "type": "grammar", "syntax": "lark", "definition": "start: LF" }),
        ),
        (json!({ "type": "text" }), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let tools = read("tools", custom(format)).tools;
        assert_eq!(tools.list[0].kind, ToolKind::Custom { format: expected });
    }
    let older = read("functions", json!([described]));
    assert!(older.echo.is_older);
    assert_eq!(
        (older.tools.list.len(), older.tools.parallel),
        (1, Some(false))
    );
    assert_eq!(
        read_request(with("tools", json!([{ "type": "code_interpreter" }]))).err(),
        Some(Unsaid("hosted tools"))
    );
}

#[test]
fn choices_are_read_in_all_their_forms() {
    let named = |name: &str, is_custom: bool| ToolName {
        name: name.to_owned(),
        namespace: None,
        is_custom,
    };
    let allowed = |mode: &str| json!({ "type": "allowed_tools", "allowed_tools": { "mode": mode, "tools": [{ "type": "function", "function": { "name": "f" } }] } });
    for (choice, expected) in [
        (Value::Null, Choice::Unsaid),
        (json!("auto"), Choice::Auto),
        (json!("none"), Choice::Never),
        (json!("required"), Choice::Any),
        (json!("any"), Choice::Any),
        (
            json!({ "type": "function", "function": { "name": "f" } }),
            Choice::One(named("f", false)),
        ),
        (
            json!({ "type": "custom", "custom": { "name": "p" } }),
            Choice::One(named("p", true)),
        ),
        (
            allowed("auto"),
            Choice::Among {
                names: vec![named("f", false)],
                must: false,
            },
        ),
        (
            allowed("required"),
            Choice::Among {
                names: vec![named("f", false)],
                must: true,
            },
        ),
    ] {
        assert_eq!(
            read("tool_choice", choice.clone()).tools.choice,
            expected,
            "{choice}"
        );
    }
    assert_eq!(
        read("function_call", json!({ "name": "f" })).tools.choice,
        Choice::One(named("f", false))
    );
    let unknown = with("tool_choice", json!({ "type": "new" }));
    assert_eq!(read_request(unknown).err(), Some(Unsaid("tool_choice")));
}
