//! The calls of a history and their results, by the ids under which they go out.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::fields::{put, text_of, written};
use crate::dialect::conversation::{CallIds, Fate};
use crate::wire::json::{Fields, fingerprint};

/// The calls so far.
pub(super) struct Calls {
    pub(super) ids: CallIds,
    /// What their results say, by a fingerprint.
    said: HashMap<usize, u64>,
}

impl Calls {
    /// For an upstream that accepts such ids.
    pub(super) fn new(accepted: fn(&str) -> String) -> Self {
        Self {
            ids: CallIds::new(accepted),
            said: HashMap::new(),
        }
    }

    /// Takes a call. `id`: the field of its id. Returns whether that was changed.
    pub(super) fn call(&mut self, call: &mut Fields<'_>, id: &'static str) -> bool {
        let given = text_of(call, id).unwrap_or_default();
        let number = self.ids.call(&given);
        let sent = self.ids.sent(number);
        sent != given && put(call, id, sent)
    }

    /// Takes a result. `id`, `said`: the fields of its call's id, and of what it says. Returns what becomes of it, and whether
    /// the id was changed.
    pub(super) fn result(
        &mut self,
        result: &mut Fields<'_>,
        id: &'static str,
        said: &str,
    ) -> (Fate, bool) {
        let given = text_of(result, id).unwrap_or_default();
        let said = fingerprint(written(result, said).as_bytes());
        let is_same = |call| self.said.get(&call) == Some(&said);
        let fate = self.ids.result(&given, is_same);
        let Fate::Of(call) = fate else {
            return (fate, false);
        };
        self.said.insert(call, said);
        let sent = self.ids.sent(call);
        (fate, sent != given && put(result, id, sent))
    }
}

/// What the user says for a result: the note, and what the result said. `kind`: the type of a part that is a text.
pub(super) fn by_user(note: &str, said: &str, kind: &str) -> Value {
    match serde_json::from_str(said) {
        Ok(Value::Array(mut parts)) => {
            parts.insert(0, json!({ "type": kind, "text": note }));
            parts.into()
        }
        Ok(Value::String(text)) => format!("{note}\n\n{text}").into(),
        _ => note.into(),
    }
}
