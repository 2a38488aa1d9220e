//! The turns of a Messages request, of which some blocks change; everything else stays byte for byte.

use std::collections::{HashMap, HashSet};
use std::mem::take;
use std::ops::Range;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::dialect::adapt::calls::Calls;
use crate::dialect::adapt::fields::{is, put, read, written};
use crate::dialect::conversation::history::NO_RESULT;
use crate::dialect::conversation::{CallIds, Fate, mended};
use crate::dialect::messages::available;
use crate::wire::json::Fields;

/// The turns, in their order.
pub(super) struct Turns<'a> {
    list: Vec<Turn<'a>>,
    is_changed: bool,
}

/// What one side says; consecutive turns of one role count as one.
struct Turn<'a> {
    fields: Fields<'a>,
    /// `None`: it is one text.
    blocks: Option<Vec<Fields<'a>>>,
    is_changed: bool,
}

impl<'a> Turns<'a> {
    /// Reads the value of `messages`.
    pub(super) fn read(messages: &'a RawValue) -> Option<Self> {
        let list: Vec<Fields<'a>> = serde_json::from_str(messages.get()).ok()?;
        let list = list.into_iter().map(|fields| Turn {
            blocks: serde_json::from_str(written(&fields, "content")).ok(),
            fields,
            is_changed: false,
        });
        Some(Self {
            list: list.collect(),
            is_changed: false,
        })
    }

    /// The value of `messages`; `None`: nothing has changed.
    pub(super) fn written(self) -> Option<Box<RawValue>> {
        if !self.is_changed {
            return None;
        }
        let turns = self.list.into_iter().map(|mut turn| {
            if let Some(blocks) = turn.blocks.filter(|_| turn.is_changed) {
                put(&mut turn.fields, "content", &blocks);
            }
            turn.fields
        });
        to_raw_value(&turns.collect::<Vec<_>>()).ok()
    }

