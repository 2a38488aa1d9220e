//! Reading what a running backstop answers.

use serde_json::Value;

/// The entries of a list; none if it is no list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text; an empty one if it is none.
pub(super) fn said(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
