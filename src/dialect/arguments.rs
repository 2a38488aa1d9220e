//! What a tool is called with: JSON in a string, which some give as the object it is.

use std::borrow::Cow;

use serde_json::Value;

/// The arguments of a call of a function, or those in a piece of one.
pub(super) fn arguments_of(function: &Value) -> Cow<'_, str> {
    match &function["arguments"] {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        given => Cow::Owned(given.to_string()),
    }
}
