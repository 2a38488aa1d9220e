//! Keywords that are not JSON Schema of 2020-12: APIs refuse a request for one of them.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// What the value of a keyword is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Schema,
    /// A list of schemas.
    Schemas,
    /// An object of schemas.
    Named,
    Number,
    Text,
    /// Something else, or it is not known.
    Other,
}

fn holds(keyword: &str) -> Holds {
    match keyword {
        "items" | "additionalItems" | "unevaluatedItems" | "contains" | "contentSchema" => {
            Holds::Schema
        }
        "additionalProperties" | "unevaluatedProperties" | "propertyNames" => Holds::Schema,
        "not" | "if" | "then" | "else" => Holds::Schema,
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => Holds::Schemas,
        "properties" | "patternProperties" | "dependentSchemas" => Holds::Named,
        "$defs" | "definitions" => Holds::Named,
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => Holds::Number,
        "multipleOf" | "minLength" | "maxLength" | "minItems" | "maxItems" => Holds::Number,
        "minContains" | "maxContains" | "minProperties" | "maxProperties" => Holds::Number,
        "title" | "description" | "format" | "pattern" | "$comment" => Holds::Text,
        _ => Holds::Other,
    }
}

/// Leaves out what has no meaning, and says in the newer way what was said in an older one.
pub(super) fn clean(root: &mut Value) {
    let mut missing = HashSet::new();
    references(root, root, &mut missing);
    schema(root, &missing);
}

/// Collects the references that lead nowhere.
fn references(value: &Value, root: &Value, missing: &mut HashSet<String>) {
    match value {
        Value::Array(list) => {
            for entry in list {
                references(entry, root, missing);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "$ref"
                    && let Some(target) = value.as_str()
                    && target
                        .strip_prefix('#')
                        .and_then(|path| root.pointer(path))
                        .is_none()
                {
                    missing.insert(target.to_owned());
                }
                references(value, root, missing);
            }
        }
        _ => {}
    }
}

fn schema(value: &mut Value, missing: &HashSet<String>) {
    match value {
        Value::Object(fields) => object(fields, missing),
        Value::Bool(_) => {}
        // `"path": "string"`
        Value::String(name) => {
            *value = match kind(name) {
                Some(kind) => json!({ "type": kind }),
                None => json!({ "description": name }),
            }
        }
        _ => *value = json!({}),
    }
}

fn object(fields: &mut Map<String, Value>, missing: &HashSet<String>) {
    rename_types(fields);
    raise_bounds(fields);
    name_items(fields);
    fields.retain(|name, value| has_meaning(name, value, missing));
    for (name, value) in fields {
        match (holds(name), value) {
            (Holds::Schema, value) => schema(value, missing),
            (Holds::Schemas, Value::Array(list)) => {
                for entry in list {
                    schema(entry, missing);
                }
            }
            (Holds::Named, Value::Object(map)) => {
                for entry in map.values_mut() {
                    schema(entry, missing);
                }
            }
            _ => {}
        }
    }
}

/// Whether a keyword has a value of its kind. Unknown keywords are allowed.
fn has_meaning(name: &str, value: &mut Value, missing: &HashSet<String>) -> bool {
    match holds(name) {
        Holds::Number => return value.is_number(),
        Holds::Text => return value.is_string(),
        Holds::Schemas => return value.as_array().is_some_and(|list| !list.is_empty()),
        Holds::Named => return value.is_object(),
        Holds::Schema => return !value.is_null(),
        Holds::Other => {}
    }
    match name {
        "enum" => value.as_array().is_some_and(|list| !list.is_empty()),
        "$ref" => value
            .as_str()
            .is_some_and(|target| !missing.contains(target)),
        // Older drafts mark each property by a boolean.
        "required" => match value {
            Value::Array(names) => {
                names.retain(Value::is_string);
                true
            }
            _ => false,
        },
        "uniqueItems" => value.is_boolean(),
        // In these, some keywords mean something else.
        "$schema" => value
            .as_str()
            .is_some_and(|draft| !draft.contains("draft-03") && !draft.contains("draft-04")),
        _ => true,
    }
}

/// `["string", null]`, `STRING`, `any`
fn rename_types(fields: &mut Map<String, Value>) {
    let kinds = match fields.get("type") {
        None => return,
        Some(Value::String(name)) => kind(name).map(Value::from),
        Some(Value::Array(words)) => {
            let mut kinds: Vec<&str> = Vec::new();
            for name in words {
                let found = if name.is_null() {
                    Some("null")
                } else {
                    name.as_str().and_then(kind)
                };
                kinds.extend(found.filter(|found| !kinds.contains(found)));
            }
            (!kinds.is_empty()).then(|| kinds.into())
        }
        Some(_) => None,
    };
    match kinds {
        Some(kinds) => fields.insert("type".to_owned(), kinds),
        None => fields.shift_remove("type"),
    };
}

/// The type that a word names; `None`: any.
fn kind(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "string" | "str" => "string",
        "number" | "float" | "double" => "number",
        "integer" | "int" => "integer",
        "boolean" | "bool" => "boolean",
        "object" | "dict" => "object",
        "array" | "list" => "array",
        "null" => "null",
        _ => return None,
    })
}

/// Until draft 4, `exclusiveMinimum: true` was said about `minimum`.
fn raise_bounds(fields: &mut Map<String, Value>) {
    for (exclusive, bound) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        if fields.get(exclusive) == Some(&Value::Bool(true))
            && let Some(value) = fields.shift_remove(bound)
        {
            fields.insert(exclusive.to_owned(), value);
        }
    }
}

/// An array must have items. Until 2020-12, a list of schemas was one for each place.
fn name_items(fields: &mut Map<String, Value>) {
    if let Some(Value::Array(places)) = fields.get_mut("items") {
        let mut places = std::mem::take(places);
        let items = match places.len() {
            0 | 1 => places.pop().unwrap_or_else(|| json!({})),
            _ => json!({ "anyOf": places }),
        };
        fields.insert("items".to_owned(), items);
    }
    let is_array = |kind: &Value| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "array"),
        kind => kind == "array",
    };
    if fields.get("type").is_some_and(is_array) && fields.get("items").is_none_or(Value::is_null) {
        fields.insert("items".to_owned(), json!({}));
    }
}
