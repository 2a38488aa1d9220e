//! The ids of tool calls.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::catalogue::CallIds as Accepted;
use crate::wire::json::fingerprint;

/// `OpenAI` accepts no longer ids of tool calls in a chat.
const LONGEST: usize = 40;

/// The id that a client gets for a call, and sends back to whichever upstream serves its next request: in a form that
/// every API accepts. vLLM gives 46 characters, or `functions.f:0` again in every answer, which Anthropic rejects;
/// some give none.
pub fn call_id(given: &str) -> String {
    if given.is_empty() || short_id(given).is_some() {
        return new_call_id();
    }
    given.to_owned()
}

/// A replacement for an id that some API rejects, always the same for the same id; `None`: the id is fine.
pub fn short_id(id: &str) -> Option<String> {
    if id.len() <= LONGEST && id.chars().all(is_fine) {
        return None;
    }
    Some(format!("call_{:016x}", fingerprint(id.as_bytes())))
}

/// How ids are put so that a provider accepts them.
pub fn form_of(accepted: Accepted) -> fn(&str) -> String {
    match accepted {
        Accepted::Any => str::to_owned,
        Accepted::Short => |id| short_id(id).unwrap_or_else(|| id.to_owned()),
        Accepted::Nine => nine_letters,
    }
}

/// An id in letters, digits, `_` and `-`, which is what Anthropic accepts; some upstreams give others:
/// `functions.get_weather:0`.
pub fn plain_id(id: &str) -> String {
    let plain = |letter| if is_fine(letter) { letter } else { '_' };
    id.chars().map(plain).collect()
}

/// Whether a letter may be in an id or in the name of a tool, wherever they go.
pub(super) fn is_fine(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

/// Nine letters and digits for an id, always the same for the same id.
fn nine_letters(id: &str) -> String {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    let mut number = fingerprint(id.as_bytes());
    let letters = (0..9).map(|_| {
        let letter = LETTERS[(number % 36) as usize];
        number /= 36;
        char::from(letter)
    });
    letters.collect()
}

/// An id that no other call has: clients use it to distinguish the calls of a whole conversation.
pub fn new_call_id() -> String {
    format!("call_{:016x}", fastrand::u64(..))
}

/// The ids of a conversation's calls: which result belongs to which call, and the ids that are sent in their place, which
/// must be unique and accepted by the upstream. Some upstreams start again with every answer (`call_0`).
#[derive(Debug)]
pub struct CallIds {
    /// Turns an id into one that the upstream accepts.
    accepted: fn(&str) -> String,
    sent: HashSet<String>,
    /// The number that the next id gets which is taken: none is tried twice.
    free: usize,
    /// By the number of the call.
    calls: Vec<String>,
    by_id: HashMap<String, SameId>,
    /// How many turns have begun.
    turn: usize,
}

/// The calls that have the same id.
#[derive(Debug, Default)]
struct SameId {
    /// Those without a result: the number of their turn, and theirs, in order.
    open: Vec<(usize, VecDeque<usize>)>,
    /// The one that had the last result.
    answered: Option<usize>,
}

/// What becomes of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is the result of the call with this number.
    Of(usize),
    /// It says again what is known, and is left out.
    Repeated,
    /// No call waits for it: the user says it, behind these words.
    Told(&'static str),
}

/// What is said before a result whose call is not there.
pub const ORPHAN: &str = "The result of a tool call that is no longer part of this conversation:";
/// What is said before a further result of a call.
pub const FURTHER: &str = "A further result of an earlier tool call:";

/// To which call a result belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// To the call with this number.
    Call(usize),
    /// To the call with this number, which has a result already.
    Answered(usize),
    /// To none that is known.
    Nobody,
}

impl CallIds {
    /// For an upstream whose ids have this form.
    pub fn new(accepted: fn(&str) -> String) -> Self {
        Self {
            accepted,
            sent: HashSet::new(),
            free: 0,
            calls: Vec::new(),
            by_id: HashMap::new(),
            turn: 0,
        }
    }

    /// Another turn of the model begins.
    pub fn begin_turn(&mut self) {
        self.turn += 1;
    }

