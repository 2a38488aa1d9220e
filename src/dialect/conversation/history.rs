//! Repair of what was said before, so that every API takes it.

use std::mem::take;

use super::arguments::mended;
use super::ids::{CallIds, Fate};
use super::request::{CallResult, Content, Input, Part, Role, Turn};

/// What a call without a result is told to have had.
pub const NO_RESULT: &str = "no result";

/// Repairs the turns. Behind it:
///
/// - turns of one role never follow each other, except for system turns; the instructions at the beginning stay there;
/// - every call has an id that is accepted and unique, and arguments that are the JSON of an object (or a text);
/// - right behind each assistant's turn with calls comes a user's turn that begins with exactly one result for each call, in
///   their order; a missing one says so, as an error. Nothing that came out of a call is lost: results without a call, and
///   further results of one, are texts of the user.
pub fn repair(turns: &mut Vec<Turn>, accepted: fn(&str) -> String) {
    let mut ids = CallIds::new(accepted);
    let mut results = Vec::new();
    for turn in turns.iter_mut() {
        if turn.role == Role::Assistant {
            ids.begin_turn();
        }
        for part in &mut turn.parts {
            if let Content::Call(call) = &mut part.content {
                let number = ids.call(&call.id);
                ids.sent(number).clone_into(&mut call.id);
                results.push(None);
                if let Input::Json(arguments) = &mut call.input
                    && let Some(better) = mended(arguments)
                {
                    *arguments = better;
                }
            }
        }
        if turn.parts.iter().any(is_result) {
            let parts = take(&mut turn.parts).into_iter();
            turn.parts = parts
                .flat_map(|part| place(part, &mut ids, &mut results))
                .collect();
        }
    }
    let mut sent = Told {
        turns: Vec::with_capacity(turns.len() + 1),
        ids,
        results,
        answered: 0,
        called: 0,
    };
    for turn in take(turns) {
        sent.turn(turn);
    }
    sent.answer();
    *turns = sent.turns;
}

fn is_result(part: &Part) -> bool {
    matches!(part.content, Content::Result(_))
}

fn is_call(part: &Part) -> bool {
    matches!(part.content, Content::Call(_))
}

/// Puts a result where its call finds it; what has no call stays where it is, as text.
fn place(part: Part, ids: &mut CallIds, results: &mut [Option<Part>]) -> Vec<Part> {
    let Content::Result(result) = part.content else {
        return vec![part];
    };
    let note = match ids.result(&result.id, |call| is_same(&results[call], &result)) {
        Fate::Of(number) => {
            let id = ids.sent(number).to_owned();
            let content = Content::Result(CallResult { id, ..result });
            results[number] = Some(Part { content, ..part });
            return Vec::new();
        }
        Fate::Repeated => return Vec::new(),
        Fate::Told(note) => note,
    };
    let mut parts = result.parts;
    if !parts.is_empty() {
        parts.insert(0, Part::text(note));
    }
    if let Some(last) = parts.last_mut() {
        last.cache = part.cache;
    }
    parts
}

fn is_same(known: &Option<Part>, result: &CallResult) -> bool {
    let Some(Content::Result(known)) = known.as_ref().map(|part| &part.content) else {
        return false;
    };
    known.parts == result.parts
}

/// The turns in their order, while they are told.
struct Told {
    turns: Vec<Turn>,
    ids: CallIds,
    /// By the number of the call.
    results: Vec<Option<Part>>,
    /// How many calls have had their results.
    answered: usize,
    /// How many calls have been told.
    called: usize,
}

impl Told {
    fn turn(&mut self, turn: Turn) {
        if turn.role == Role::Assistant {
            self.called += turn.parts.iter().filter(|part| is_call(part)).count();
        } else {
            self.answer();
        }
        Turn::push(&mut self.turns, turn.role, turn.parts);
    }

    /// Tells the results of the calls so far.
    fn answer(&mut self) {
        let numbers = take(&mut self.answered)..self.called;
        self.answered = self.called;
        let parts = numbers.map(|number| {
            let result = self.results[number].take();
            result.unwrap_or_else(|| missing(self.ids.sent(number)))
        });
        Turn::push(&mut self.turns, Role::User, parts.collect());
    }
}

