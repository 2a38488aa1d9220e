//! Reasoning in the input of a response: it is encrypted for one organisation, or stored there.

use bytes::Bytes;
use memchr::memmem::find;
use serde_json::value::to_raw_value;

use super::items::repair;
use crate::dialect::adapt::fields::{is, replace, text_of, written};
use crate::dialect::conversation::thoughts::{ITEM, SEAL};
use crate::wire::json::Fields;

/// The body without reasoning, without the ids that items have at their provider, and with calls that are in order; every
/// other value stays byte for byte. `None`: there is nothing to change.
pub(in crate::dialect::adapt) fn without_thoughts(body: &[u8]) -> Option<Bytes> {
    changed(body, |items, is_whole| {
        let before = items.len();
        items.retain(|item| !is(item, "type", "reasoning"));
        let mut is_changed = items.len() < before;
        for item in items.iter_mut() {
            let is_reference = is(item, "type", "item_reference");
            is_changed |= !is_reference && item.shift_remove("id").is_some();
        }
        is_changed | repair(items, is_whole)
    })
}

/// The body without reasoning that this proxy has written, because it belongs to a provider with another API: sealed, or under
/// an id that the upstream would look for in vain. `None`: there is none.
pub(in crate::dialect::adapt) fn without_own_thoughts(body: &[u8]) -> Option<Bytes> {
    find(body, SEAL.as_bytes()).or_else(|| find(body, ITEM.as_bytes()))?;
    changed(body, |items, _| {
        let begins = |item: &Fields<'_>, name, least: &str| {
            text_of(item, name).is_some_and(|text| text.starts_with(least))
        };
        let before = items.len();
        items.retain(|item| {
            let is_own = begins(item, "encrypted_content", SEAL) || begins(item, "id", ITEM);
            !is(item, "type", "reasoning") || !is_own
        });
        items.len() < before
    })
}

/// The body with its items changed. `change` is also told whether nothing of the conversation is stored at the provider.
pub(super) fn changed(
    body: &[u8],
    change: impl FnOnce(&mut Vec<Fields<'_>>, bool) -> bool,
) -> Option<Bytes> {
    let mut fields: Fields<'_> = serde_json::from_slice(body).ok()?;
    let is_set = |name: &str| !matches!(written(&fields, name), "" | "null");
    let is_whole = !is_set("previous_response_id") && !is_set("conversation");
    let is_changed = replace(&mut fields, "input", |input| {
        let mut items: Vec<Fields<'_>> = serde_json::from_str(input.get()).ok()?;
        change(&mut items, is_whole).then(|| to_raw_value(&items).ok())?
    });
    is_changed.then(|| serde_json::to_vec(&fields).ok().map(Bytes::from))?
}

#[cfg(test)]
mod tests {
    use super::{without_own_thoughts, without_thoughts};

    #[test]
    fn only_thoughts_and_names_of_items_go() {
        let body = r#"{"model":"m","input":[{"type":"reasoning","id":"rs_1","encrypted_content":"x"},{"type":"message","id":"msg_1","role":"assistant","content":"a"},{"type":"item_reference","id":"msg_2"}],"n":1.0}"#;
        let expected = r#"{"model":"m","input":[{"type":"message","role":"assistant","content":"a"},{"type":"item_reference","id":"msg_2"}],"n":1.0}"#;
        assert_eq!(without_thoughts(body.as_bytes()).unwrap(), expected);
        assert!(without_thoughts(expected.as_bytes()).is_none());
        assert!(without_thoughts(br#"{"input":"x"}"#).is_none());
    }

    #[test]
    fn what_was_written_here_stays_here() {
        let theirs = r#"{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA"}"#;
        let unsealed = r#"{"type":"reasoning","id":"rs_backstop_1","summary":[]}"#;
        let ours = r#"{"type":"reasoning","encrypted_content":"backstop1.m..x"}"#;
        let text = r#"{"role":"user","content":"backstop1.m"}"#;
        let body = |items: &[&str]| format!(r#"{{"model":"m", "input":[{}]}}"#, items.join(","));
        for own in [ours, unsealed] {
            let sent = without_own_thoughts(body(&[theirs, own, text]).as_bytes()).unwrap();
            assert_eq!(sent, body(&[theirs, text]).replace(", ", ","));
            assert!(without_own_thoughts(&sent).is_none());
        }
    }
}
