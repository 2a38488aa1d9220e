//! Calls of tools, whose pieces come in many ways.

use serde_json::{Value, json};

use super::sent::tool;
use super::{chunk, end, pieces};
use crate::dialect::conversation::samples::assembled;
use crate::dialect::conversation::{Event, Names};

/// What a client with the tools `fa` and `fb` is told.
fn events(chunks: &[Value]) -> Vec<Event<'static>> {
    let tools = ["fa", "fb"].map(|name| tool(name, Value::Null));
    assembled(Names::of(&tools, 64, &[]), pieces(chunks))
}

/// The names and arguments of the calls that a client is told.
fn calls(chunks: &[Value]) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in events(chunks) {
        match event {
            Event::Call(head) => calls.push((head.tool.name, String::new())),
            Event::Arguments(text) => calls.last_mut().unwrap().1 += &text,
            Event::Failed(error) => calls.push(("failed".to_owned(), error.to_string())),
            _ => {}
        }
    }
    calls
}

/// What a chunk with these pieces of calls is.
fn of(parts: Value) -> Value {
    chunk(json!({ "tool_calls": parts }))
}

/// Ways in which `fa` is called with `{"x":1}` and `fb` with `{"y":2}`: why, and the pieces of each chunk in a line.
const WAYS: [(&str, &str); 14] = [
    (
        "GLM-5.2 opens all, and sends all arguments at the end",
        r#"[{"index":0,"id":"A","function":{"name":"fa","arguments":""}},{"index":1,"id":"B","function":{"name":"fb","arguments":""}}]
[{"index":0,"function":{"arguments":"{\"x\":1}"}},{"index":1,"function":{"arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "pieces are interleaved",
        r#"[{"index":0,"id":"A","function":{"name":"fa","arguments":"{"}}]
[{"index":1,"id":"B","function":{"name":"fb","arguments":"{\"y\""}}]
[{"index":0,"function":{"arguments":"\"x\":1}"}}]
[{"index":1,"function":{"arguments":":2}"}}]"#,
    ),
    (
        "the id comes in the second piece",
        r#"[{"index":0,"function":{"name":"fa","arguments":""}}]
[{"index":0,"id":"A","function":{"arguments":"{\"x\":1}"}}]
[{"index":1,"id":"B","function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "the name comes late, or is empty first",
        r#"[{"index":0,"id":"A","function":{"name":"","arguments":""}}]
[{"index":0,"function":{"name":"fa","arguments":"{\"x\":1}"}}]
[{"index":1,"id":"B","function":{"name":null}}]
[{"index":1,"function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "Gemini gives every call the index 0",
        r#"[{"index":0,"id":"A","function":{"name":"fa","arguments":"{\"x\":1}"}}]
[{"index":0,"id":"B","function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "and has been seen to give no ids",
        r#"[{"index":0,"id":"","function":{"name":"fa","arguments":"{\"x\":1}"}},{"index":0,"id":"","function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "no index at all",
        r#"[{"id":"A","function":{"name":"fa","arguments":"{\"x\""}}]
[{"function":{"arguments":":1}"}}]
[{"id":"B","function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "the index in later pieces alone",
        r#"[{"id":"A","function":{"name":"fa","arguments":""}}]
[{"index":0,"function":{"arguments":"{\"x\":1}"}}]
[{"id":"B","function":{"name":"fb","arguments":""}}]
[{"index":1,"function":{"arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "neither ids nor indexes, and objects as arguments",
        r#"[{"function":{"name":"fa","arguments":{"x":1}}},{"function":{"name":"fb","arguments":{"y":2}}}]"#,
    ),
    (
        "the id and the name in every piece",
        r#"[{"index":0,"id":"A","function":{"name":"fa","arguments":"{\"x\""}}]
[{"index":0,"id":"A","function":{"name":"fa","arguments":":1}"}}]
[{"index":1,"id":"B","function":{"name":"fb","arguments":"{\"y\":2}"}}]
[{"index":1,"id":"B","function":{"name":"fb","arguments":""}}]"#,
    ),
    (
        "another id in every piece",
        r#"[{"index":0,"id":"A1","function":{"name":"fa","arguments":""}}]
[{"index":0,"id":"A2","function":{"arguments":"{\"x\""}}]
[{"index":0,"id":"A3","function":{"arguments":":1}"}}]
[{"index":1,"id":"B","function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "Gemini and Mistral send names in pieces",
        r#"[{"index":0,"id":"A","function":{"name":"f","arguments":""}}]
[{"index":0,"function":{"name":"a","arguments":""}}]
[{"index":0,"function":{"arguments":"{\"x\":1}"}}]
[{"index":1,"id":"B","function":{"name":"f"}}]
[{"index":1,"id":"B","function":{"name":"b","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "names grow, and are said again",
        r#"[{"index":0,"id":"A","function":{"name":"f","arguments":""}}]
[{"index":0,"function":{"name":"fa","arguments":""}}]
[{"index":0,"function":{"name":"fa","arguments":"{\"x\":1}"}}]
[{"index":1,"id":"B","function":{"name":"fb","arguments":""}},{"index":1,"function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
    (
        "the index as a text",
        r#"[{"index":"0","id":"A","function":{"name":"fa","arguments":"{\"x\":1}"}}]
[{"index":"1","id":"B","function":{"name":"fb","arguments":"{\"y\":2}"}}]"#,
    ),
];

#[test]
fn calls_are_put_together_however_they_come() {
    for (why, lines) in WAYS {
        let parts = lines
            .lines()
            .map(|line| of(serde_json::from_str(line).unwrap()));
        let chunks: Vec<Value> = parts.chain([end("tool_calls"), json!("[DONE]")]).collect();
        let expected = [("fa", "{\"x\":1}"), ("fb", "{\"y\":2}")];
        assert_eq!(
            calls(&chunks),
            expected.map(|(name, text)| (name.to_owned(), text.to_owned())),
            "{why}"
        );
    }
}

#[test]
fn a_call_without_arguments_has_its_whole_name() {
    let begin =
        |id: &str, name: &str| of(json!([{ "index": 0, "id": id, "function": { "name": name } }]));
    for end in [end("tool_calls"), end("stop")] {
        let chunks = [
            begin("A", "f"),
            begin("", "a"),
            of(json!([part(1, "B", "fb", "")])),
            end,
        ];
        let expected = ["fa", "fb"].map(|name| (name.to_owned(), "{}".to_owned()));
        assert_eq!(calls(&chunks), expected);
    }
}

#[test]
fn no_two_calls_have_the_same_id() {
    let parts = [0, 1, 2].map(|index| part(index, "A", "fa", "{}"));
    let ids = events(&[of(parts.to_vec().into()), end("tool_calls")]).into_iter();
    let ids: Vec<String> = ids
        .filter_map(|event| match event {
            Event::Call(head) => Some(head.id),
            _ => None,
        })
        .collect();
    assert!(ids.len() == 3 && ids[0] == "A", "{ids:?}");
    assert!(
        ids[1..].iter().all(|id| id.starts_with("call_")) && ids[1] != ids[2],
        "{ids:?}"
    );
}

fn part(index: u64, id: &str, name: &str, arguments: &str) -> Value {
    json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

#[test]
fn the_same_tool_called_twice_without_ids_is_two_calls() {
    let twice = |list: Value| vec![of(list), end("stop")];
    let x = "{\"x\":1}";
    for parts in [
        json!([part(0, "", "fa", x), part(0, "", "fa", x)]),
        json!([part(0, "A", "fa", x), part(0, "B", "fa", x)]),
        json!([{ "function": { "name": "fa", "arguments": x } }, { "function": { "name": "fa", "arguments": x } }]),
    ] {
        assert_eq!(calls(&twice(parts.clone())).len(), 2, "{parts}");
    }
    let whole = |name: &str| of(json!([{ "function": { "name": name, "arguments": { "x": 1 } } }]));
    assert_eq!(calls(&[whole("fa"), whole("fa"), end("stop")]).len(), 2);
}

#[test]
fn the_older_call_of_a_function_is_a_call() {
    let chunks = [
        chunk(json!({ "function_call": { "name": "fa", "arguments": "" } })),
        chunk(json!({ "function_call": { "arguments": "{\"x\":1}" } })),
        end("function_call"),
    ];
    assert_eq!(calls(&chunks), [("fa".to_owned(), "{\"x\":1}".to_owned())]);
}

/// As llama-cpp-python does it, which names the call in each of its pieces.
#[test]
fn a_call_that_is_said_in_both_ways_is_one_call() {
    let both = |arguments: &str| {
        let function = json!({ "name": "fa", "arguments": arguments });
        let part =
            json!({ "index": 0, "id": "call__0_fa", "type": "function", "function": function });
        chunk(json!({ "content": null, "function_call": function, "tool_calls": [part] }))
    };
    let chunks = [
        both("{\""),
        both("x"),
        both("\":1}"),
        both(""),
        end("tool_calls"),
    ];
    assert_eq!(calls(&chunks), [("fa".to_owned(), "{\"x\":1}".to_owned())]);
}
