//! An answer, read event by event or whole.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::event::{Item, Response, StreamEvent, as_text, citation, parts};
use crate::dialect::next::conversation::{Api, End, Piece, Reading, Signature, thoughts};

/// Reads the events of one answer.
///
/// What an event repeats is passed over, and what it brings for the first time is told: some copies of the API send texts
/// only when they are done, or only with the whole response.
#[derive(Debug, Default)]
pub struct Reader {
    has_begun: bool,
    messages: Told,
    reasoning: Told,
    /// The part of a message that was told last: output and content index.
    part: Option<(Option<usize>, Option<usize>)>,
    /// The part of a thought that was told last.
    thought: Option<ThoughtPart>,
    /// Whether more of a thought would continue the last one.
    is_thinking: bool,
    calls: Vec<KnownCall>,
    /// How many characters of text were told: in all, before the message, and before the part.
    spoken: usize,
    before_message: usize,
    before_part: usize,
    /// Whether a source of the message was told.
    has_cited: bool,
}

/// The items of one kind that were told.
#[derive(Debug, Default)]
struct Told {
    /// Those that are complete.
    count: usize,
    /// The output index of the one that is being told, as far as it is known.
    open: Option<Option<usize>>,
}

impl Told {
    /// Something of an item is told; returns whether it is another item than before.
    fn tell(&mut self, index: Option<usize>) -> bool {
        if self.open == Some(index) {
            return false;
        }
        self.close();
        self.open = Some(index);
        true
    }

    /// The item is complete; returns whether something of it was told.
    fn close(&mut self) -> bool {
        let was_open = self.open.take().is_some();
        self.count += usize::from(was_open);
        was_open
    }
}

/// A part of a thought: a summary, or the thought itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ThoughtPart {
    item: Option<usize>,
    is_summary: bool,
    place: Option<usize>,
}

/// A call whose beginning was told; its number is its place.
#[derive(Debug)]
struct KnownCall {
    output_index: Option<usize>,
    item_id: String,
    call_id: String,
    has_arguments: bool,
    is_done: bool,
}

impl Reader {
    /// For the answer to a request that was written so.
    pub fn new(reading: &Reading) -> Self {
        let _ = reading;
        Self::default()
    }