    /// Takes a call, and gives it a number: the first has 0.
    pub fn call(&mut self, id: &str) -> usize {
        let number = self.calls.len();
        let id_or_name = if id.is_empty() { "call" } else { id };
        let mut sent = (self.accepted)(id_or_name);
        // The number of the call finds a free one at once, as a rule.
        self.free = self.free.max(number);
        while !self.sent.insert(sent.clone()) {
            sent = (self.accepted)(&format!("{id_or_name}_{}", self.free));
            self.free += 1;
        }
        self.calls.push(sent);
        let open = &mut self.by_id.entry(id.to_owned()).or_default().open;
        match open.last_mut() {
            Some((turn, calls)) if *turn == self.turn => calls.push_back(number),
            _ => open.push((self.turn, VecDeque::from([number]))),
        }
        number
    }

    /// Takes a result. `is_same`: whether it says what the result of the call with this number says.
    pub fn result(&mut self, id: &str, is_same: impl FnOnce(usize) -> bool) -> Fate {
        match self.owner(id) {
            Owner::Call(number) => Fate::Of(number),
            Owner::Answered(number) if is_same(number) => Fate::Repeated,
            Owner::Answered(_) => Fate::Told(FURTHER),
            Owner::Nobody => Fate::Told(ORPHAN),
        }
    }

    /// A result belongs to the latest turn that has a call with its id and without a result, there to the first.
    fn owner(&mut self, id: &str) -> Owner {
        let Some(same) = self.by_id.get_mut(id) else {
            return Owner::Nobody;
        };
        let Some((_, calls)) = same.open.last_mut() else {
            return same.answered.map_or(Owner::Nobody, Owner::Answered);
        };
        let number = calls.pop_front();
        if calls.is_empty() {
            same.open.pop();
        }
        same.answered = number.or(same.answered);
        number.map_or(Owner::Nobody, Owner::Call)
    }

    /// The id that is sent for the call with this number.
    pub fn sent(&self, call: usize) -> &str {
        self.calls.get(call).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{CallIds, Fate, Owner, call_id};

    fn ids() -> CallIds {
        CallIds::new(|id| id.replace('.', "_"))
    }

    #[test]
    fn results_find_their_calls() {
        let mut ids = ids();
        for turn in 0..2 {
            ids.begin_turn();
            assert_eq!((ids.call("c"), ids.call("c")), (2 * turn, 2 * turn + 1));
        }
        // The first turn's second result is missing, and comes late.
        let owners = ["c", "c", "c", "c", "c", "d"].map(|id| ids.owner(id));
        let expected = [
            Owner::Call(2),
            Owner::Call(3),
            Owner::Call(0),
            Owner::Call(1),
            Owner::Answered(1),
            Owner::Nobody,
        ];
        assert_eq!(owners, expected);
    }

    #[test]
    fn ids_are_unique_and_accepted() {
        let mut ids = ids();
        let sent = ["a.b", "a_b", "a.b", "", ""].map(|id| {
            let call = ids.call(id);
            ids.sent(call).to_owned()
        });
        assert_eq!(sent, ["a_b", "a_b_1", "a_b_2", "call", "call_4"]);
        assert_eq!(ids.result("", |_| false), Fate::Of(3));
    }

    #[test]
    fn a_free_id_is_found_soon_though_many_are_taken() {
        thread_local!(static TRIED: Cell<usize> = const { Cell::new(0) });
        let mut ids = CallIds::new(|id| {
            TRIED.set(TRIED.get() + 1);
            id.to_owned()
        });
        let taken = (500..1500).map(|number| format!("c_{number}"));
        for id in taken.chain(vec!["c".to_owned(); 1000]) {
            ids.call(&id);
        }
        assert!(TRIED.get() < 6000, "{}", TRIED.get());
    }

    #[test]
    fn a_client_gets_ids_that_every_api_takes() {
        assert_eq!(call_id("call_1"), "call_1");
        for odd in ["", "functions.f:0", &"x".repeat(46)] {
            let (one, two) = (call_id(odd), call_id(odd));
            assert!(one != two && one.len() <= 40, "{one} {two}");
        }
    }
}
