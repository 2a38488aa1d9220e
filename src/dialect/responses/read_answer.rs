//! An answer, read event by event or whole.

use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::{Calls, Seen};
use super::event::{Item, Response, StreamEvent};
use super::messages::Messages;
use super::thoughts::{Place, Thoughts};
use crate::dialect::conversation::{End, Piece, Reading, failed};

/// Reads the events of one answer.
///
/// What an event repeats is passed over, and what it brings for the first time is passed on: some copies of the API send
/// texts only when they are done, or only with the whole response.
#[derive(Debug, Default)]
pub struct Reader {
    has_begun: bool,
    messages: Messages,
    thoughts: Thoughts,
    calls: Calls,
}

impl Reader {
    /// For the answer to a request. The events say all that is needed.
    pub fn new(_: &Reading) -> Self {
        Self::default()
    }

    /// Reads one event: its name, and its data.
    pub fn read<'a>(&mut self, name: Option<&[u8]>, data: &'a str, pieces: &mut Vec<Piece<'a>>) {
        if data.trim_ascii() == "[DONE]" {
            pieces.push(Piece::Over);
            return;
        }
        let Ok(event) = serde_json::from_str::<StreamEvent<'a>>(data) else {
            pieces.push(Piece::Unreadable);
            return;
        };
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let kind = event.kind.0.clone();
        let kind = if kind.is_empty() {
            name.unwrap_or_default()
        } else {
            &kind
        };
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.begin(&Response::of(event.response), pieces);
            }
            "response.output_item.added" => self.item(event, false, pieces),
            "response.output_item.done" => self.item(event, true, pieces),
            "response.completed"
            | "response.incomplete"
            | "response.failed"
            | "response.cancelled"
            | "response.done" => self.end(kind, &Response::of(event.response), pieces),
            "error" => pieces.push(Piece::Failed(error_in(event.error, data))),
            "" if event.error.is_some() => pieces.push(Piece::Failed(error_in(event.error, data))),
            "" => pieces.push(Piece::Unreadable),
            "keepalive" | "ping" => pieces.push(Piece::Alive),
            kind => self.progress(kind, event, pieces),
        }
    }

    /// A text has come as the one before it did.
    pub(crate) fn said(&mut self, text: &str) {
        self.messages.said(text);
    }

    /// Progress within an item.
    fn progress<'a>(&mut self, kind: &str, event: StreamEvent<'a>, pieces: &mut Vec<Piece<'a>>) {
        let part = (event.output_index.0, event.content_index.0);
        let thought = |is_summary: bool| Place {
            item: event.output_index.0,
            is_summary,
            number: if is_summary {
                event.summary_index.0
            } else {
                event.content_index.0
            },
        };
        match kind {
            "response.output_text.delta" => {
                self.thoughts.interrupt();
                self.messages.text(part, event.delta.0, pieces);
            }
            "response.output_text.done" if !self.messages.is_known(part) => {
                self.messages.text(part, event.text.0, pieces);
            }
            "response.refusal.delta" => self.messages.refusal(part, event.delta.0, pieces),
            "response.refusal.done" if !self.messages.is_known(part) => {
                self.messages.refusal(part, event.refusal.0, pieces);
            }
            "response.output_text.annotation.added" => {
                self.messages.cite(part, event.annotation, pieces);
            }
            "response.reasoning_summary_text.delta" => {
                self.thoughts.text(thought(true), event.delta.0, pieces);
            }
            "response.reasoning_text.delta" => {
                self.thoughts.text(thought(false), event.delta.0, pieces);
            }
            "response.reasoning_summary_text.done" if !self.thoughts.is_known(thought(true)) => {
                self.thoughts.text(thought(true), event.text.0, pieces);
            }
            "response.reasoning_text.done" if !self.thoughts.is_known(thought(false)) => {
                self.thoughts.text(thought(false), event.text.0, pieces);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.calls.more(event, pieces);
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                self.calls.all(event, pieces);
            }
            kind if repeats(kind) => {}
            // Tools of the upstream's own are at work.
            kind if kind.starts_with("response.") => pieces.push(Piece::Unseen),
            _ => {}
        }
    }

    fn begin(&mut self, response: &Response<'_>, pieces: &mut Vec<Piece<'_>>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            pieces.push(Piece::Begin(response.begin()));
        }
    }

    /// An item begins, or is done.
    fn item<'a>(&mut self, event: StreamEvent<'a>, is_done: bool, pieces: &mut Vec<Piece<'a>>) {
        let index = event.output_index.0;
        let Some(item) = event.item.map(Item::of) else {
            return;
        };
        match &*item.kind.0 {
            "message" => {
                self.thoughts.interrupt();
                if is_done {
                    self.messages.whole(&item, index, pieces);
                } else {
                    self.messages.begin();
                }
            }
            "reasoning" if is_done => self.thoughts.whole(item, index, pieces),
            "reasoning" => {
                self.thoughts.begin();
                pieces.push(Piece::Unseen);
            }
            _ if item.is_call() => {
                self.thoughts.interrupt();
                let seen = Seen {
                    item,
                    output_index: index,
                    is_done,
                };
                self.calls.item(seen, pieces);
            }
            _ => pieces.push(Piece::Unseen),
        }
    }

    /// The response has ended: what of it is new, and how it ended.
    fn end<'a>(&mut self, kind: &str, response: &Response<'a>, pieces: &mut Vec<Piece<'a>>) {
        self.begin(response, pieces);
        pieces.extend(response.usage().map(Piece::Usage));
        let status = &*response.status.0;
        let error = response.error.filter(|error| error.get().starts_with('{'));
        let has_failed = matches!(kind, "response.failed" | "response.cancelled")
            || matches!(status, "failed" | "cancelled");
        if has_failed || error.is_some() {
            let error = error.and_then(|raw| serde_json::from_str(raw.get()).ok());
            pieces.push(Piece::Failed(error.unwrap_or_else(failed)));
            return;
        }
        self.rest(response.items().unwrap_or_default(), pieces);
        let end = if kind == "response.incomplete" || status == "incomplete" {
            match End::of(response.reason()) {
                Some(end @ (End::Limit | End::Filtered | End::Failed)) => end,
                Some(End::Whole | End::Stop(_) | End::Calls) | None => End::Limit,
            }
        } else if self.calls.count() == 0 {
            End::Whole
        } else {
            End::Calls
        };
        pieces.extend([Piece::End(end), Piece::Over]);
    }

    /// The items of a whole response that are new. They are counted: ids and indexes differ in some copies.
    fn rest<'a>(&mut self, items: Vec<&'a RawValue>, pieces: &mut Vec<Piece<'a>>) {
        self.messages.items.close();
        self.thoughts.items.close();
        let known_messages = self.messages.items.count;
        let known_thoughts = self.thoughts.items.count;
        let (mut messages, mut thoughts, mut calls) = (0, 0, 0);
        for (place, raw) in (0..).zip(items) {
            let item = Item::of(raw);
            match &*item.kind.0 {
                "message" => {
                    messages += 1;
                    if messages > known_messages {
                        self.thoughts.interrupt();
                        self.messages.whole(&item, Some(place), pieces);
                    }
                }
                "reasoning" => {
                    thoughts += 1;
                    if thoughts > known_thoughts {
                        self.thoughts.whole(item, Some(place), pieces);
                    }
                }
                _ if item.is_call() => {
                    self.thoughts.interrupt();
                    let seen = Seen {
                        item,
                        output_index: Some(place),
                        is_done: true,
                    };
                    self.calls.numbered(calls, seen, pieces);
                    calls += 1;
                }
                _ => pieces.push(Piece::Unseen),
            }
        }
    }
}