    /// Reads one event: its name, and its data.
    pub fn read<'a>(&mut self, name: Option<&[u8]>, data: &'a [u8], pieces: &mut Vec<Piece<'a>>) {
        if data.trim_ascii() == b"[DONE]" {
            pieces.push(Piece::Over);
            return;
        }
        let Ok(event) = serde_json::from_slice::<StreamEvent<'a>>(data) else {
            pieces.push(Piece::Unreadable);
            return;
        };
        let name = name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        let kind = event.kind.0.clone();
        match if kind.is_empty() { name } else { &kind } {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.begin(&Response::of(event.response), pieces);
            }
            "response.output_item.added" => self.added(event, pieces),
            "response.output_item.done" => self.done(event, pieces),
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" | "response.done" => {
                self.end(&kind, Response::of(event.response), pieces);
            }
            "error" => pieces.push(Piece::Failed(error_in(event.error, data))),
            "" if event.error.is_some() => pieces.push(Piece::Failed(error_in(event.error, data))),
            "" => pieces.push(Piece::Unreadable),
            "keepalive" | "ping" => pieces.push(Piece::Alive),
            kind => self.progress(kind, event, pieces),
        }
    }

    /// Progress within an item.
    fn progress<'a>(&mut self, kind: &str, event: StreamEvent<'a>, pieces: &mut Vec<Piece<'a>>) {
        let part = (event.output_index.0, event.content_index.0);
        let thought = |is_summary: bool| ThoughtPart {
            item: event.output_index.0,
            is_summary,
            place: if is_summary { event.summary_index.0 } else { event.content_index.0 },
        };
        match kind {
            "response.output_text.delta" => self.text(part, event.delta.0, pieces),
            "response.output_text.done" if self.part != Some(part) => self.text(part, event.text.0, pieces),
            "response.refusal.delta" => self.refusal(part, event.delta.0, pieces),
            "response.refusal.done" if self.part != Some(part) => self.refusal(part, event.refusal.0, pieces),
            "response.output_text.annotation.added" => self.cite(part, event.annotation, pieces),
            "response.reasoning_summary_text.delta" => self.think(thought(true), event.delta.0, pieces),
            "response.reasoning_text.delta" => self.think(thought(false), event.delta.0, pieces),
            "response.reasoning_summary_text.done" if self.thought != Some(thought(true)) => {
                self.think(thought(true), event.text.0, pieces);
            }
            "response.reasoning_text.done" if self.thought != Some(thought(false)) => {
                self.think(thought(false), event.text.0, pieces);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                let index = self.place_of(&event);
                self.arguments(index, event.delta.0, pieces);
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {
                let index = self.place_of(&event);
                let whole = event.arguments.or(event.input).map(as_text);
                if !self.calls.get(index).is_some_and(|call| call.has_arguments) {
                    self.arguments(index, whole.unwrap_or_default(), pieces);
                }
            }
            "response.output_text.done"
            | "response.refusal.done"
            | "response.reasoning_summary_text.done"
            | "response.reasoning_text.done"
            | "response.content_part.added"
            | "response.content_part.done"
            | "response.reasoning_summary_part.added"
            | "response.reasoning_summary_part.done" => {}
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

    fn text<'a>(&mut self, part: (Option<usize>, Option<usize>), text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        if !text.is_empty() {
            self.enter(part);
            self.spoken += text.chars().count();
            pieces.push(Piece::Text(text));
        }
    }

    fn refusal<'a>(&mut self, part: (Option<usize>, Option<usize>), text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        if !text.is_empty() {
            self.enter(part);
            pieces.push(Piece::Refusal(text));
        }
    }

    /// Something of this part of a message is told.
    fn enter(&mut self, part: (Option<usize>, Option<usize>)) {
        self.is_thinking = false;
        if self.messages.tell(part.0) {
            self.before_message = self.spoken;
            self.has_cited = false;
            self.part = None;
        }
        if self.part != Some(part) {
            self.part = Some(part);
            self.before_part = self.spoken;
        }
    }

    fn cite(&mut self, part: (Option<usize>, Option<usize>), annotation: Option<&RawValue>, pieces: &mut Vec<Piece<'_>>) {
        let before = if self.part == Some(part) { self.before_part } else { self.spoken };
        let annotation = annotation.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
        if let Some(citation) = annotation.and_then(|annotation| citation(&annotation, before)) {
            self.has_cited = true;
            pieces.push(Piece::Cited(citation));
        }
    }

    fn think<'a>(&mut self, part: ThoughtPart, text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        // Who tells the thought and its summary tells the same twice.
        let is_other = |last: ThoughtPart| last.item == part.item && last.is_summary != part.is_summary;
        if text.is_empty() || self.thought.is_some_and(is_other) {
            return;
        }
        if self.is_thinking && self.thought != Some(part) {
            pieces.push(Piece::Thought("\n\n".into()));
        }
        self.reasoning.tell(part.item);
        self.is_thinking = true;
        self.thought = Some(part);
        pieces.push(Piece::Thought(text));
    }

    fn added<'a>(&mut self, event: StreamEvent<'a>, pieces: &mut Vec<Piece<'a>>) {
        let Some(item) = event.item.map(Item::of) else {
            return;
        };
        match &*item.kind.0 {
            "message" => {
                self.messages.close();
            }
            "function_call" | "custom_tool_call" => {
                self.call(item, event.output_index.0, pieces);
            }
            "reasoning" => {
                self.reasoning.close();
                self.thought = None;
                pieces.push(Piece::Unseen);
            }
            _ => pieces.push(Piece::Unseen),
        }
    }

    fn done<'a>(&mut self, event: StreamEvent<'a>, pieces: &mut Vec<Piece<'a>>) {
        let index = event.output_index.0;
        let Some(item) = event.item.map(Item::of) else {
            return;
        };
        match &*item.kind.0 {
            "message" => self.message(&item, index, pieces),
            "reasoning" => self.reasoning(item, index, pieces),
            "function_call" | "custom_tool_call" => {
                let is_complete = item.status.0 != "incomplete";
                let arguments = item.call_input();
                let number = self.call(item, index, pieces);
                self.called(number, arguments, is_complete, pieces);
            }
            _ => pieces.push(Piece::Unseen),
        }
    }

    /// A whole message: what of it has not been told.
    fn message<'a>(&mut self, item: &Item<'a>, index: Option<usize>, pieces: &mut Vec<Piece<'a>>) {
        let is_told = self.messages.close();
        let has_cited = is_told && self.has_cited;
        let mut before = if is_told { self.before_message } else { self.spoken };
        for (place, part) in parts(item.content).into_iter().enumerate() {
            let length = part.text.0.chars().count();
            if !is_told {
                self.text((index, Some(place)), part.text.0, pieces);
                self.refusal((index, Some(place)), part.refusal.0, pieces);
            }
            let annotations = part.annotations.filter(|_| !has_cited);
            let annotations: Vec<Value> =
                annotations.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
            pieces.extend(annotations.iter().filter_map(|page| citation(page, before)).map(Piece::Cited));
            before += length;
        }
        if !is_told && !self.messages.close() {
            self.messages.count += 1;
        }
        self.part = None;
    }

    /// A whole item of reasoning: what of it has not been told, and what proves it.
    fn reasoning<'a>(&mut self, item: Item<'a>, index: Option<usize>, pieces: &mut Vec<Piece<'a>>) {
        let mut is_told = self.reasoning.close();
        if !is_told {
            self.thought = None;
            for (is_summary, texts) in [(true, parts(item.summary)), (false, parts(item.content))] {
                for (place, part) in texts.into_iter().enumerate() {
                    let place = Some(place);
                    self.think(ThoughtPart { item: index, is_summary, place }, part.text.0, pieces);
                }
            }
            is_told = self.reasoning.close();
            self.reasoning.count += usize::from(!is_told);
        }
        let data = item.encrypted_content.0;
        if data.is_empty() {
            return;
        }
        let id = Some(item.id.0.into_owned()).filter(|id| !id.is_empty());
        let signature = thoughts::unseal(&data).unwrap_or_else(|| Signature {
            of: Api::Responses,
            data: data.into_owned(),
            is_redacted: !is_told,
            id,
        });
        self.is_thinking = false;
        pieces.push(Piece::Signature(signature));
    }

    /// Tells what an item says of a call, and returns the call's number.
    fn call<'a>(&mut self, item: Item<'a>, output_index: Option<usize>, pieces: &mut Vec<Piece<'a>>) -> usize {
        self.is_thinking = false;
        let is_same = |call: &KnownCall| {
            let (id, call_id) = (&*item.id.0, &*item.call_id.0);
            if !call_id.is_empty() && !call.call_id.is_empty() {
                return call.call_id == call_id;
            }
            !id.is_empty() && call.item_id == id || output_index.is_some() && call.output_index == output_index
        };
        let known = self.calls.iter().rposition(is_same);
        let index = known.unwrap_or(self.calls.len());
        self.tell_call(index, item, output_index, pieces);
        index
    }

    fn tell_call<'a>(
        &mut self,
        index: usize,
        item: Item<'a>,
        output_index: Option<usize>,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        let is_custom = item.is_custom();
        if index == self.calls.len() {
            self.calls.push(KnownCall {
                output_index,
                item_id: item.id.0.into_owned(),
                call_id: item.call_id.0.clone().into_owned(),
                has_arguments: false,
                is_done: false,
            });
        }
        pieces.push(Piece::Call {
            index,
            id: item.call_id.0,
            name: item.name.0,
            is_custom,
        });
    }

    /// The number of the call that an event is about.
    fn place_of(&self, event: &StreamEvent<'_>) -> usize {
        let id = &*event.item_id.0;
        let by_id = |call: &KnownCall| !id.is_empty() && (call.item_id == id || call.call_id == id);
        let index = event.output_index.0;
        let by_index = |call: &KnownCall| index.is_some() && call.output_index == index;
        let known = self.calls.iter().rposition(by_id).or_else(|| self.calls.iter().rposition(by_index));
        known.unwrap_or_else(|| self.calls.len().saturating_sub(1))
    }

    fn arguments<'a>(&mut self, index: usize, text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        if let Some(call) = self.calls.get_mut(index)
            && !text.is_empty()
        {
            call.has_arguments = true;
            pieces.push(Piece::Arguments { index, text });
        }
    }

    /// A call is complete, unless it was cut: then the end of the response says so.
    fn called<'a>(
        &mut self,
        index: usize,
        arguments: Option<Cow<'a, str>>,
        is_complete: bool,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        let Some(call) = self.calls.get_mut(index) else {
            return;
        };
        if is_complete {
            if !std::mem::replace(&mut call.is_done, true) {
                pieces.push(Piece::Called { index, arguments });
            }
        } else if !call.has_arguments {
            self.arguments(index, arguments.unwrap_or_default(), pieces);
        }
    }

    /// The response has ended: what of it has not been told, and how it ended.
    fn end<'a>(&mut self, kind: &str, response: Response<'a>, pieces: &mut Vec<Piece<'a>>) {
        self.begin(&response, pieces);
        pieces.extend(response.usage().map(Piece::Usage));
        let status = &*response.status.0;
        let has_error = response.error.is_some_and(|error| error.get().starts_with('{'));
        if has_error || matches!(kind, "response.failed" | "response.cancelled") || matches!(status, "failed" | "cancelled") {
            let error = response.error.filter(|_| has_error).and_then(|raw| serde_json::from_str(raw.get()).ok());
            pieces.push(Piece::Failed(error.unwrap_or_else(unexplained)));
            return;
        }
        self.rest(response.items().unwrap_or_default(), pieces);
        let is_incomplete = kind == "response.incomplete" || status == "incomplete";
        let end = if is_incomplete {
            match End::of(&response.reason()) {
                Some(end @ (End::Limit | End::Filtered | End::Failed)) => end,
                Some(End::Whole | End::Stop(_) | End::Calls) | None => End::Limit,
            }
        } else if self.calls.is_empty() {
            End::Whole
        } else {
            End::Calls
        };
        pieces.push(Piece::End(end));
        pieces.push(Piece::Over);
    }

    /// The items of a whole response that were not told. They are counted, since ids and indexes differ in some copies.
    fn rest<'a>(&mut self, items: Vec<&'a RawValue>, pieces: &mut Vec<Piece<'a>>) {
        self.messages.close();
        self.reasoning.close();
        let (mut messages, mut reasoning, mut calls) = (0, 0, 0);
        let (told_messages, told_reasoning) = (self.messages.count, self.reasoning.count);
        for (place, raw) in items.into_iter().enumerate() {
            let item = Item::of(raw);
            let index = Some(place);
            match &*item.kind.0 {
                "message" => {
                    messages += 1;
                    if messages > told_messages {
                        self.message(&item, index, pieces);
                    }
                }
                "reasoning" => {
                    reasoning += 1;
                    if reasoning > told_reasoning {
                        self.reasoning(item, index, pieces);
                    }
                }
                _ if item.is_call() => {
                    let is_complete = item.status.0 != "incomplete";
                    let arguments = item.call_input();
                    if calls >= self.calls.len() {
                        self.is_thinking = false;
                        self.tell_call(calls, item, index, pieces);
                    }
                    self.called(calls, arguments, is_complete, pieces);
                    calls += 1;
                }
                _ => pieces.push(Piece::Unseen),
            }
        }
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
    let is_going_on = matches!(&*response.status.0, "queued" | "in_progress");
    let mut pieces = Vec::new();
    let mut reader = Reader::new(reading);
    reader.end("", response, &mut pieces);
    let is_end = |piece: &Piece<'_>| matches!(piece, Piece::End(_));
    pieces.retain(|piece| !(is_going_on && is_end(piece)));
    Some(pieces.into_iter().map(owned).collect())
}

