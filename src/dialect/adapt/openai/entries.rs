//! Lists of objects of which some entries change, and the others stay byte for byte.

use std::borrow::Cow;

use serde_json::value::{RawValue, to_raw_value};

use crate::wire::json::Fields;

/// A list with its entries changed; `None`: no entry was changed, or it is not a list of objects.
pub(super) fn change(
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

/// Changes the tool calls of a message. Returns whether any was changed.
pub(super) fn change_calls(
    message: &mut Fields<'_>,
    by: impl FnMut(&mut Fields<'_>) -> bool,
) -> bool {
    let Some(calls) = message.get_mut("tool_calls") else {
        return false;
    };
    let Some(changed) = change(calls, by) else {
        return false;
    };
    *calls = Cow::Owned(changed);
    true
}
