//! Fields of objects whose other values stay as they were written.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::wire::json::Fields;

/// Whether a field is this text, which needs no escapes.
pub(super) fn is(fields: &Fields<'_>, name: &str, text: &str) -> bool {
    let given = fields.get(name).map(|value| value.get());
    given.is_some_and(|given| given.trim_matches('"') == text)
}

/// A value as it was written; empty if it is not there.
pub(super) fn written<'a>(fields: &'a Fields<'_>, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.get())
}

/// What is in a field; `None`: nothing, or something else.
pub(in crate::dialect) fn read<'a, T: Deserialize<'a>>(
    fields: &'a Fields<'_>,
    name: &str,
) -> Option<T> {
    serde_json::from_str(written(fields, name)).ok()
}

/// The text in a field.
pub(super) fn text_of(fields: &Fields<'_>, name: &str) -> Option<String> {
    read(fields, name)
}

/// Puts a value in a field. Returns whether that changes anything.
pub(in crate::dialect) fn put(
    fields: &mut Fields<'_>,
    name: &'static str,
    value: &(impl Serialize + ?Sized),
) -> bool {
    let Ok(value) = to_raw_value(value) else {
        return false;
    };
    fields.insert(name.into(), Cow::Owned(value));
    true
}

/// Puts what becomes of a value in its place; `None`: it stays. Returns whether that changes anything.
pub(super) fn replace(
    fields: &mut Fields<'_>,
    name: &'static str,
    by: impl FnOnce(&RawValue) -> Option<Box<RawValue>>,
) -> bool {
    let better = fields.get(name).and_then(|value| by(value));
    better.is_some_and(|better| put(fields, name, &better))
}

/// A list with its entries changed; `None`: no entry was changed, or it is not a list of objects.
pub(super) fn change_entries(
    list: &RawValue,
    mut change: impl FnMut(&mut Fields<'_>) -> bool,
) -> Option<Box<RawValue>> {
    let mut entries: Vec<Fields<'_>> = serde_json::from_str(list.get()).ok()?;
    let mut is_changed = false;
    for entry in &mut entries {
        is_changed |= change(entry);
    }
    is_changed.then(|| to_raw_value(&entries).ok()).flatten()
}

/// Changes the tool calls of a chat's message. Returns whether any was changed.
pub(super) fn change_calls(
    message: &mut Fields<'_>,
    by: impl FnMut(&mut Fields<'_>) -> bool,
) -> bool {
    replace(message, "tool_calls", |calls| change_entries(calls, by))
}

/// Changes the function in a tool, or in a call. Returns whether it was changed.
pub(super) fn change_function(
    of: &mut Fields<'_>,
    by: impl FnOnce(&mut Fields<'_>) -> bool,
) -> bool {
    replace(of, "function", |function| {
        let mut function: Fields<'_> = serde_json::from_str(function.get()).ok()?;
        by(&mut function).then(|| to_raw_value(&function).ok())?
    })
}