fn owned(piece: Piece<'_>) -> Piece<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    match piece {
        Piece::Begin(begin) => Piece::Begin(begin),
        Piece::Text(text) => Piece::Text(own(text)),
        Piece::Refusal(text) => Piece::Refusal(own(text)),
        Piece::Thought(text) => Piece::Thought(own(text)),
        Piece::Signature(signature) => Piece::Signature(signature),
        Piece::Cited(citation) => Piece::Cited(citation),
        Piece::Call {
            index,
            id,
            name,
            is_custom,
        } => Piece::Call {
            index,
            id: own(id),
            name: own(name),
            is_custom,
        },
        Piece::Arguments { index, text } => Piece::Arguments { index, text: own(text) },
        Piece::Called { index, arguments } => Piece::Called {
            index,
            arguments: arguments.map(own),
        },
        Piece::Usage(usage) => Piece::Usage(usage),
        Piece::End(end) => Piece::End(end),
        Piece::Over => Piece::Over,
        Piece::Failed(error) => Piece::Failed(error),
        Piece::Unseen => Piece::Unseen,
        Piece::Alive => Piece::Alive,
        Piece::Unreadable => Piece::Unreadable,
    }
}

/// The error of an event: in an object of its own, or flat.
fn error_in(nested: Option<&RawValue>, data: &[u8]) -> Value {
    let nested = nested.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    if let Some(error) = nested.filter(Value::is_object) {
        return error;
    }
    match serde_json::from_slice(data) {
        Ok(Value::Object(mut flat)) => {
            flat.remove("sequence_number");
            if flat.get("type").is_some_and(|kind| kind == "error") {
                flat.remove("type");
            }
            flat.into()
        }
        _ => unexplained(),
    }
}

fn unexplained() -> Value {
    json!({
        "message": "the upstream says that its answer has failed",
        "type": "server_error",
        "code": "server_error",
    })
}
