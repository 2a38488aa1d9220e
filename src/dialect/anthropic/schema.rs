//! JSON schemas as the API takes them: objects are closed, and some keywords are unknown.

use serde_json::{Map, Value};

/// Formats of texts that are kept to.
const FORMATS: [&str; 10] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];

/// The schema in the words that are taken. What cannot be asked for otherwise goes into the description, where the model
/// reads it, as Anthropic's own SDKs have it.
pub(super) fn accepted(schema: Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema;
    };
    let mut out = Map::new();
    let mut notes = Vec::new();
    for (keyword, value) in schema {
        match keyword.as_str() {
            "type" | "enum" | "const" | "required" | "$ref" | "description" | "title"
            | "default" => {
                out.insert(keyword, value);
            }
            "properties" | "$defs" | "definitions" => {
                out.insert(keyword, each_value(value));
            }
            "items" => {
                out.insert(keyword, accepted(value));
            }
            "anyOf" | "allOf" => {
                out.insert(keyword, each(value));
            }
            "oneOf" => {
                out.insert("anyOf".to_owned(), each(value));
            }
            "format"
                if value
                    .as_str()
                    .is_some_and(|format| FORMATS.contains(&format)) =>
            {
                out.insert(keyword, value);
            }
            "minItems" if value == 0 || value == 1 => {
                out.insert(keyword, value);
            }
            "additionalProperties" | "$schema" => {}
            _ => notes.push(format!("{keyword}: {value}")),
        }
    }
    if out.get("type").is_some_and(|kind| kind == "object") {
        out.insert("additionalProperties".to_owned(), false.into());
    }
    if !notes.is_empty() {
        let notes = format!("{{{}}}", notes.join(", "));
        let described = match out.get("description").and_then(Value::as_str) {
            Some(description) => format!("{description}\n\n{notes}"),
            None => notes,
        };
        out.insert("description".to_owned(), described.into());
    }
    Value::Object(out)
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

    use super::accepted;

    #[test]
    fn what_the_api_does_not_take_is_told_to_the_model() {
        let schema = json!({
            "type": "object",
            "properties": {
                "type": {"type": "string", "minLength": 2, "description": "kind", "format": "uuid"},
                "tags": {"type": "array", "minItems": 2, "items": {"oneOf": [{"const": 1}, {"type": "object", "additionalProperties": true}]}},
                "pattern": {"$ref": "#/$defs/p"},
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
                },
                "$defs": {"p": {"type": "number", "description": "{minimum: 1, maximum: 10}"}},
                "required": ["type"],
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn properties_keep_their_order() {
        // Models answer in this order, so thoughts must stay before conclusions.
        let schema = r#"{"type":"object","properties":{"steps":{"type":"string"},"answer":{"type":"string"}}}"#;
        let schema: Value = serde_json::from_str(schema).unwrap();
        let text = accepted(schema).to_string();
        assert!(text.find("steps") < text.find("answer"), "{text}");
    }
}
