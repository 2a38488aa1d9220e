//! Keywords that are not JSON Schema of 2020-12: APIs refuse a request for one of them.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// Keywords whose value is a schema.
const ONE: [&str; 12] = [
    "items",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
];
/// Keywords whose value is a list of schemas.
const LIST: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
/// Keywords whose value is an object of schemas.
const MAP: [&str; 5] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];
/// Keywords whose value is a number.
const NUMBER: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
];
/// Keywords whose value is a text.
const TEXT: [&str; 5] = ["title", "description", "format", "pattern", "$comment"];
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
        let name = name.as_str();
        match value {
            _ if ONE.contains(&name) => schema(value, missing),
            Value::Array(list) if LIST.contains(&name) => {
                for entry in list {
                    schema(entry, missing);
                }
            }
            Value::Object(map) if MAP.contains(&name) => {
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
    match name {
        _ if NUMBER.contains(&name) => value.is_number(),
        _ if TEXT.contains(&name) => value.is_string(),
        _ if LIST.contains(&name) || name == "enum" => {
            value.as_array().is_some_and(|list| !list.is_empty())
        }
        _ if MAP.contains(&name) => value.is_object(),
        _ if ONE.contains(&name) => !value.is_null(),
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