    /// Keeps only these blocks. Returns whether another one was there.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&Fields<'_>) -> bool) -> bool {
        let mut is_changed = false;
        for turn in &mut self.list {
            let Some(blocks) = &mut turn.blocks else {
                continue;
            };
            let before = blocks.len();
            blocks.retain(&mut keeps);
            turn.is_changed |= blocks.len() < before;
            is_changed |= blocks.len() < before;
        }
        self.is_changed |= is_changed;
        self.leave_empty();
        is_changed
    }

    /// The instructions amid the conversation become a user's, for a model that takes none there.
    pub(super) fn instruct_by_user(&mut self) {
        for turn in &mut self.list {
            if !is(&turn.fields, "role", "system") {
                continue;
            }
            self.is_changed |= put(&mut turn.fields, "role", "user");
            // Only the system adds tools: the user can but name them.
            for block in turn.blocks.iter_mut().flatten() {
                if let Some(text) = added_tool(block).as_deref().and_then(text) {
                    *block = text;
                    turn.is_changed = true;
                }
            }
        }
    }

    /// Whether the model's last turn calls tools and does not begin with such a block.
    pub(super) fn has_called_without(&self, begins: impl Fn(&Fields<'_>) -> bool) -> bool {
        let is_model = |turn: &&Turn<'_>| is(&turn.fields, "role", "assistant");
        let last = self.list.iter().rfind(is_model);
        let blocks = last.and_then(|turn| turn.blocks.as_ref());
        blocks
            .is_some_and(|blocks| blocks.iter().any(is_call) && !blocks.first().is_some_and(begins))
    }

    /// Leaves out the turns of which nothing is left.
    fn leave_empty(&mut self) {
        let is_left = |turn: &Turn<'_>| {
            !turn.is_changed || turn.blocks.as_ref().is_none_or(|blocks| !blocks.is_empty())
        };
        self.list.retain(is_left);
    }

    /// Repairs the calls: their input is an object, their ids are unique and accepted, and their results stand right behind
    /// them, before anything else. What has no call is said by the user. Returns whether that changes anything.
    pub(super) fn repair(&mut self, accepted: fn(&str) -> String) -> bool {
        let mut calls = Calls::new(accepted);
        let mut places = Vec::new();
        let mut is_changed = false;
        let mut was_model = false;
        for (place, turn) in self.list.iter_mut().enumerate() {
            let is_model = is(&turn.fields, "role", "assistant");
            if is_model && !was_model {
                calls.ids.begin_turn();
            }
            was_model = is_model;
            let Some(blocks) = &mut turn.blocks else {
                continue;
            };
            if !blocks
                .iter()
                .any(|block| is_call(block) || is_result(block))
            {
                continue;
            }
            for mut block in take(blocks) {
                if is_call(&block) {
                    places.push(place);
                    turn.is_changed |= calls.call(&mut block, "id") | mend(&mut block);
                } else if is_result(&block) {
                    let (fate, is_renamed) = calls.result(&mut block, "tool_use_id", "content");
                    let stays = matches!(fate, Fate::Of(_));
                    turn.is_changed |= is_renamed || !stays;
                    if let Fate::Told(note) = fate {
                        blocks.extend(text(note));
                        blocks.extend(said_in(&block));
                    }
                    if !stays {
                        continue;
                    }
                }
                blocks.push(block);
            }
            is_changed |= turn.is_changed;
        }
        is_changed |= self.place(&calls.ids, &places);
        self.is_changed |= is_changed;
        self.leave_empty();
        is_changed
    }

    /// Puts the results of each run of calls in a turn of their own, unless they stand where they belong.
    fn place(&mut self, ids: &CallIds, places: &[usize]) -> bool {
        let runs = self.runs_without_results(ids, places);
        if runs.is_empty() {
            return false;
        }
        let calls = runs.iter().flat_map(|(_, calls)| calls.clone());
        let mut results = self.take_results(calls.map(|call| ids.sent(call)).collect());
        let mut runs = runs.into_iter().peekable();
        for (place, turn) in take(&mut self.list).into_iter().enumerate() {
            self.list.push(turn);
            let Some((_, calls)) = runs.next_if(|(of, _)| *of == place) else {
                continue;
            };
            let mut turn = Turn {
                fields: Fields::new(),
                blocks: Some(
                    calls
                        .map(|call| ids.sent(call))
                        .filter_map(|id| results.remove(id).or_else(|| missing(id)))
                        .collect(),
                ),
                is_changed: true,
            };
            put(&mut turn.fields, "role", "user");
            self.list.push(turn);
        }
        true
    }

    /// The runs of calls whose results do not all stand right behind them: the place of the last turn of each, and its calls.
    fn runs_without_results(&self, ids: &CallIds, places: &[usize]) -> Vec<(usize, Range<usize>)> {
        let mut runs = Vec::new();
        let mut call = 0;
        let is_model = |turn: &Turn<'_>| is(&turn.fields, "role", "assistant");
        for (place, turn) in self.list.iter().enumerate() {
            let is_last = !self.list.get(place + 1).is_some_and(is_model);
            if !is_last || !is_model(turn) {
                continue;
            }
            let first = call;
            while places.get(call).is_some_and(|of| *of <= place) {
                call += 1;
            }
            if !self.has_all_behind(place, (first..call).map(|call| ids.sent(call))) {
                runs.push((place, first..call));
            }
        }
        runs
    }

    /// Whether the results with these ids follow the turn at this place, and nothing comes before them.
    fn has_all_behind<'i>(&self, place: usize, mut ids: impl Iterator<Item = &'i str>) -> bool {
        let users = self.list[place + 1..]
            .iter()
            .take_while(|turn| is(&turn.fields, "role", "user"));
        let mut first: HashSet<&str> = HashSet::new();
        for turn in users {
            let blocks = turn.blocks.as_deref().unwrap_or_default();
            let count = blocks.iter().take_while(|block| is_result(block)).count();
            first.extend(blocks[..count].iter().map(answered));
            if first.is_empty() || turn.blocks.is_none() || count < blocks.len() {
                break;
            }
        }
        ids.all(|id| first.contains(id))
    }

    /// Takes the results with these ids.
    fn take_results(&mut self, ids: HashSet<&str>) -> HashMap<String, Fields<'a>> {
        let mut taken = HashMap::new();
        for turn in &mut self.list {
            let Some(blocks) = &mut turn.blocks else {
                continue;
            };
            let is_one = |block: &mut Fields<'a>| is_result(block) && ids.contains(answered(block));
            for result in blocks.extract_if(.., is_one) {
                turn.is_changed = true;
                taken.insert(answered(&result).to_owned(), result);
            }
        }
        taken
    }
}

/// The id of the call that a result is of.
fn answered<'a>(result: &'a Fields<'_>) -> &'a str {
    written(result, "tool_use_id").trim_matches('"')
}

/// What a result says, as blocks.
fn said_in(result: &Fields<'_>) -> Vec<Fields<'static>> {
    match read(result, "content") {
        Some(Value::String(said)) => text(&said).into_iter().collect(),
        Some(Value::Array(blocks)) => {
            let blocks = blocks.into_iter();
            blocks
                .filter_map(|block| serde_json::from_value(block).ok())
                .collect()
        }
        _ => Vec::new(),
    }
}

fn added_tool(block: &Fields<'_>) -> Option<String> {
    let tool: Value = read(block, "tool").filter(|_| is(block, "type", "tool_addition"))?;
    Some(available(tool["name"].as_str()?))
}

fn text(text: &str) -> Option<Fields<'static>> {
    serde_json::from_value(json!({ "type": "text", "text": text })).ok()
}

