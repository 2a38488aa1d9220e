//! Fields that are taken out of a request's tree.

use serde_json::{Map, Value};

/// Takes a field out; null if there is none.
pub(super) fn take(fields: &mut Map<String, Value>, name: &str) -> Value {
    // At the root the names of what is left keep their order.
    fields.shift_remove(name).unwrap_or_default()
}

/// The fields of an object; none if it is no object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The entries of a list; none if it is no list.
pub(super) fn list(value: Value) -> impl Iterator<Item = Value> {
    match value {
        Value::Array(list) => list.into_iter(),
        _ => Vec::new().into_iter(),
    }
}

/// The text, if it is one.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A caching mark, if there is one.
pub(super) fn mark(value: Value) -> Option<Value> {
    value.is_object().then_some(value)
}

/// Takes a field out of a block, whose other fields may change their order.
pub(super) fn take_of(block: &mut Map<String, Value>, name: &str) -> Value {
    block.swap_remove(name).unwrap_or_default()
}
