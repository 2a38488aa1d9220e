//! Fields that are texts, in objects whose other values stay as they were written.

use std::borrow::Cow;

use serde_json::value::to_raw_value;

use crate::wire::json::Fields;

/// Whether a field is this text, which needs no escapes.
pub(super) fn is(fields: &Fields<'_>, name: &str, text: &str) -> bool {
    let given = fields.get(name).map(|value| value.get());
    given.is_some_and(|given| given.trim_matches('"') == text)
}

/// The text in a field.
pub(super) fn text_of(fields: &Fields<'_>, name: &str) -> Option<String> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

/// Puts a text in a field. Returns whether that changes anything.
pub(super) fn put(fields: &mut Fields<'_>, name: &'static str, text: &str) -> bool {
    let Ok(text) = to_raw_value(text) else {
        return false;
    };
    fields.insert(name.into(), Cow::Owned(text));
    true
}