fn missing(id: &str) -> Option<Fields<'static>> {
    let result =
        json!({ "type": "tool_result", "tool_use_id": id, "is_error": true, "content": NO_RESULT });
    serde_json::from_value(result).ok()
}

/// Repairs the input of a call. Returns whether that changes anything.
fn mend(block: &mut Fields<'_>) -> bool {
    let given = written(block, "input");
    let text: Option<String> = serde_json::from_str(given).ok();
    let better = mended(text.as_deref().unwrap_or(given));
    let Some(better) = better.or_else(|| text.filter(|_| !given.starts_with('{'))) else {
        return false;
    };
    RawValue::from_string(better).is_ok_and(|better| put(block, "input", &better))
}

fn is_call(block: &Fields<'_>) -> bool {
    is(block, "type", "tool_use")
}

fn is_result(block: &Fields<'_>) -> bool {
    is(block, "type", "tool_result")
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::Turns;
    use crate::dialect::conversation::{FURTHER, ORPHAN};

    fn repaired(messages: &Value) -> Option<Value> {
        let raw = to_raw_value(messages).unwrap();
        let mut turns = Turns::read(&raw).unwrap();
        let is_changed = turns.repair(|id| id.replace('.', "_"));
        let sent = turns
            .written()
            .map(|sent| serde_json::from_str(sent.get()).unwrap());
        assert_eq!(is_changed, sent.is_some());
        if let Some(sent) = &sent {
            let raw = to_raw_value(sent).unwrap();
            assert!(
                !Turns::read(&raw).unwrap().repair(str::to_owned),
                "once is enough: {sent}"
            );
        }
        sent
    }

    fn user(content: Value) -> Value {
        json!({ "role": "user", "content": content })
    }

    fn model(content: Value) -> Value {
        json!({ "role": "assistant", "content": content })
    }

    fn call(id: &str) -> Value {
        json!({"type": "tool_use", "id": id, "name": "f", "input": {}})
    }

    fn result(id: &str, text: &str) -> Value {
        json!({"type": "tool_result", "tool_use_id": id, "content": text})
    }

    fn missing(id: &str) -> Value {
        json!({"type": "tool_result", "tool_use_id": id, "is_error": true, "content": "no result"})
    }

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    #[test]
    fn what_is_in_order_is_not_touched() {
        let messages = json!([
            user("u".into()),
            model(json!([text("x"), call("a"), call("b")])),
            user(json!([result("b", "2"), result("a", "1"), text("v")])),
            model(json!([call("c")])),
            model(json!([call("d")])),
            user(json!([result("d", "4")])),
            user(json!([result("c", "3")])),
            model("bye".into()),
        ]);
        assert_eq!(repaired(&messages), None);
    }

    #[test]
    fn every_call_has_one_result_right_behind_it() {
        let messages = json!([
            user(json!([result("z", "lost")])),
            model(json!([call("a"), call("b"), call("c")])),
            user(json!([
                text("u"),
                result("b", "2"),
                result("b", "2"),
                result("b", "other")
            ])),
            model("hm".into()),
            user(json!([result("a", "1")])),
            model(json!([call("d")])),
        ]);
        let expected = json!([
            user(json!([text(ORPHAN), text("lost")])),
            model(json!([call("a"), call("b"), call("c")])),
            user(json!([result("a", "1"), result("b", "2"), missing("c")])),
            user(json!([text("u"), text(FURTHER), text("other")])),
            model("hm".into()),
            model(json!([call("d")])),
            user(json!([missing("d")])),
        ]);
        assert_eq!(repaired(&messages), Some(expected));
    }

    #[test]
    fn ids_are_told_apart_and_inputs_are_objects() {
        let odd = |id: &str, input: Value| json!({"type": "tool_use", "id": id, "name": "f", "input": input});
        let messages = json!([
            model(json!([odd("a.b", json!("{\"x\":")), odd("c", json!(null))])),
            user(json!([result("a.b", "1"), result("c", "2")])),
            model(json!([odd("c", json!("{\"x\":1}"))])),
            user(json!([result("c", "3")])),
        ]);
        let expected = json!([
            model(json!([
                odd("a_b", json!({"arguments": "{\"x\":"})),
                odd("c", json!({}))
            ])),
            user(json!([result("a_b", "1"), result("c", "2")])),
            model(json!([odd("c_2", json!({"x": 1}))])),
            user(json!([result("c_2", "3")])),
        ]);
        assert_eq!(repaired(&messages), Some(expected));
    }
}
