//! What the events of a stream mean: whether there is content yet, whether the answer is complete, and how to end a
//! broken stream.

mod chunk;
mod message_event;
mod response_event;
pub(super) mod shape;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::value::RawValue;

use self::chunk::Chunk;
use self::message_event::MessageEvent;
use self::response_event::{Begun, ResponseEvent, ResponseHead, interruption, is_unseen_work};
use self::shape::Shape;
use super::conversation::End;
use super::errors::failure;
use super::heartbeat::heartbeat;
use super::said::Part;
use super::usage;
use crate::event::Tokens;
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;
use crate::wire::sse::Event;

/// How the names of events about reasoning begin.
const THOUGHT: &str = "response.reasoning";

/// What one event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing of the answer yet: comments, a role, `choices: []`, `response.created`.
    Preamble,
    /// The model thinks, but nobody can read that: an empty reasoning item, a signature. It may be silent for longer.
    Progress,
    /// Part of the answer.
    Content,
    /// The upstream reports that the answer failed, or sends something that is not an event of this API.
    Failed(Outcome),
}

impl Signal {
    /// Of an event that says something, or shows that the model thinks, or neither.
    fn of(has_said: bool, thinks: bool) -> Self {
        match (has_said, thinks) {
            (true, _) => Self::Content,
            (false, true) => Self::Progress,
            (false, false) => Self::Preamble,
        }
    }
}

/// Follows the events of one stream.
#[derive(Debug)]
pub struct StreamReader {
    endpoint: Endpoint,
    has_content: bool,
    thinks: bool,
    is_complete: bool,
    /// How many answers there are to be, and which of them have ended.
    answers: usize,
    ended: Vec<String>,
    /// Whether the event that ends any stream has come.
    has_last: bool,
    /// Whether it has said what it costs, and what it has said.
    has_usage: bool,
    tokens: Option<Tokens>,
    begun: Option<Begun>,
    sequence_number: u64,
    /// The shape of the last event with content that was parsed.
    shape: Shape,
}