/// Whether events of this kind only say again what others do.
fn repeats(kind: &str) -> bool {
    let kind = kind.strip_prefix("response.").unwrap_or_default();
    let (what, state) = kind.rsplit_once('.').unwrap_or_default();
    match what {
        "output_text" | "refusal" | "reasoning_summary_text" | "reasoning_text" => state == "done",
        "content_part" | "reasoning_summary_part" => true,
        _ => false,
    }
}

/// Reads a whole answer; `None`: it is not one of this API.
pub fn read_answer(body: &[u8], reading: &Reading) -> Option<Vec<Piece<'static>>> {
    let raw: &RawValue = serde_json::from_slice(body).ok()?;
    let response = Response::of(Some(raw));
    let has_failed = matches!(&*response.status.0, "failed" | "cancelled");
    if response.items().is_none() && !has_failed {
        return None;
    }
    let mut pieces = Vec::new();
    Reader::new(reading).end("", &response, &mut pieces);
    // It goes on elsewhere.
    if matches!(&*response.status.0, "queued" | "in_progress") {
        pieces.retain(|piece| !matches!(piece, Piece::End(_)));
    }
    Some(pieces.into_iter().map(Piece::into_owned).collect())
}

/// The error of an event: in an object of its own, or flat.
fn error_in(nested: Option<&RawValue>, data: &str) -> Value {
    let nested = nested.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    if let Some(error) = nested.filter(Value::is_object) {
        return error;
    }
    match serde_json::from_str(data) {
        Ok(Value::Object(mut flat)) => {
            flat.remove("sequence_number");
            if flat.get("type").is_some_and(|kind| kind == "error") {
                flat.remove("type");
            }
            flat.into()
        }
        _ => failed(),
    }
}
