//! Takes values out of the objects of a request: texts are moved, not copied.

use serde_json::{Map, Number, Value};

/// An object of a request.
pub(super) type Fields = Map<String, Value>;

/// A value; null if there is none.
pub(super) fn take(fields: &mut Fields, name: &str) -> Value {
    // What is left keeps its order; there are few fields.
    fields.shift_remove(name).unwrap_or_default()
}

/// A text. Some write numbers where names are expected.
pub(super) fn take_text(fields: &mut Fields, name: &str) -> Option<String> {
    match take(fields, name) {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number, as it was written.
pub(super) fn take_number(fields: &mut Fields, name: &str) -> Option<Number> {
    match take(fields, name) {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// An object; an empty one if there is none.
pub(super) fn take_object(fields: &mut Fields, name: &str) -> Fields {
    match take(fields, name) {
        Value::Object(object) => object,
        _ => Fields::new(),
    }
}

/// The entries of a list; none if it is not one.
pub(super) fn take_list(fields: &mut Fields, name: &str) -> Vec<Value> {
    match take(fields, name) {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    }
}

/// The type of an object, as `OpenAI` writes it; empty if it has none.
pub(super) fn kind_of(fields: &Fields) -> &str {
    fields
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
}
