//! The schemas of tools in a request that is not translated: those that would be refused are put in a form that is taken.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::fields::{change_entries, change_function, put, read, text_of, written};
use crate::dialect::conversation::schema::{Taker, of_tool};
use crate::wire::json::Fields;

const PARAMETERS: &str = "parameters";

/// The schema of a tool that needs to be told nothing. A strict one has to forbid everything else: `'additionalProperties' is
/// required to be supplied and to be false`.
fn of_nothing(is_strict: bool) -> Value {
    let mut schema = json!({ "type": "object", "properties": {} });
    if is_strict {
        schema["additionalProperties"] = false.into();
    }
    schema
}

/// The tools of a chat; `None`: nothing has to change. `function parameters is empty` (`MiniMax`), where `OpenAI` needs none.
pub(super) fn of_chat(tools: &RawValue) -> Option<Box<RawValue>> {
    change_entries(tools, |tool| {
        change_function(tool, |function| match written(function, PARAMETERS) {
            "" | "null" => {
                let schema = of_nothing(written(function, "strict") == "true");
                put(function, PARAMETERS, &schema)
            }
            _ => change(function, PARAMETERS, Taker::OpenAi),
        })
    })
}

/// The tools of a response; `None`: nothing has to change.
pub(super) fn of_response(tools: &RawValue) -> Option<Box<RawValue>> {
    change_entries(tools, |tool| change(tool, PARAMETERS, Taker::OpenAi))
}

/// The tools of a Messages request; `None`: nothing has to change.
pub(super) fn of_message(tools: &RawValue) -> Option<Box<RawValue>> {
    change_entries(tools, |tool| change(tool, "input_schema", Taker::Anthropic))
}

fn change(tool: &mut Fields<'_>, name: &'static str, taker: Taker) -> bool {
    let Some(schema) = read::<Value>(tool, name).filter(|schema| !schema.is_null()) else {
        return false;
    };
    let mut description = text_of(tool, "description");
    let accepted = of_tool(schema.clone(), taker, &mut description);
    if accepted == schema || !put(tool, name, &accepted) {
        return false;
    }
    description.is_none_or(|description| put(tool, "description", &description))
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{of_chat, of_message, of_response};

    #[test]
    fn only_schemas_that_would_be_refused_are_changed() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let (fine, odd, better) = (
            r#"{"type": "object", "properties": {}, "$schema": "http://json-schema.org/draft-07/schema#"}"#,
            r#"{"anyOf":[{"type":"object"}]}"#,
            r#"{"type":"object","properties":{}}"#,
        );
        let chat = |odd: &str| {
            format!(
                r#"[{{"function":{{"parameters":{odd},"n":1.0}}}},{{"type":"x"}},{{"function":{{"name":"f", "parameters":{fine}}}}}]"#
            )
        };
        let sent = of_chat(&raw(&chat(odd))).unwrap();
        assert_eq!(sent.get(), chat(better));
        assert!(of_chat(&sent).is_none());
        assert_eq!(of_chat(&raw(&chat("null"))).unwrap().get(), chat(better));
        let bare = of_chat(&raw(r#"[{"function":{"name":"f"}}]"#)).unwrap();
        let expected = format!(r#"[{{"function":{{"name":"f","parameters":{better}}}}}]"#);
        assert_eq!(bare.get(), expected);
        let strict = of_chat(&raw(r#"[{"function":{"strict":true}}]"#)).unwrap();
        assert!(strict.get().contains(r#""additionalProperties":false"#));

        let flat = |name: &str, odd: &str| {
            format!(r#"[{{"{name}":{odd}}},{{"{name}":null}},{{"{name}":{fine}}}]"#)
        };
        let sent = of_response(&raw(&flat("parameters", odd))).unwrap();
        assert_eq!(sent.get(), flat("parameters", better));
        let sent = of_message(&raw(&flat("input_schema", odd))).unwrap();
        assert_eq!(sent.get(), flat("input_schema", better));
    }
}
