//! An answer, read event by event or whole.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::calls::{Calls, Seen};
use super::event::{Item, Response, StreamEvent};
use super::messages::Messages;
use super::thoughts::{Place, Thoughts};
use crate::dialect::conversation::{End, Piece, ReadEvents, Reading, failed};

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
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, name: Option<&[u8]>, data: &'a str, pieces: &mut Vec<Piece<'a>>) {
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

    fn said(&mut self, text: &str) {
        self.messages.said(text);
    }
}

impl Reader {
    /// Progress within an item.
    fn progress<'a>(&mut self, kind: &str, event: StreamEvent<'a>, pieces: &mut Vec<Piece<'a>>) {
        let Some(kind) = kind.strip_prefix("response.") else {
            return;
        };
        let (what, state) = kind.rsplit_once('.').unwrap_or_default();
        let item = event.output_index.0;
        let part = (item, event.content_index.0);
        match (what, state) {
            ("output_text" | "refusal", "delta" | "done") => {
                let (all, piece): (_, fn(Cow<'a, str>) -> Piece<'a>) = match what {
                    "refusal" => (event.refusal, Piece::Refusal),
                    _ => (event.text, Piece::Text),
                };
                let text = match state {
                    "delta" => event.delta,
                    _ if self.messages.is_known(part) => return,
                    _ => all,
                };
                self.thoughts.interrupt();
                self.messages.say(part, text.0, piece, pieces);
            }
            ("reasoning_summary_text" | "reasoning_text", "delta" | "done") => {
                let is_summary = what == "reasoning_summary_text";
                let number = match is_summary {
                    true => event.summary_index.0,
                    false => event.content_index.0,
                };
                let place = Place {
                    item,
                    is_summary,
                    number,
                };
                let text = match state {
                    "delta" => event.delta,
                    _ if self.thoughts.is_known(place) => return,
                    _ => event.text,
                };
                self.thoughts.text(place, text.0, pieces);
            }
            ("output_text.annotation", "added") => {
                self.messages.cite(part, event.annotation, pieces);
            }
            ("function_call_arguments" | "custom_tool_call_input", "delta") => {
                self.calls.more(event, pieces);
            }
            ("function_call_arguments" | "custom_tool_call_input", "done") => {
                self.calls.all(event, pieces);
            }
            // They only say again what others do.
            ("content_part" | "reasoning_summary_part", _) => {}
            // Tools of the upstream's own are at work.
            _ => pieces.push(Piece::Unseen),
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
                self.messages.interrupt();
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
                    self.messages.interrupt();
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

/// Reads a whole answer; `None`: it is not one of this API.
pub fn read_answer<'a>(body: &'a [u8], reading: &Reading) -> Option<Vec<Piece<'a>>> {
    let raw: &'a RawValue = serde_json::from_slice(body).ok()?;
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
    Some(pieces)
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
