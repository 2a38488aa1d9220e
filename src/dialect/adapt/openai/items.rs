//! The calls of tools in the input of a response, and their results, as every provider takes them.
//!
//! Only what must change does: what is in order stays byte for byte.

use std::borrow::Cow;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::dialect::adapt::fields::{is, put, text_of};
use crate::dialect::conversation::history::{FURTHER, NO_RESULT, ORPHAN};
use crate::dialect::conversation::{CallIds, Owner, mended, short_id};
use crate::wire::json::Fields;

/// `OpenAI` accepts no longer ids of calls in a response.
const LONGEST: usize = 64;

/// Repairs the items: arguments are the JSON of an object, ids are unique, and each call of a function has one result. What
/// has no call is said by the user. `is_whole`: nothing of the conversation is stored at the provider, so that nothing may be
/// missing. Returns whether that changes anything.
pub(super) fn repair(items: &mut Vec<Fields<'_>>, is_whole: bool) -> bool {
    let mut is_changed = false;
    for item in items.iter_mut() {
        is_changed |= is(item, "type", "function_call") && mend(item);
    }
    if !is_whole || items.iter().any(|item| is(item, "type", "item_reference")) {
        return is_changed;
    }
    let mut calls = Calls::default();
    let mut was_call = false;
    let mut kept = Vec::with_capacity(items.len());
    for mut item in items.drain(..) {
        let kind = text_of(&item, "type").unwrap_or_default();
        let is_call = kind.ends_with("_call") && item.contains_key("call_id");
        if is_call && !was_call {
            calls.ids.begin_turn();
        }
        was_call = is_call;
        let keeps = if is_call {
            is_changed |= calls.call(kept.len(), &kind, &mut item);
            true
        } else if kind.ends_with("_call_output") {
            calls.result(&mut item, &mut is_changed)
        } else {
            true
        };
        if keeps {
            kept.push(item);
        }
    }
    for call in calls.list.iter().enumerate().rev() {
        if let Some((place, missing)) = calls.missing(call) {
            kept.insert(place, missing);
            is_changed = true;
        }
    }
    *items = kept;
    is_changed
}

/// The calls so far.
struct Calls {
    ids: CallIds,
    list: Vec<Call>,
}

struct Call {
    place: usize,
    kind: String,
    /// What came out of it, as it is written.
    result: Option<String>,
}

impl Default for Calls {
    fn default() -> Self {
        let accepted = |id: &str| match id.len() {
            ..=LONGEST => id.to_owned(),
            _ => short_id(id).unwrap_or_else(|| id.to_owned()),
        };
        Self {
            ids: CallIds::new(accepted),
            list: Vec::new(),
        }
    }
}

impl Calls {
    /// Takes a call. Returns whether it was changed.
    fn call(&mut self, place: usize, kind: &str, item: &mut Fields<'_>) -> bool {
        let given = text_of(item, "call_id").unwrap_or_default();
        let number = self.ids.call(&given);
        self.list.push(Call {
            place,
            kind: kind.to_owned(),
            result: None,
        });
        let sent = self.ids.sent(number);
        sent != given && put(item, "call_id", sent)
    }

    /// Takes a result. Returns whether it says anything new.
    fn result(&mut self, item: &mut Fields<'_>, is_changed: &mut bool) -> bool {
        let given = text_of(item, "call_id").unwrap_or_default();
        let said = item.get("output").map_or("", |said| said.get()).to_owned();
        match self.ids.result(&given) {
            Owner::Call(call) => {
                let sent = self.ids.sent(call);
                *is_changed |= sent != given && put(item, "call_id", sent);
                self.list[call].result = Some(said);
                true
            }
            Owner::Answered(call) if self.list[call].result.as_ref() == Some(&said) => {
                *is_changed = true;
                false
            }
            Owner::Answered(_) => become_users(item, &said, FURTHER, is_changed),
            Owner::Nobody => become_users(item, &said, ORPHAN, is_changed),
        }
    }

