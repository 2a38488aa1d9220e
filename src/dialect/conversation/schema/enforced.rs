//! Schemas that answers are made to keep to: objects are closed, and not every keyword is known.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// Whether Anthropic enforces this format of texts.
fn is_known_format(format: &Value) -> bool {
    let of_times = ["date-time", "time", "date", "duration"];
    let of_names = ["email", "hostname", "uri", "ipv4", "ipv6", "uuid"];
    let is_it = |name: &&str| format == *name;
    of_times.iter().any(is_it) || of_names.iter().any(is_it)
}

/// The schema in the form that Anthropic accepts. What cannot be enforced goes into the description, which the model reads;
/// Anthropic's own SDKs do the same.
pub(super) fn accepted(schema: Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema;
    };
    let mut out = Map::new();
    let mut notes = Vec::new();
    for (keyword, value) in schema {
        let value = match keyword.as_str() {
            "type" | "enum" | "const" | "required" | "$ref" => value,
            "description" | "title" | "default" => value,
            "properties" | "$defs" | "definitions" => each_value(value),
            "items" => accepted(value),
            "anyOf" | "allOf" | "oneOf" => each(value),
            "format" if is_known_format(&value) => value,
            "minItems" if value == 0 || value == 1 => value,
            "additionalProperties" | "$schema" => continue,
            _ => {
                notes.push(format!("{keyword}: {value}"));
                continue;
            }
        };
        let is_one_of = keyword == "oneOf";
        out.insert(
            if is_one_of {
                "anyOf".to_owned()
            } else {
                keyword
            },
            value,
        );
    }
    if out.get("type").is_some_and(is_object) {
        out.insert("additionalProperties".to_owned(), false.into());
    }
    if !notes.is_empty() {
        describe(&mut out, &format!("{{{}}}", notes.join(", ")));
    }
    Value::Object(out)
}

/// Adds something to the description.
pub(super) fn describe(schema: &mut Map<String, Value>, notes: &str) {
    let described = match schema.get("description").and_then(Value::as_str) {
        Some(description) => format!("{description}\n\n{notes}"),
        None => notes.to_owned(),
    };
    schema.insert("description".to_owned(), described.into());
}

/// Whether `OpenAI` can enforce a schema strictly: every object is closed and requires all of its properties.
pub fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Array(list) => list.iter().all(is_strict),
        Value::Object(fields) => {
            let has_all = fields.get("properties").is_none_or(|properties| {
                let required = schema["required"].as_array().into_iter().flatten();
                let required: HashSet<&str> = required.filter_map(Value::as_str).collect();
                let mut names = properties.as_object().into_iter().flatten();
                names.all(|(name, _)| required.contains(name.as_str()))
            });
            let is_closed = !is_object(&schema["type"]) || schema["additionalProperties"] == false;
            has_all && is_closed && fields.values().all(is_strict)
        }
        _ => true,
    }
}

/// Whether a schema has an accepted form: it refers to nothing that contains it, and has no objects with arbitrary
/// properties, which would have to stay empty.
pub(super) fn is_acceptable(schema: &Value) -> bool {
    let mut walk = Walk {
        root: schema,
        followed: HashMap::new(),
        depth: 0,
    };
    walk.fits(schema)
}

/// References may be nested deeper than the text itself.
const DEEPEST: usize = 256;

struct Walk<'a> {
    root: &'a Value,
    /// The references so far, and whether what they refer to has been checked.
    followed: HashMap<&'a str, bool>,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn fits(&mut self, schema: &'a Value) -> bool {
        if self.depth == DEEPEST {
            return false;
        }
        self.depth += 1;
        let does_fit = match schema {
            Value::Array(list) => list.iter().all(|entry| self.fits(entry)),
            Value::Object(fields) => {
                let is_free = fields
                    .get("additionalProperties")
                    .is_some_and(|more| *more != false)
                    || is_object(&schema["type"]) && !fields.contains_key("properties");
                let follows = schema["$ref"].as_str().is_none_or(|name| self.follow(name));
                let mut inner = fields.iter().filter(|(keyword, _)| *keyword != "$defs");
                !is_free && follows && inner.all(|(_, value)| self.fits(value))
            }
            _ => true,
        };
        self.depth -= 1;
        does_fit
    }

    fn follow(&mut self, name: &'a str) -> bool {
        let path = name.strip_prefix('#');
        let Some(target) = path.and_then(|path| self.root.pointer(path)) else {
            return false;
        };
        // While it is being checked, it refers to itself.
        if let Some(is_over) = self.followed.get(name) {
            return *is_over;
        }
        self.followed.insert(name, false);
        let does_fit = self.fits(target);
        self.followed.insert(name, true);
        does_fit
    }
}

