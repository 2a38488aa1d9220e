//! The ids of tool calls.

use std::collections::{HashMap, HashSet, VecDeque};

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
    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if id.len() <= LONGEST && id.bytes().all(|byte| is_fine(&byte)) {
        return None;
    }
    Some(format!("call_{:016x}", fingerprint(id.as_bytes())))
}

/// An id that no other call has: clients use it to distinguish the calls of a whole conversation.
pub fn new_call_id() -> String {
    format!("call_{:016x}", fastrand::u64(..))
}

/// The ids of a conversation's calls, and the ids that replace them: these must be unique and accepted by the
/// upstream. Some upstreams start again with every answer (`call_0`); then results belong to calls in order.
pub struct CallIds {
    /// Turns an id into one that the upstream accepts.
    accepted: fn(&str) -> String,
    sent: HashSet<String>,
    /// How many ids had to be invented.
    made: usize,
    /// The ids that were sent for calls whose results have not come yet.
    open: HashMap<String, VecDeque<String>>,
}

impl CallIds {
    /// For an upstream whose ids have this form.
    pub fn new(accepted: fn(&str) -> String) -> Self {
        Self {
            accepted,
            sent: HashSet::new(),
            made: 0,
            open: HashMap::new(),
        }
    }

    /// The id to send for a call.
    pub fn call(&mut self, id: String) -> String {
        let fine = (self.accepted)(&id);
        let mut sent = fine.clone();
        while !self.sent.insert(sent.clone()) {
            self.made += 1;
            sent = format!("{fine}_{}", self.made);
        }
        self.open.entry(id).or_default().push_back(sent.clone());
        sent
    }

    /// The id to send for the result of a call.
    pub fn result(&mut self, id: &str) -> String {
        let sent = self.open.get_mut(id).and_then(VecDeque::pop_front);
        sent.unwrap_or_else(|| (self.accepted)(id))
    }
}