    /// The result that a call of a function lacks, and where it belongs.
    fn missing(&self, (number, call): (usize, &Call)) -> Option<(usize, Fields<'static>)> {
        let is_function = matches!(call.kind.as_str(), "function_call" | "custom_tool_call");
        if !is_function || call.result.is_some() {
            return None;
        }
        let id = self.ids.sent(number);
        let kind = format!("{}_output", call.kind);
        let result = json!({ "type": kind, "call_id": id, "output": NO_RESULT });
        Some((call.place + 1, serde_json::from_value(result).ok()?))
    }
}

/// Lets the user say what came out of a call that is not there.
fn become_users(item: &mut Fields<'_>, said: &str, note: &str, is_changed: &mut bool) -> bool {
    let content: Value = match serde_json::from_str(said) {
        Ok(Value::Array(mut parts)) => {
            parts.insert(0, json!({ "type": "input_text", "text": note }));
            parts.into()
        }
        Ok(Value::String(text)) => format!("{note}\n\n{text}").into(),
        _ => note.into(),
    };
    item.clear();
    *is_changed = true;
    put(item, "type", "message");
    put(item, "role", "user");
    if let Ok(content) = to_raw_value(&content) {
        item.insert("content".into(), Cow::Owned(content));
    }
    true
}

fn mend(item: &mut Fields<'_>) -> bool {
    let given = text_of(item, "arguments").unwrap_or_default();
    mended(&given).is_some_and(|better| put(item, "arguments", &better))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FURTHER, Fields, ORPHAN, repair};

    fn changed(items: &Value, is_whole: bool) -> Option<Value> {
        let text = items.to_string();
        let mut fields: Vec<Fields<'_>> = serde_json::from_str(&text).unwrap();
        let is_changed = repair(&mut fields, is_whole);
        let sent = serde_json::to_value(&fields).unwrap();
        assert_eq!(is_changed, sent != *items);
        assert!(!repair(&mut fields, is_whole), "once is enough: {sent}");
        is_changed.then_some(sent)
    }

    fn call(id: &str) -> Value {
        json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"})
    }

    fn result(id: &str, output: &str) -> Value {
        json!({"type": "function_call_output", "call_id": id, "output": output})
    }

    fn user(text: &str) -> Value {
        json!({"type": "message", "role": "user", "content": text})
    }

    #[test]
    fn what_is_in_order_is_not_touched() {
        let items = json!([
            {"role": "user", "content": "u"}, call("a"), call("b"), {"type": "reasoning", "id": "rs_1"},
            result("b", "2"), result("a", "1"), {"type": "web_search_call", "id": "ws_1"},
            {"type": "local_shell_call", "call_id": "s"},
        ]);
        assert_eq!(changed(&items, true), None);
        // What is stored elsewhere may have their calls.
        assert_eq!(changed(&json!([result("z", "1"), call("a")]), false), None);
    }

    #[test]
    fn every_call_has_one_result() {
        let custom = json!({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"});
        let items = json!([
            result("z", "lost"),
            call("a"),
            custom,
            call("b"),
            result("b", "2"),
            result("b", "2"),
            result("b", "3"),
            call("b")
        ]);
        let expected = json!([
            user(&format!("{ORPHAN}\n\nlost")),
            call("a"), result("a", "no result"),
            custom, {"type": "custom_tool_call_output", "call_id": "c", "output": "no result"},
            call("b"), result("b", "2"), user(&format!("{FURTHER}\n\n3")),
            call("b_3"), result("b_3", "no result"),
        ]);
        assert_eq!(changed(&items, true), Some(expected));
    }

    #[test]
    fn arguments_are_objects_and_ids_short() {
        let long = "x".repeat(70);
        let mut odd = call(&long);
        odd["arguments"] = "{\"x\":".into();
        let sent = changed(&json!([odd, result(&long, "1")]), true).unwrap();
        assert_eq!(sent[0]["arguments"], r#"{"arguments":"{\"x\":"}"#);
        assert!(sent[0]["call_id"].as_str().unwrap().len() <= 40);
        assert_eq!(sent[0]["call_id"], sent[1]["call_id"]);
    }
}
