//! Tools, the choice among them, and answers in JSON.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::dialect::names::Names;

/// The tools of a request.
pub(super) struct Toolbox {
    /// In a chat's form.
    pub(super) tools: Vec<Value>,
    /// The descriptions that are too long for their field.
    pub(super) more: Vec<String>,
}

impl Toolbox {
    /// `longest`: the longest description that is accepted, in bytes.
    pub(super) fn of(body: &Value, names: &mut Names, longest: Option<usize>) -> Self {
        let mut more = Vec::new();
        let tools = body["tools"].as_array().into_iter().flatten();
        let tools = tools.map(|described| {
            let name = names.send(described["name"].as_str().unwrap_or_default());
            let mut function =
                json!({ "name": name, "parameters": parameters(&described["input_schema"]) });
            if described["strict"] == true && is_strict(&described["input_schema"]) {
                function["strict"] = true.into();
            }
            if let Some(description) = described["description"].as_str() {
                let (begin, rest) = cut(description, longest);
                function["description"] = begin.into();
                if !rest.is_empty() {
                    more.push(format!(
                        "The description of the tool {name} goes on: {rest}"
                    ));
                }
            }
            json!({ "type": "function", "function": function })
        });
        Self {
            tools: tools.collect(),
            more,
        }
    }
}

/// A schema that `OpenAI` accepts: it rejects whole requests for an object without properties, and for lists without
/// the type of their items.
fn parameters(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if !schema.is_object() {
        schema = json!({ "type": "object" });
    }
    let kind = schema["type"].take();
    let is_object = kind.is_null() || kind == "object";
    schema["type"] = if is_object { "object".into() } else { kind };
    if is_object && schema["properties"].is_null() {
        schema["properties"] = json!({});
    }
    name_items(&mut schema);
    schema
}

fn name_items(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(name_items),
        Value::Object(fields) => {
            if fields.get("type").is_some_and(|kind| kind == "array")
                && !fields.contains_key("items")
            {
                fields.insert("items".to_owned(), json!({}));
            }
            fields.values_mut().for_each(name_items);
        }
        _ => {}
    }
}

fn cut(text: &str, longest: Option<usize>) -> (&str, &str) {
    match longest {
        Some(longest) if text.len() > longest => text.split_at(text.floor_char_boundary(longest)),
        _ => (text, ""),
    }
}

/// The choice among the tools.
pub(super) fn choice(choice: &Value, names: &mut Names) -> Value {
    match choice["type"].as_str() {
        Some("any") => "required".into(),
        Some("none") => "none".into(),
        Some("tool") => {
            let name = names.send(choice["name"].as_str().unwrap_or_default());
            json!({ "type": "function", "function": { "name": name } })
        }
        Some(_) => "auto".into(),
        None => Value::Null,
    }
}

/// The format of an answer.
pub(super) fn format(format: &Value) -> Option<Value> {
    if format["type"] != "json_schema" {
        return None;
    }
    let mut schema = json!({ "name": "answer", "schema": format["schema"] });
    if is_strict(&format["schema"]) {
        schema["strict"] = true.into();
    }
    Some(json!({ "type": "json_schema", "json_schema": schema }))
}

/// Whether `OpenAI` can enforce a schema strictly: every object is closed and requires all of its properties.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Array(list) => list.iter().all(is_strict),
        Value::Object(fields) => {
            let has_all = fields.get("properties").is_none_or(|properties| {
                let required = schema["required"].as_array().into_iter().flatten();
                let required: HashSet<&str> = required.filter_map(Value::as_str).collect();
                let mut names = properties.as_object().into_iter().flatten();
                names.all(|(name, _)| required.contains(name.as_str()))
            });
            let is_closed = schema["type"] != "object" || schema["additionalProperties"] == false;
            has_all && is_closed && fields.values().all(is_strict)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Toolbox, format, is_strict};
    use crate::dialect::names::Names;

    #[test]
    fn only_what_can_be_kept_to_is_asked_for_strictly() {
        let all = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
        let some = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
        let open = json!({"type": "object", "properties": {}});
        assert!(is_strict(&all));
        assert!(!is_strict(&some) && !is_strict(&open));
        assert!(!is_strict(
            &json!({"anyOf": [all, {"type": "array", "items": some}]})
        ));
        let strict = |schema| format(&json!({"type": "json_schema", "schema": schema})).unwrap();
        assert_eq!(strict(all)["json_schema"]["strict"], true);
        assert!(strict(some)["json_schema"].get("strict").is_none());
    }

    #[test]
    fn schemas_say_what_openai_insists_on() {
        for (schema, expected) in [
            (
                json!({"type": "object"}),
                json!({"type": "object", "properties": {}}),
            ),
            (json!({}), json!({"type": "object", "properties": {}})),
            (
                json!({"type": "object", "properties": {"a": {"type": "array"}, "b": {"type": "array", "items": {"type": "array"}}}}),
                json!({"type": "object", "properties": {"a": {"type": "array", "items": {}}, "b": {"type": "array", "items": {"type": "array", "items": {}}}}}),
            ),
        ] {
            let body = json!({"tools": [{"name": "f", "input_schema": schema}]});
            let toolbox = Toolbox::of(&body, &mut Names::up_to(64), None);
            assert_eq!(toolbox.tools[0]["function"]["parameters"], expected);
        }
    }

    #[test]
    fn what_is_too_long_for_a_description_is_told_by_the_system() {
        let body = json!({"tools": [{"name": "f", "description": "äöü", "input_schema": {}}, {"name": "g", "input_schema": {}}]});
        let toolbox = Toolbox::of(&body, &mut Names::up_to(64), Some(3));
        assert_eq!(toolbox.tools[0]["function"]["description"], "ä");
        assert_eq!(toolbox.more, ["The description of the tool f goes on: öü"]);
        let toolbox = Toolbox::of(&body, &mut Names::up_to(64), None);
        assert_eq!(toolbox.tools[0]["function"]["description"], "äöü");
        assert!(toolbox.more.is_empty());
    }
}
