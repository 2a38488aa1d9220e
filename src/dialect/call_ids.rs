//! The ids of tool calls on their way to an upstream.

use std::collections::{HashMap, HashSet, VecDeque};

/// The ids of a conversation's tool calls, and the ids that replace them: these must be unique and accepted by the
/// upstream. Some upstreams start again with every answer (`call_0`); then results belong to calls in order.
pub(super) struct CallIds {
    /// Turns an id into one that the upstream accepts.
    accepted: fn(&str) -> String,
    sent: HashSet<String>,
    /// How many ids had to be invented.
    made: usize,
    /// The ids that were sent for calls whose results have not come yet.
    open: HashMap<String, VecDeque<String>>,
}

impl CallIds {
    pub(super) fn new(accepted: fn(&str) -> String) -> Self {
        Self {
            accepted,
            sent: HashSet::new(),
            made: 0,
            open: HashMap::new(),
        }
    }

    /// The id to send for a call.
    pub(super) fn call(&mut self, id: String) -> String {
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
    pub(super) fn result(&mut self, id: &str) -> String {
        let sent = self.open.get_mut(id).and_then(VecDeque::pop_front);
        sent.unwrap_or_else(|| (self.accepted)(id))
    }
}
