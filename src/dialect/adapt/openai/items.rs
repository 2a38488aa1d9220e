//! The calls of tools in the input of a response, and their results, as every provider takes them.
//!
//! Only what must change does: what is in order stays byte for byte.

use serde_json::json;

use crate::dialect::adapt::calls::{Calls, by_user};
use crate::dialect::adapt::fields::{is, put, text_of, written};
use crate::dialect::conversation::history::NO_RESULT;
use crate::dialect::conversation::{Fate, mended, short_id};
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
    let mut history = History {
        calls: Calls::new(accepted),
        list: Vec::new(),
    };
    let mut was_call = false;
    let mut kept = Vec::with_capacity(items.len());
    for mut item in items.drain(..) {
        let kind = text_of(&item, "type").unwrap_or_default();
        let is_call = kind.ends_with("_call") && item.contains_key("call_id");
        if is_call && !was_call {
            history.calls.ids.begin_turn();
        }
        was_call = is_call;
        if is_call {
            is_changed |= history.calls.call(&mut item, "call_id");
            history.list.push(Call {
                place: kept.len(),
                kind,
                is_answered: false,
            });
        } else if kind.ends_with("_call_output") {
            let (keeps, has_changed) = history.result(&mut item);
            is_changed |= has_changed;
            if !keeps {
                continue;
            }
        }
        kept.push(item);
    }
    let calls = history.list.iter().enumerate();
    let mut missing = calls.filter_map(|call| history.missing(call)).peekable();
    is_changed |= missing.peek().is_some();
    for (place, item) in kept.into_iter().enumerate() {
        items.push(item);
        let result = missing.next_if(|(of, _)| *of == place);
        items.extend(result.map(|(_, result)| result));
    }
    is_changed
}

fn accepted(id: &str) -> String {
    let shorter = short_id(id).filter(|_| id.len() > LONGEST);
    shorter.unwrap_or_else(|| id.to_owned())
}

/// The calls so far.
struct History {
    calls: Calls,
    list: Vec<Call>,
}

struct Call {
    place: usize,
    kind: String,
    is_answered: bool,
}

impl History {
    /// Takes a result. Returns whether it says anything new, and whether it was changed.
    fn result(&mut self, item: &mut Fields<'_>) -> (bool, bool) {
        let (fate, is_renamed) = self.calls.result(item, "call_id", "output");
        match fate {
            Fate::Of(call) => {
                self.list[call].is_answered = true;
                (true, is_renamed)
            }
            Fate::Repeated => (false, true),
            Fate::Told(note) => {
                become_users(item, note);
                (true, true)
            }
        }
    }

    /// The result that a call of a function lacks, and where the call is.
    fn missing(&self, (number, call): (usize, &Call)) -> Option<(usize, Fields<'static>)> {
        let is_function = matches!(call.kind.as_str(), "function_call" | "custom_tool_call");
        if !is_function || call.is_answered {
            return None;
        }
        let id = self.calls.ids.sent(number);
        let kind = format!("{}_output", call.kind);
        let result = json!({ "type": kind, "call_id": id, "output": NO_RESULT });
        Some((call.place, serde_json::from_value(result).ok()?))
    }
}

/// Lets the user say what came out of a call that is not there.
fn become_users(item: &mut Fields<'_>, note: &str) {
    let content = by_user(note, written(item, "output"), "input_text");
    item.clear();
    put(item, "type", "message");
    put(item, "role", "user");
    put(item, "content", &content);
}

fn mend(item: &mut Fields<'_>) -> bool {
    let given = text_of(item, "arguments").unwrap_or_default();
    mended(&given).is_some_and(|better| put(item, "arguments", &better))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Fields, repair};
    use crate::dialect::conversation::{FURTHER, ORPHAN};

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
