//! The calls that a client has of a broken answer, as turns of the conversation in which the text behind them goes on.

use std::borrow::Cow;

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
    /// Notes what is known of it; what is unknown yet is empty.
    pub(super) fn name_it(&mut self, id: &str, name: &str, is_custom: bool) {
        for (known, more) in [(&mut self.id, id), (&mut self.name, name)] {
            if known.is_empty() {
                more.clone_into(known);
            }
        }
        self.is_custom |= is_custom;
    }

    /// Notes its end. `arguments`: all of them, which count if none came before.
    pub(super) fn end(&mut self, arguments: &str) {
        if self.arguments.is_empty() {
            arguments.clone_into(&mut self.arguments);
        }
        self.is_over = true;
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

    /// The same as an object.
    fn input(&self) -> Value {
        serde_json::from_str(&self.arguments()).unwrap_or_else(|_| json!({}))
    }
}

/// What stands in for the results: the client sends them when it has the whole answer.
const PENDING: &str = "This call has not been run yet. It is run when your message is complete.";

/// Puts these turns behind the request's conversation, and rules out further calls: what was told must not be called again.
pub(super) fn put(body: &mut Value, endpoint: Endpoint, turns: &[CallingTurn]) -> Option<()> {
    let (list, none) = match endpoint {
        Endpoint::Messages => ("messages", json!({ "type": "none" })),
        Endpoint::Responses => ("input", "none".into()),
        _ => ("messages", "none".into()),
    };
    let messages = body[list].as_array_mut()?;
    for turn in turns {
        match endpoint {
            Endpoint::Messages => put_blocks(messages, turn),
            Endpoint::Responses => put_items(messages, turn),
            _ => put_messages(messages, turn),
        }
    }
    body["tool_choice"] = none;
    Some(())
}

fn put_messages(messages: &mut Vec<Value>, turn: &CallingTurn) {
    let text = Some(&turn.text).filter(|text| !text.is_empty());
    let calls: Vec<Value> = turn.calls.iter().map(chat_call).collect();
    messages.push(json!({ "role": "assistant", "content": text, "tool_calls": calls }));
    let result =
        |call: &ToldCall| json!({ "role": "tool", "tool_call_id": call.id, "content": PENDING });
    messages.extend(turn.calls.iter().map(result));
}

fn chat_call(call: &ToldCall) -> Value {
    chat::call(&call.id, &call.name, call.is_custom, &call.arguments())
}

fn put_blocks(messages: &mut Vec<Value>, turn: &CallingTurn) {
    let text = Some(turn.text.trim_end()).filter(|text| !text.is_empty());
    let text = text.map(|text| json!({ "type": "text", "text": text }));
    let call = |call: &ToldCall| json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": call.input() });
    let said: Vec<Value> = text
        .into_iter()
        .chain(turn.calls.iter().map(call))
        .collect();
    let result = |call: &ToldCall| json!({ "type": "tool_result", "tool_use_id": call.id, "content": PENDING });
    let results: Vec<Value> = turn.calls.iter().map(result).collect();
    messages.push(json!({ "role": "assistant", "content": said }));
    messages.push(json!({ "role": "user", "content": results }));
}

fn put_items(items: &mut Vec<Value>, turn: &CallingTurn) {
    if !turn.text.is_empty() {
        items.push(json!({ "role": "assistant", "content": turn.text }));
    }
    let (function, custom) = ("function_call", "custom_tool_call");
    for call in &turn.calls {
        let (kind, field) = if call.is_custom {
            (custom, "input")
        } else {
            (function, "arguments")
        };
        items.push(
            json!({ "type": kind, "call_id": call.id, "name": call.name, field: call.arguments() }),
        );
    }
    for call in &turn.calls {
        let kind = if call.is_custom { custom } else { function };
        items.push(
            json!({ "type": format!("{kind}_output"), "call_id": call.id, "output": PENDING }),
        );
    }
}