/// Whether a type is that of objects, alone or among others: `["object", "null"]`.
pub(super) fn is_object(kind: &Value) -> bool {
    let mut kinds = kind.as_array().into_iter().flatten();
    kind == "object" || kinds.any(|kind| kind == "object")
}

fn each(list: Value) -> Value {
    match list {
        Value::Array(list) => list.into_iter().map(accepted).collect(),
        other => other,
    }
}

fn each_value(map: Value) -> Value {
    match map {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, schema)| (name, accepted(schema)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{accepted, is_acceptable, is_strict};

    #[test]
    fn what_the_api_does_not_take_is_told_to_the_model() {
        let schema = json!({
            "type": "object",
            "properties": {
                "type": {"type": "string", "minLength": 2, "description": "kind", "format": "uuid"},
                "tags": {"type": "array", "minItems": 2, "items": {"oneOf": [{"const": 1}, {"type": "object", "additionalProperties": true}]}},
                "pattern": {"$ref": "#/$defs/p"},
                "owner": {"type": ["object", "null"], "properties": {}, "additionalProperties": false},
            },
            "$defs": {"p": {"type": "number", "minimum": 1, "maximum": 10}},
            "required": ["type"],
        });
        assert_eq!(
            accepted(schema),
            json!({
                "type": "object",
                "properties": {
                    "type": {"type": "string", "description": "kind\n\n{minLength: 2}", "format": "uuid"},
                    "tags": {"type": "array", "description": "{minItems: 2}",
                        "items": {"anyOf": [{"const": 1}, {"type": "object", "additionalProperties": false}]}},
                    "pattern": {"$ref": "#/$defs/p"},
                    "owner": {"type": ["object", "null"], "properties": {}, "additionalProperties": false},
                },
                "$defs": {"p": {"type": "number", "description": "{minimum: 1, maximum: 10}"}},
                "required": ["type"],
                "additionalProperties": false,
            })
        );
    }

    /// References that lead to references.
    fn chain(length: usize) -> Value {
        let link = |number: usize| match number == length {
            true => json!({"type": "string"}),
            false => json!({"$ref": format!("#/$defs/{}", number + 1)}),
        };
        let links = (0..=length).map(|number| (number.to_string(), link(number)));
        json!({"$ref": "#/$defs/0", "$defs": links.collect::<serde_json::Map<_, _>>()})
    }

    #[test]
    fn what_cannot_be_said_is_known() {
        let object = |properties: Value| json!({"type": "object", "properties": properties});
        let node = object(json!({"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}));
        for (schema, is_fine) in [
            (object(json!({"a": {"type": "string"}})), true),
            (
                json!({"$ref": "#/$defs/p", "$defs": {"p": object(json!({}))}}),
                true,
            ),
            (
                json!({"$ref": "#/$defs/node", "$defs": {"node": node}}),
                false,
            ),
            (object(json!({"a": {"$ref": "#"}})), false),
            (object(json!({"a": {"type": "object"}})), false),
            (object(json!({"a": {"type": ["null", "object"]}})), false),
            (
                object(
                    json!({"a": {"type": "object", "additionalProperties": {"type": "string"}}}),
                ),
                false,
            ),
            (json!({"$ref": "https://example.com/schema"}), false),
            (chain(20), true),
            (chain(100_000), false),
        ] {
            let begin: String = schema.to_string().chars().take(200).collect();
            assert_eq!(is_acceptable(&schema), is_fine, "{begin}");
        }
    }

    #[test]
    fn only_what_can_be_kept_to_is_asked_for_strictly() {
        let all = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
        let some = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
        let open = json!({"type": "object", "properties": {}});
        let maybe = json!({"type": ["object", "null"], "properties": {}});
        assert!(is_strict(&all));
        assert!(!is_strict(&some) && !is_strict(&open) && !is_strict(&maybe));
        assert!(!is_strict(
            &json!({"anyOf": [all, {"type": "array", "items": some}]})
        ));
    }

    #[test]
    fn properties_keep_their_order() {
        // Models answer in this order, so reasoning must stay before conclusions.
        let schema = r#"{"type":"object","properties":{"steps":{"type":"string"},"answer":{"type":"string"}}}"#;
        let schema: Value = serde_json::from_str(schema).unwrap();
        let text = accepted(schema).to_string();
        assert!(text.find("steps") < text.find("answer"), "{text}");
    }
}