fn missing(id: &str) -> Part {
    Part::result(id.to_owned(), vec![Part::text(NO_RESULT)], true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::request::{BREAK, Call, CallResult, Content, Input, Part, Role, Turn};
    use super::{NO_RESULT, repair};
    use crate::dialect::conversation::{FURTHER, ORPHAN};

    fn turn(role: Role, parts: Vec<Part>) -> Turn {
        Turn { role, parts }
    }

    fn user(parts: Vec<Part>) -> Turn {
        turn(Role::User, parts)
    }

    fn model(parts: Vec<Part>) -> Turn {
        turn(Role::Assistant, parts)
    }

    fn system(text: &str) -> Turn {
        turn(Role::System, vec![Part::text(text)])
    }

    fn call_with(id: &str, arguments: &str) -> Part {
        Part::new(Content::Call(Call {
            id: id.to_owned(),
            name: "f".to_owned(),
            namespace: None,
            input: Input::Json(arguments.to_owned()),
        }))
    }

    fn call(id: &str) -> Part {
        call_with(id, "{}")
    }

    fn result(id: &str, text: &str) -> Part {
        Part::new(Content::Result(CallResult {
            id: id.to_owned(),
            parts: vec![Part::text(text)],
            is_error: text == NO_RESULT,
        }))
    }

    fn text(text: &str) -> Part {
        Part::text(text)
    }

    fn repaired(mut turns: Vec<Turn>) -> Vec<Turn> {
        repair(&mut turns, str::to_owned);
        let once = turns.clone();
        repair(&mut turns, str::to_owned);
        assert_eq!(turns, once, "a second repair changes nothing");
        turns
    }

    #[test]
    fn results_stand_right_behind_their_calls() {
        let turns = vec![
            system("s"),
            user(vec![text("u")]),
            user(vec![text("v")]),
            model(vec![text("hm")]),
            model(vec![call("a"), call("b"), call("c")]),
            system("t"),
            user(vec![result("b", "2"), text("w"), result("a", "1")]),
            model(vec![call("d")]),
            user(vec![]),
            model(vec![text("x")]),
            user(vec![result("d", "4")]),
            model(vec![text("y")]),
        ];
        let expected = vec![
            system("s"),
            user(vec![text("u"), text("v")]),
            model(vec![text("hm"), call("a"), call("b"), call("c")]),
            user(vec![
                result("a", "1"),
                result("b", "2"),
                result("c", NO_RESULT),
            ]),
            system("t"),
            user(vec![text("w")]),
            model(vec![call("d")]),
            user(vec![result("d", "4")]),
            model(vec![text("x"), text(BREAK), text("y")]),
        ];
        assert_eq!(repaired(turns), expected);
    }

    #[test]
    fn nothing_that_came_out_of_a_call_is_lost() {
        let turns = vec![
            user(vec![result("z", "lost")]),
            model(vec![call("a")]),
            user(vec![
                result("a", "1"),
                result("a", "1"),
                result("a", "2"),
                text("go on"),
            ]),
        ];
        let expected = vec![
            user(vec![text(ORPHAN), text("lost")]),
            model(vec![call("a")]),
            user(vec![
                result("a", "1"),
                text(FURTHER),
                text("2"),
                text("go on"),
            ]),
        ];
        assert_eq!(repaired(turns), expected);
    }

    #[test]
    fn equal_ids_are_told_apart_and_arguments_are_objects() {
        let turns = vec![
            model(vec![call("c"), call("c")]),
            user(vec![result("c", "1"), result("c", "2")]),
            model(vec![call_with("c", "{\"a"), call_with("", "")]),
        ];
        let expected = vec![
            model(vec![call("c"), call("c_1")]),
            user(vec![result("c", "1"), result("c_1", "2")]),
            model(vec![
                call_with("c_2", r#"{"arguments":"{\"a"}"#),
                call("call"),
            ]),
            user(vec![result("c_2", NO_RESULT), result("call", NO_RESULT)]),
        ];
        assert_eq!(repaired(turns), expected);
    }

    /// Turns in any order, with few ids, so that everything that can go wrong does.
    fn any_turns() -> impl Strategy<Value = Vec<Turn>> {
        let id = prop_oneof![Just("a"), Just("b"), Just("")];
        let part = (id, 0..5_u8).prop_map(|(id, kind)| match kind {
            0 => text("t"),
            1 | 2 => call_with(id, if kind == 1 { "{}" } else { "{" }),
            _ => result(id, if kind == 3 { "1" } else { "2" }),
        });
        let role = prop_oneof![Just(Role::User), Just(Role::Assistant), Just(Role::System)];
        let turn = (role, proptest::collection::vec(part, 0..5)).prop_map(|(role, mut parts)| {
            let said_by_model = |part: &Part| matches!(part.content, Content::Call(_));
            let said_by_user = |part: &Part| matches!(part.content, Content::Result(_));
            parts.retain(|part| match role {
                Role::System => part.as_text().is_some(),
                Role::User => !said_by_model(part),
                Role::Assistant => !said_by_user(part),
            });
            turn(role, parts)
        });
        proptest::collection::vec(turn, 0..9)
    }

    fn ids(turn: Option<&Turn>, of: fn(&Part) -> Option<&str>) -> Vec<&str> {
        let parts = turn.map_or(&[][..], |turn| turn.parts.as_slice());
        parts.iter().filter_map(of).collect()
    }

    fn call_id(part: &Part) -> Option<&str> {
        match &part.content {
            Content::Call(call) => Some(&call.id),
            _ => None,
        }
    }

    fn result_id(part: &Part) -> Option<&str> {
        match &part.content {
            Content::Result(result) => Some(&result.id),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn what_is_promised_holds_for_any_history(turns in any_turns()) {
            let given = turns.iter().flat_map(|turn| &turn.parts).filter(|part| call_id(part).is_some()).count();
            let turns = repaired(turns);
            let mut known = Vec::new();
            for (place, turn) in turns.iter().enumerate() {
                let next = turns.get(place + 1);
                prop_assert!(!turn.parts.is_empty());
                prop_assert!(turn.role == Role::System || next.is_none_or(|next| next.role != turn.role));
                let calls = ids(Some(turn), call_id);
                let results = if turn.role == Role::Assistant { ids(next, result_id) } else { calls.clone() };
                prop_assert_eq!(&calls, &results);
                let first = next.map_or(&[][..], |next| &next.parts[..calls.len().min(next.parts.len())]);
                prop_assert!(calls.is_empty() || first.iter().all(|part| result_id(part).is_some()));
                known.extend(calls);
            }
            prop_assert_eq!(known.len(), given);
            let unique: std::collections::HashSet<_> = known.iter().collect();
            prop_assert_eq!(unique.len(), known.len());
        }
    }
}