impl StreamReader {
    /// A reader for a stream of this endpoint.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            has_content: false,
            thinks: false,
            is_complete: false,
            answers: 1,
            ended: Vec::new(),
            has_last: false,
            has_usage: false,
            tokens: None,
            begun: None,
            sequence_number: 0,
            shape: Shape::default(),
        }
    }

    /// So many answers are asked for: all of them must end.
    pub fn expect_answers(&mut self, count: usize) {
        self.answers = count;
    }

    /// The client has content already, so nothing need follow it.
    pub fn expect_rest(&mut self) {
        self.has_content = true;
    }

    /// Whether the terminal event has come (`finish_reason`, `stop_reason`, `response.completed`): nothing after it can spoil
    /// the answer.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether the last event has come.
    pub fn is_over(&self) -> bool {
        self.is_complete && self.has_last
    }

    /// Whether the model has shown that it thinks, or that it works with tools of the upstream's own.
    pub fn thinks(&self) -> bool {
        self.thinks
    }

    /// What the answer costs, if the upstream has said so.
    pub fn tokens(&self) -> Option<Tokens> {
        self.tokens
    }

    /// Reads the event at the beginning of these bytes, if it has content and differs from an earlier one in its text alone:
    /// such an event need not be parsed. Returns its length; `None`: [`read`](Self::read) it.
    pub fn read_usual(&mut self, bytes: &[u8]) -> Option<usize> {
        let usual = self.shape.read(bytes)?;
        self.sequence_number = usual.number.unwrap_or(self.sequence_number);
        Some(usual.length)
    }

    /// Reads the next event.
    pub fn read(&mut self, event: &Event<'_>) -> Signal {
        let signal = match event.data.as_deref() {
            None | Some(b"") => Signal::Preamble,
            Some(data) if data.trim_ascii() == b"[DONE]" => self.read_done(),
            Some(_) if self.is_ignorable(event) => Signal::Preamble,
            Some(data) if self.endpoint == Endpoint::Responses => {
                self.read_response_event(data, event)
            }
            Some(data) if self.endpoint == Endpoint::Messages => {
                self.read_message_event(data, event)
            }
            // Its fields are in an `error` object or at the top level.
            Some(data) if event.name == Some(b"error") => failed(serde_json::from_slice(data).ok()),
            Some(data) => self.read_chunk(data, event),
        };
        self.has_content |= signal == Signal::Content;
        signal
    }

    /// Whether an event carries nothing, and clients would take it for a chunk: `data: null`, a ping with data.
    pub fn is_ignorable(&self, event: &Event<'_>) -> bool {
        let is_chunked = !matches!(self.endpoint, Endpoint::Responses | Endpoint::Messages);
        let is_ping = event.name == Some(b"ping") && is_chunked;
        is_ping || event.data.as_deref() == Some(b"null")
    }

    /// A sign of life behind the last event.
    pub fn heartbeat(&self) -> Bytes {
        heartbeat(self.endpoint, self.sequence_number)
    }

    /// What remains of an error event behind a complete answer, where its usage is in it (`OpenRouter`).
    pub fn without_error(&self, event: &Event<'_>) -> Vec<u8> {
        match (self.endpoint, event.data.as_deref()) {
            (Endpoint::ChatCompletions, Some(data)) if self.is_complete => {
                chunk::without_error(data).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The bytes that an upstream left out at the end of a complete stream.
    pub fn missing_end(&self) -> &'static [u8] {
        match self.endpoint {
            _ if self.has_last => b"",
            Endpoint::ChatCompletions | Endpoint::Completions => b"data: [DONE]\n\n",
            Endpoint::Messages => b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            _ => b"",
        }
    }

    /// The error event that ends a broken stream, in the API's own form and never followed by `[DONE]`. `error` is an
    /// error object in `OpenAI`'s shape.
    pub fn interruption(&self, error: &serde_json::Value) -> Vec<u8> {
        match self.endpoint {
            Endpoint::Responses => interruption(self.begun.as_ref(), self.sequence_number, error),
            Endpoint::Messages => message_event::interruption(error),
            _ => format!("data: {{\"error\":{error}}}\n\n").into_bytes(),
        }
    }

    /// `[DONE]` ends an answer that is complete. Without a reason, there was no answer, or it was cut short, unless its usage
    /// has come (Snowflake Cortex, Novita by `OpenRouter`): no stream that breaks tells that. Nor need there be as many answers
    /// as were asked for.
    fn read_done(&mut self) -> Signal {
        self.is_complete |= self.has_usage && self.has_content || !self.ended.is_empty();
        if self.is_complete {
            // Messages end in an event of their own.
            self.has_last |= self.endpoint != Endpoint::Messages;
            return self.said();
        }
        Signal::Failed(Outcome::InvalidReply(if self.has_content {
            Defect::CutShort
        } else {
            Defect::NoAnswer
        }))
    }

    /// The end of an answer is no content if nothing was said.
    fn said(&self) -> Signal {
        Signal::of(self.has_content, false)
    }

    fn read_chunk(&mut self, data: &[u8], event: &Event<'_>) -> Signal {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            return UNPARSABLE;
        };
        if let Some(error) = chunk.error {
            return failed(Some(error));
        }
        if let Some(usage) = chunk.usage() {
            self.has_usage = true;
            self.count(usage);
        } else if let Some(values) = chunk.changing() {
            self.shape.learn(event, values);
        }
        let mut signal = Signal::Preamble;
        for choice in chunk.choices.unwrap_or_default() {
            let end = End::of(choice.finish_reason.as_deref().unwrap_or_default());
            if end == Some(End::Failed) {
                return failed(None);
            }
            self.thinks |= choice.thinks();
            let has_said = choice.has_content() || self.has_content;
            if end.is_some() {
                self.end(choice.name());
            }
            let says_why = end.is_some_and(|end| has_said || self.may_be_silent(&end));
            if says_why || choice.has_content() {
                signal = Signal::Content;
            }
        }
        signal
    }

    /// One of the answers has ended.
    fn end(&mut self, name: &str) {
        if !self.ended.iter().any(|ended| ended == name) {
            self.ended.push(name.to_owned());
        }
        self.is_complete |= self.ended.len() >= self.answers;
    }

    /// Whether an answer with this end may say nothing. A plain completion may: nothing is missing between the prompt and its
    /// suffix.
    fn may_be_silent(&self, end: &End) -> bool {
        self.endpoint != Endpoint::ChatCompletions || end.explains_silence()
    }

    fn read_response_event(&mut self, data: &[u8], whole: &Event<'_>) -> Signal {
        let Ok(event) = serde_json::from_slice::<ResponseEvent<'_>>(data) else {
            return UNPARSABLE;
        };
        let Ok(number) = event.number() else {
            return UNPARSABLE;
        };
        self.sequence_number = number.unwrap_or(self.sequence_number);
        match &*event.kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(begun) = event.response.as_ref().and_then(ResponseHead::begun) {
                    self.begun = Some(begun);
                }
                Signal::Preamble
            }
            "keepalive" => Signal::Preamble,
            "response.output_item.added"
            | "response.output_item.done"
            | "response.content_part.added"
            | "response.reasoning_summary_part.added"
            | "response.reasoning_summary_part.done" => {
                let is_thought = event.kind.starts_with(THOUGHT);
                self.read_piece(event.piece(), is_thought)
            }
            "error" => failed(event.error.or_else(|| serde_json::from_slice(data).ok())),
            "response.failed" => failed(event.response.and_then(|response| response.error)),
            kind @ ("response.completed" | "response.incomplete") => {
                (self.is_complete, self.has_last) = (true, true);
                if let Some(usage) = event.usage() {
                    self.count(usage);
                }
                match kind == "response.completed" && !event.has_output() {
                    true => self.said(),
                    false => Signal::Content,
                }
            }
            kind => {
                let is_thought = kind.starts_with(THOUGHT);
                self.thinks |= is_thought;
                if let Some(values) = event.changing() {
                    self.shape.learn(whole, values);
                }
                Signal::of(!event.has_empty_delta(), is_thought)
            }
        }
    }

    fn count(&mut self, usage: &RawValue) {
        self.tokens = usage::merged(self.tokens, usage::tokens(self.endpoint, usage.get()));
    }

    /// An item or a part of one begins or ends.
    fn read_piece(&mut self, piece: Option<Part<'_>>, is_thought: bool) -> Signal {
        let Some(piece) = piece else {
            return Signal::Content;
        };
        let is_unseen = is_thought || is_unseen_work(&piece);
        self.thinks |= is_unseen;
        Signal::of(piece.has_said(), is_unseen)
    }

    fn read_message_event(&mut self, data: &[u8], whole: &Event<'_>) -> Signal {
        let Ok(event) = serde_json::from_slice::<MessageEvent<'_>>(data) else {
            return UNPARSABLE;
        };
        if let Some(usage) = event.usage() {
            self.count(usage);
        }
        match &*event.kind {
            "error" => failed(event.error),
            "message_stop" => {
                (self.is_complete, self.has_last) = (true, true);
                self.said()
            }
            "message_delta" if event.end() == Some(End::Failed) => failed(None),
            kind => {
                self.is_complete |= kind == "message_delta" && event.end().is_some();
                let thinks = event.thinks();
                self.thinks |= thinks;
                if let Some(value) = event.changing() {
                    self.shape.learn(whole, [value]);
                }
                Signal::of(event.is_content(), thinks)
            }
        }
    }
}

fn failed(error: Option<&RawValue>) -> Signal {
    Signal::Failed(failure(error, None))
}

/// What comes is not an event of this API.
const UNPARSABLE: Signal = Signal::Failed(Outcome::InvalidReply(Defect::Unparsable));
