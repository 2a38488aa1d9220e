//! The calls of tools in a chat's history, and their results, as every provider takes them.
//!
//! Only what must change does: what is in order stays byte for byte.

use std::borrow::Cow;

use serde_json::json;

use crate::catalogue::CallIds as Accepted;
use crate::dialect::adapt::calls::{Calls, by_user};
use crate::dialect::adapt::fields::{change_calls, change_function, is, put, written};
use crate::dialect::conversation::history::NO_RESULT;
use crate::dialect::conversation::{Fate, form_of, mended};
use crate::wire::json::Fields;

/// Repairs the history: arguments are the JSON of an object, ids are unique and accepted, and each call has one result, right
/// behind it. What has no call is said by the user. Returns whether that changes anything.
pub(super) fn repair(messages: &mut Vec<Fields<'_>>, accepted: Accepted) -> bool {
    let mut history = History::new(accepted);
    let mut is_changed = false;
    for (place, message) in messages.iter_mut().enumerate() {
        is_changed |= history.read(place, message);
    }
    let order = history.order(messages.len());
    if order.iter().copied().eq((0..messages.len()).map(Slot::At)) {
        return is_changed;
    }
    let mut said: Vec<Option<Fields<'_>>> = messages.drain(..).map(Some).collect();
    messages.extend(order.into_iter().filter_map(|slot| match slot {
        Slot::At(place) => said[place].take(),
        Slot::Missing(call) => missing(history.calls.ids.sent(call)),
    }));
    true
}

/// What stands at a place of the repaired history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// The message that was at this place.
    At(usize),
    /// A result for this call.
    Missing(usize),
}

/// The history while it is read.
struct History {
    calls: Calls,
    /// For each call the place of its message.
    places: Vec<usize>,
    /// For each call the place of its result.
    results: Vec<Option<usize>>,
    /// Results that say nothing new.
    repeated: Vec<usize>,
}

impl History {
    fn new(accepted: Accepted) -> Self {
        Self {
            calls: Calls::new(form_of(accepted)),
            places: Vec::new(),
            results: Vec::new(),
            repeated: Vec::new(),
        }
    }

    /// Takes a message. Returns whether it was changed.
    fn read(&mut self, place: usize, message: &mut Fields<'_>) -> bool {
        if is(message, "role", "tool") {
            return self.result(place, message);
        }
        self.calls.ids.begin_turn();
        change_calls(message, |call| {
            self.places.push(place);
            self.results.push(None);
            self.calls.call(call, "id") | mend(call)
        })
    }

    fn result(&mut self, place: usize, message: &mut Fields<'_>) -> bool {
        let (fate, is_renamed) = self.calls.result(message, "tool_call_id", "content");
        match fate {
            Fate::Of(call) => {
                self.results[call] = Some(place);
                is_renamed
            }
            Fate::Repeated => {
                self.repeated.push(place);
                true
            }
            Fate::Told(note) => become_users(message, note),
        }
    }

    /// The messages as they follow each other: results behind their calls, as they came.
    fn order(&self, count: usize) -> Vec<Slot> {
        let mut moved: Vec<usize> = self.results.iter().copied().flatten().collect();
        moved.extend_from_slice(&self.repeated);
        moved.sort_unstable();
        let mut order = Vec::with_capacity(count + 1);
        let mut call = 0;
        for place in 0..count {
            if moved.binary_search(&place).is_ok() {
                continue;
            }
            order.push(Slot::At(place));
            let first = call;
            while self.places.get(call) == Some(&place) {
                call += 1;
            }
            let mut results: Vec<usize> = self.results[first..call]
                .iter()
                .copied()
                .flatten()
                .collect();
            results.sort_unstable();
            order.extend(results.into_iter().map(Slot::At));
            let without = (first..call).filter(|call| self.results[*call].is_none());
            order.extend(without.map(Slot::Missing));
        }
        order
    }
}

/// Repairs the arguments of a call. Returns whether that changes anything.
fn mend(call: &mut Fields<'_>) -> bool {
    change_function(call, |function| {
        let given = written(function, "arguments");
        let better = match serde_json::from_str::<Cow<'_, str>>(given) {
            Ok(text) => mended(&text),
            Err(_) if given.is_empty() => mended(given),
            // Not in a text.
            Err(_) => Some(mended(given).unwrap_or_else(|| given.to_owned())),
        };
        better.is_some_and(|better| put(function, "arguments", &better))
    })
}

/// Lets the user say what came out of a call that is not there.
fn become_users(message: &mut Fields<'_>, note: &str) -> bool {
    let content = by_user(note, written(message, "content"), "text");
    message.shift_remove("tool_call_id");
    message.shift_remove("name");
    put(message, "content", &content) && put(message, "role", "user")
}

