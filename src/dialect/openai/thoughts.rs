//! Reasoning in the input of a response: it is encrypted for one organisation, or stored there.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use crate::wire::json::Fields;

/// The body without reasoning, and without the ids that items have at their provider; every other value stays byte
/// for byte. `None`: there is none.
pub fn without_thoughts(body: &[u8]) -> Option<Bytes> {
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let input = fields.get("input")?;
    let mut items: Vec<Fields<'_>> = serde_json::from_str(input.get()).ok()?;
    let before = items.len();
    items.retain(|item| !is(item.get("type"), "\"reasoning\""));
    let mut is_changed = items.len() < before;
    for item in &mut items {
        let is_reference = is(item.get("type"), "\"item_reference\"");
        is_changed |= !is_reference && item.shift_remove("id").is_some();
    }
    if !is_changed {
        return None;
    }
    let items = to_raw_value(&items).ok()?;
    fields.insert("input".into(), Cow::Owned(items));
    serde_json::to_vec(&fields).ok().map(Bytes::from)
}

fn is(value: Option<&Cow<'_, RawValue>>, text: &str) -> bool {
    value.is_some_and(|value| value.get() == text)
}

#[cfg(test)]
mod tests {
    use super::without_thoughts;

    #[test]
    fn only_thoughts_and_names_of_items_go() {
        let body = r#"{"model":"m","input":[{"type":"reasoning","id":"rs_1","encrypted_content":"x"},{"type":"message","id":"msg_1","role":"assistant","content":"a"},{"type":"item_reference","id":"msg_2"}],"n":1.0}"#;
        let expected = r#"{"model":"m","input":[{"type":"message","role":"assistant","content":"a"},{"type":"item_reference","id":"msg_2"}],"n":1.0}"#;
        assert_eq!(without_thoughts(body.as_bytes()).unwrap(), expected);
        assert!(without_thoughts(expected.as_bytes()).is_none());
        assert!(without_thoughts(br#"{"input":"x"}"#).is_none());
    }
}
