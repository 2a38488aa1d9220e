//! The arguments of a tool call: JSON in a string, which some providers send as an object.

use std::borrow::Cow;

use serde_json::Value;

/// The arguments of a function call, or of a piece of one.
pub(super) fn arguments_of(function: &Value) -> Cow<'_, str> {
    match &function["arguments"] {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        given => Cow::Owned(given.to_string()),
    }
}