fn missing(id: &str) -> Option<Fields<'static>> {
    serde_json::from_value(json!({ "role": "tool", "tool_call_id": id, "content": NO_RESULT })).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Fields, repair};
    use crate::catalogue::CallIds;
    use crate::dialect::conversation::{FURTHER, ORPHAN};

    fn changed(messages: &Value, accepted: CallIds) -> Option<Value> {
        let text = messages.to_string();
        let mut fields: Vec<Fields<'_>> = serde_json::from_str(&text).unwrap();
        let is_changed = repair(&mut fields, accepted);
        let sent = serde_json::to_value(&fields).unwrap();
        assert_eq!(is_changed, sent != *messages);
        assert!(!repair(&mut fields, accepted), "once is enough: {sent}");
        is_changed.then_some(sent)
    }

    fn calls(ids: &[&str]) -> Value {
        let calls: Vec<Value> = ids
            .iter()
            .map(|id| json!({"id": id, "function": {"name": "f", "arguments": "{}"}}))
            .collect();
        json!({ "role": "assistant", "tool_calls": calls })
    }

    fn tool(id: &str, content: &str) -> Value {
        json!({"role": "tool", "tool_call_id": id, "content": content})
    }

    fn user(text: &str) -> Value {
        json!({"role": "user", "content": text})
    }

    #[test]
    fn what_is_in_order_is_not_touched() {
        let messages = json!([
            {"role": "system", "content": "s"},
            user("u"), calls(&["a", "b"]), tool("b", "2"), tool("a", "1"), user("v"),
            {"role": "assistant", "content": "x"}, calls(&["c"]), tool("c", "3"),
        ]);
        assert_eq!(changed(&messages, CallIds::Any), None);
        assert_eq!(changed(&messages, CallIds::Short), None);
    }

    #[test]
    fn every_call_has_one_result_behind_it() {
        let messages = json!([
            tool("z", "lost"),
            calls(&["a", "b", "c"]), {"role": "system", "content": "s"}, tool("b", "2"), user("u"), tool("a", "1"), tool("b", "2"), tool("b", "other"),
            calls(&["d"]),
        ]);
        let expected = json!([
            user(&format!("{ORPHAN}\n\nlost")),
            calls(&["a", "b", "c"]), tool("b", "2"), tool("a", "1"), tool("c", "no result"),
            {"role": "system", "content": "s"}, user("u"), user(&format!("{FURTHER}\n\nother")),
            calls(&["d"]), tool("d", "no result"),
        ]);
        assert_eq!(changed(&messages, CallIds::Any), Some(expected));
    }

    #[test]
    fn calls_with_the_same_id_are_told_apart() {
        let messages = json!([
            calls(&["c", "c"]),
            tool("c", "1"),
            tool("c", "2"),
            calls(&["d", "c"]),
            tool("c", "4"),
            tool("d", "3")
        ]);
        let expected = json!([
            calls(&["c", "c_1"]),
            tool("c", "1"),
            tool("c_1", "2"),
            calls(&["d", "c_3"]),
            tool("c_3", "4"),
            tool("d", "3")
        ]);
        assert_eq!(changed(&messages, CallIds::Any), Some(expected));
    }

    #[test]
    fn arguments_are_objects() {
        let with = |arguments: Value| json!([{"role": "assistant", "tool_calls": [{"id": "a", "function": {"arguments": arguments}}]}, tool("a", "1")]);
        for (given, expected) in [
            (json!("{\"x\":"), json!("{\"arguments\":\"{\\\"x\\\":\"}")),
            (json!(""), json!("{}")),
            (json!(null), json!("{}")),
            (json!({"x": 1}), json!("{\"x\":1}")),
        ] {
            assert_eq!(changed(&with(given), CallIds::Any), Some(with(expected)));
        }
        assert_eq!(changed(&with(json!(" {\"x\": 1.0} ")), CallIds::Any), None);
    }

    #[test]
    fn ids_are_put_as_each_provider_takes_them() {
        let messages = json!([
            calls(&["call_1", "abcDEF123"]),
            tool("call_1", "x"),
            tool("abcDEF123", "y")
        ]);
        let sent = changed(&messages, CallIds::Nine).unwrap();
        let id = sent[0]["tool_calls"][0]["id"].as_str().unwrap();
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(
            (&sent[1]["tool_call_id"], &sent[0]["tool_calls"][1]["id"]),
            (&json!(id), &json!("abcDEF123"))
        );
        let long = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
        let sent = changed(&json!([calls(&[long]), tool(long, "x")]), CallIds::Short).unwrap();
        let id = sent[0]["tool_calls"][0]["id"].as_str().unwrap();
        assert!(id.len() <= 40 && sent[1]["tool_call_id"] == id, "{sent}");
    }
}
