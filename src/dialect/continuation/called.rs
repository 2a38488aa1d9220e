//! The calls that a client has of a broken answer, as turns of the conversation in which the text behind them goes on.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::dialect::chat;
use crate::dialect::conversation::{is_whole, mended};
use crate::request::Endpoint;

/// A text, and the calls behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct CallingTurn {
    pub(super) text: String,
    pub(super) calls: Vec<ToldCall>,
}

/// A call, as the client has it.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldCall {
    /// Its number in the answer.
    pub(super) index: usize,
    pub(super) id: String,
    pub(super) name: String,
    /// Whether its input is plain text.
    pub(super) is_custom: bool,
    pub(super) arguments: String,
    /// Whether its end was told; some APIs tell none.
    pub(super) is_over: bool,
}

impl ToldCall {
    /// Notes what is known of it; what is unknown yet is empty. Returns how many bytes are new.
    pub(super) fn name_it(&mut self, id: &str, name: &str, is_custom: bool) -> usize {
        let mut length = 0;
        for (known, more) in [(&mut self.id, id), (&mut self.name, name)] {
            if known.is_empty() {
                more.clone_into(known);
                length += more.len();
            }
        }
        self.is_custom |= is_custom;
        length
    }

    /// Notes its end. `arguments`: all of them, which count if none came before. Returns how many bytes are new.
    pub(super) fn end(&mut self, arguments: &str) -> usize {
        self.is_over = true;
        if !self.arguments.is_empty() {
            return 0;
        }
        arguments.clone_into(&mut self.arguments);
        arguments.len()
    }

    /// Whether the client has all of it, and can send its result.
    pub(super) fn is_whole(&self) -> bool {
        let is_known = !self.id.is_empty() && !self.name.is_empty();
        is_known && (self.is_over || is_whole(&self.arguments))
    }

    /// What it is called with, as the next upstream takes it.
    fn arguments(&self) -> Cow<'_, str> {
        match mended(&self.arguments) {
            Some(better) if !self.is_custom => Cow::Owned(better),
            _ => Cow::Borrowed(&self.arguments),
        }
    }

    /// The same as it stands in a message: its numbers as they were written.
    fn input(&self) -> Option<Box<RawValue>> {
        RawValue::from_string(self.arguments().into_owned()).ok()
    }
}

/// What stands in for the results: the client sends them when it has the whole answer.
const PENDING: &str = "This call has not been run yet. It is run when your message is complete.";

/// These turns as messages or items behind the request's conversation, and the choice that rules out further calls: what was told
/// must not be called again.
pub(super) fn turns(endpoint: Endpoint, turns: &[CallingTurn]) -> Option<(Added, Value)> {
    let mut added = Added::new();
    for turn in turns {
        match endpoint {
            Endpoint::Messages => put_blocks(&mut added, turn)?,
            Endpoint::Responses => put_items(&mut added, turn)?,
            _ => put_messages(&mut added, turn)?,
        }
    }
    let none = match endpoint {
        Endpoint::Messages => json!({ "type": "none" }),
        _ => "none".into(),
    };
    Some((added, none))
}

/// What is put behind a conversation.
type Added = Vec<Box<RawValue>>;

fn put_messages(added: &mut Added, turn: &CallingTurn) -> Option<()> {
    let text = Some(&turn.text).filter(|text| !text.is_empty());
    let calls = turn.calls.iter();
    let calls: Vec<Value> = calls
        .map(|call| chat::call(&call.id, &call.name, call.is_custom, &call.arguments()))
        .collect();
    let answer = json!({ "role": "assistant", "content": text, "tool_calls": calls });
    added.push(to_raw_value(&answer).ok()?);
    for call in &turn.calls {
        let result = json!({ "role": "tool", "tool_call_id": call.id, "content": PENDING });
        added.push(to_raw_value(&result).ok()?);
    }
    Some(())
}

/// What a message for Claude has in it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: &'a str,
    },
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: Vec<Block<'a>>,
}

fn put_blocks(added: &mut Added, turn: &CallingTurn) -> Option<()> {
    let text = Some(turn.text.trim_end()).filter(|text| !text.is_empty());
    let mut content: Vec<Block<'_>> = text.map(|text| Block::Text { text }).into_iter().collect();
    for call in &turn.calls {
        content.push(Block::ToolUse {
            id: &call.id,
            name: &call.name,
            input: call.input()?,
        });
    }
    let role = "assistant";
    added.push(to_raw_value(&Message { role, content }).ok()?);
    let results = turn.calls.iter().map(|call| Block::ToolResult {
        tool_use_id: &call.id,
        content: PENDING,
    });
    let (role, content) = ("user", results.collect());
    added.push(to_raw_value(&Message { role, content }).ok()?);
    Some(())
}

fn put_items(added: &mut Added, turn: &CallingTurn) -> Option<()> {
    if !turn.text.is_empty() {
        let said = json!({ "role": "assistant", "content": turn.text });
        added.push(to_raw_value(&said).ok()?);
    }
    let mut results = Vec::new();
    for call in &turn.calls {
        let (kind, field) = match call.is_custom {
            true => ("custom_tool_call", "input"),
            false => ("function_call", "arguments"),
        };
        let item =
            json!({ "type": kind, "call_id": call.id, "name": call.name, field: call.arguments() });
        added.push(to_raw_value(&item).ok()?);
        let kind = format!("{kind}_output");
        let result = json!({ "type": kind, "call_id": call.id, "output": PENDING });
        results.push(to_raw_value(&result).ok()?);
    }
    added.append(&mut results);
    Some(())
}
