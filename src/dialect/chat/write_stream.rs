//! Writes an answer as the chunks of a stream.

use serde_json::{Value, json};

use super::one_text::OneText;
use super::usage;
use super::write_answer::{Identity, annotation, call, finish_reason};
use crate::dialect::conversation::{
    Asked, Begin, CallHead, Citation, End, Event, Place, Usage, WriteEvents,
};
use crate::wire::json::put;

/// The end of a stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// Writes the events of one answer.
#[derive(Debug)]
pub struct Writer {
    asked: Asked,
    /// What all chunks begin with; empty before the first one.
    head: Vec<u8>,
    has_role: bool,
    text: OneText,
    /// How many tools have been called so far.
    calls: usize,
    call: Call,
    citations: usize,
}

/// The call that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Function,
    Custom,
    /// In the older form.
    Older,
    /// The client does not hear of it: in the older form it knows one call in an answer.
    Unheard,
}

impl Writer {
    /// For a client that asked for this.
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            head: Vec::new(),
            has_role: false,
            text: OneText::default(),
            calls: 0,
            call: Call::Function,
            citations: 0,
        }
    }

    /// For the rest of a stream whose client is at this place.
    pub fn resume(asked: Asked, place: &Place) -> Self {
        let mut writer = Self::new(asked);
        writer.has_role = true;
        writer.calls = place.calls;
        writer.begin(place.begin.clone());
        writer
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Begin(begin) => self.begin(begin),
            Event::Text(text) => {
                let text = self.text.more(text);
                self.say(b"\"content\":", &text, b"", out);
            }
            Event::Refusal(text) => self.say(b"\"refusal\":", &text, b"", out),
            Event::Thought(text) => {
                if self.asked.shows_thoughts {
                    self.say(b"\"reasoning_content\":", &text, b"", out);
                }
            }
            // There is no field for it.
            Event::Signature(_) | Event::Called => {}
            Event::Cited(citation) => self.cite(&self.text.placed(citation), out),
            Event::Call(head) => self.call(head, out),
            Event::Arguments(text) => self.arguments(&text, out),
            Event::End { end, usage } => self.end(&end, usage, out),
            Event::Failed(error) => {
                out.extend_from_slice(b"data: {\"error\":");
                put(&error, out);
                out.extend_from_slice(b"}\n\n");
            }
            Event::Alive => out.extend_from_slice(b": keepalive\n\n"),
        }
    }
}

impl Writer {
    fn begin(&mut self, begin: Begin) {
        let Identity { id, model, created } = Identity::of(begin, &self.asked);
        self.head.clear();
        self.head.extend_from_slice(b"data: {\"id\":");
        put(&id, &mut self.head);
        self.head
            .extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        put(&created, &mut self.head);
        self.head.extend_from_slice(b",\"model\":");
        put(&model, &mut self.head);
        self.head.extend_from_slice(b",\"choices\":[");
    }

    /// Begins a chunk with a delta; the first one has the role.
    fn open(&mut self, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            self.begin(Begin::default());
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":0,\"delta\":{");
        if !std::mem::replace(&mut self.has_role, true) {
            out.extend_from_slice(b"\"role\":\"assistant\",");
        }
    }

    /// Ends a chunk with a delta.
    fn close(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":null}]");
        self.close_chunk(None, out);
    }

    /// Whoever asks for the usage gets it in the last chunk, and null in all others.
    fn close_chunk(&self, usage: Option<&Value>, out: &mut Vec<u8>) {
        if self.asked.with_usage {
            out.extend_from_slice(b",\"usage\":");
            put(&usage, out);
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// Writes a chunk with one text in it.
    fn say(&mut self, before: &[u8], text: &str, behind: &[u8], out: &mut Vec<u8>) {
        self.open(out);
        out.extend_from_slice(before);
        put(&text, out);
        out.extend_from_slice(behind);
        self.close(out);
    }

    /// With an index in each: `OpenAI`'s SDK for Python puts lists together by it.
    fn cite(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let mut annotation = annotation(citation);
        annotation["index"] = self.citations.into();
        self.citations += 1;
        self.open(out);
        out.extend_from_slice(b"\"annotations\":[");
        put(&annotation, out);
        out.extend_from_slice(b"]");
        self.close(out);
    }

    fn call(&mut self, head: CallHead, out: &mut Vec<u8>) {
        let CallHead { id, tool } = head;
        self.text.interrupt();
        self.calls += 1;
        self.call = match (self.asked.echo.is_older, tool.is_custom) {
            (true, _) if self.calls > 1 => Call::Unheard,
            (true, _) => Call::Older,
            (false, true) => Call::Custom,
            (false, false) => Call::Function,
        };
        let mut call = call(&id, &tool.name, self.call == Call::Custom, "");
        let (field, value) = match self.call {
            Call::Unheard => return,
            Call::Older => ("function_call", call["function"].take()),
            Call::Function | Call::Custom => {
                call["index"] = (self.calls - 1).into();
                ("tool_calls", json!([call]))
            }
        };
        self.open(out);
        put(&field, out);
        out.extend_from_slice(b":");
        put(&value, out);
        self.close(out);
    }

    fn arguments(&mut self, text: &str, out: &mut Vec<u8>) {
        let index = self.calls.saturating_sub(1);
        match self.call {
            Call::Unheard => {}
            Call::Older => self.say(b"\"function_call\":{\"arguments\":", text, b"}", out),
            Call::Function => {
                let before =
                    format!("\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":");
                self.say(before.as_bytes(), text, b"}}]", out);
            }
            Call::Custom => {
                let before = format!("\"tool_calls\":[{{\"index\":{index},\"custom\":{{\"input\":");
                self.say(before.as_bytes(), text, b"}}]", out);
            }
        }
    }

    fn end(&mut self, end: &End, usage: Option<Usage>, out: &mut Vec<u8>) {
        if !self.has_role {
            self.say(b"\"content\":", "", b"", out);
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":");
        put(&finish_reason(end, &self.asked), out);
        out.extend_from_slice(b"}]");
        self.close_chunk(None, out);
        if let (true, Some(usage)) = (self.asked.with_usage, usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b"]");
            self.close_chunk(Some(&usage::written(&usage)), out);
        }
        out.extend_from_slice(DONE);
    }
}
