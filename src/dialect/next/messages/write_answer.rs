//! Writes an answer, event by event or whole.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::error;
use crate::dialect::next::conversation::{
    Api, Asked, Begin, CallHead, End, Event, Place, Signature, Usage, thoughts,
};

/// Writes the events of a stream.
#[derive(Debug)]
pub struct Writer {
    asked: Asked,
    /// How many blocks are complete.
    blocks: usize,
    open: Open,
    has_refused: bool,
}

/// The block that is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    #[default]
    None,
    Text,
    Refusal,
    Thinking,
    Call,
}

impl Writer {
    /// For the answer to a request that asked for this.
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            blocks: 0,
            open: Open::None,
            has_refused: false,
        }
    }

    /// For the rest of a stream whose client is at this place.
    pub fn resume(asked: Asked, place: &Place) -> Self {
        Self {
            blocks: place.index,
            open: match &place.open {
                None => Open::None,
                Some(open) if open.is_thought => Open::Thinking,
                Some(_) => Open::Text,
            },
            ..Self::new(asked)
        }
    }

    /// Writes what the client is told.
    pub fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Begin(begin) => {
                let message = message(&self.asked, begin);
                tell(
                    "message_start",
                    &json!({ "type": "message_start", "message": message }),
                    out,
                );
            }
            Event::Text(text) => {
                self.begin(Open::Text, out);
                self.go_on("text_delta\",\"text", &text, out);
            }
            Event::Refusal(text) => {
                self.has_refused = true;
                self.begin(Open::Refusal, out);
                self.go_on("text_delta\",\"text", &text, out);
            }
            Event::Thought(text) => {
                if self.asked.shows_thoughts {
                    self.begin(Open::Thinking, out);
                    self.go_on("thinking_delta\",\"thinking", &text, out);
                }
            }
            Event::Signature(signature) => {
                if self.asked.shows_thoughts {
                    self.sign(signature, out);
                }
            }
            // A citation of this API needs an index that only its own search can give.
            Event::Cited(_) => {}
            Event::Call(head) => {
                self.close(out);
                self.open = Open::Call;
                self.start(&call(head), out);
            }
            Event::Arguments(text) => self.go_on("input_json_delta\",\"partial_json", &text, out),
            Event::Called => self.close(out),
            Event::End { end, usage } => {
                self.close(out);
                let (stop_reason, stop_sequence) = stop(end, self.has_refused);
                let delta = json!({ "stop_reason": stop_reason, "stop_sequence": stop_sequence });
                let ended =
                    json!({ "type": "message_delta", "delta": delta, "usage": counts(usage) });
                tell("message_delta", &ended, out);
                out.extend_from_slice(
                    b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
                );
            }
            Event::Failed(error) => {
                tell(
                    "error",
                    &json!({ "type": "error", "error": error::error(&error) }),
                    out,
                );
            }
            Event::Alive => out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n"),
        }
    }

    /// Begins a block of this kind, unless it is open.
    fn begin(&mut self, open: Open, out: &mut Vec<u8>) {
        if self.open == open {
            return;
        }
        self.close(out);
        self.open = open;
        let block = match open {
            Open::Thinking => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            Open::None | Open::Text | Open::Refusal | Open::Call => {
                json!({ "type": "text", "text": "" })
            }
        };
        self.start(&block, out);
    }

    fn start(&self, block: &Value, out: &mut Vec<u8>) {
        let index = self.blocks;
        let start =
            json!({ "type": "content_block_start", "index": index, "content_block": block });
        tell("content_block_start", &start, out);
    }

    /// Adds a text to the block. `field`: the type of the delta, and the name of its text, between their quotes.
    fn go_on(&self, field: &str, text: &str, out: &mut Vec<u8>) {
        let begin: &[u8] =
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
        out.extend_from_slice(begin);
        put(&self.blocks, out);
        out.extend_from_slice(b",\"delta\":{\"type\":\"");
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(b"\":");
        put(text, out);
        out.extend_from_slice(b"}}\n\n");
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.open) != Open::None {
            let stop = json!({ "type": "content_block_stop", "index": self.blocks });
            tell("content_block_stop", &stop, out);
            self.blocks += 1;
        }
    }

    /// A signature ends its thought; one without a thought that can be read is a block of its own.
    fn sign(&mut self, signature: Signature, out: &mut Vec<u8>) {
        if signature.is_redacted {
            self.close(out);
            self.open = Open::Thinking;
            self.start(&redacted(&signature), out);
        } else {
            self.begin(Open::Thinking, out);
            self.go_on("signature_delta\",\"signature", &sealed(&signature), out);
        }
        self.close(out);
    }
}

/// Writes a whole answer; `None`: it has failed, or does not end.
pub fn write_answer(asked: &Asked, events: Vec<Event<'_>>) -> Option<Value> {
    let mut answer = Whole {
        asked,
        message: message(asked, Begin::default()),
        content: Vec::new(),
        open: Open::None,
        has_refused: false,
        has_ended: false,
    };
    for event in events {
        answer.take(event)?;
    }
    answer.close();
    answer.message["content"] = answer.content.into();
    answer.has_ended.then_some(answer.message)
}

/// A whole answer while it is written.
struct Whole<'a> {
    asked: &'a Asked,
    message: Value,
    content: Vec<Value>,
    /// The kind of the last block, if it may go on.
    open: Open,
    has_refused: bool,
    has_ended: bool,
}

impl Whole<'_> {
    /// `None`: it has failed.
    fn take(&mut self, event: Event<'_>) -> Option<()> {
        match event {
            Event::Begin(begin) => self.message = message(self.asked, begin),
            Event::Text(text) => self.add(Open::Text, "text", &text),
            Event::Refusal(text) => {
                self.has_refused = true;
                self.add(Open::Refusal, "text", &text);
            }
            Event::Thought(text) if self.asked.shows_thoughts => {
                self.add(Open::Thinking, "thinking", &text)
            }
            Event::Signature(signature) if self.asked.shows_thoughts => self.sign(&signature),
            Event::Thought(_) | Event::Signature(_) | Event::Cited(_) | Event::Alive => {}
            Event::Call(head) => {
                self.close();
                self.open = Open::Call;
                let mut call = call(head);
                call["input"] = "".into();
                self.content.push(call);
            }
            Event::Arguments(text) => self.append("input", &text),
            Event::Called => self.close(),
            Event::End { end, usage } => {
                self.has_ended = true;
                let (stop_reason, stop_sequence) = stop(end, self.has_refused);
                self.message["stop_reason"] = stop_reason.into();
                self.message["stop_sequence"] = stop_sequence.into();
                self.message["usage"] = counts(usage);
            }
            Event::Failed(_) => return None,
        }
        Some(())
    }

    fn add(&mut self, open: Open, field: &str, text: &str) {
        if self.open != open {
            self.close();
            self.open = open;
            self.content.push(match open {
                Open::Thinking => json!({ "type": "thinking", "thinking": "", "signature": "" }),
                Open::None | Open::Text | Open::Refusal | Open::Call => {
                    json!({ "type": "text", "text": "" })
                }
            });
        }
        self.append(field, text);
    }

    fn append(&mut self, field: &str, text: &str) {
        if let Some(Value::String(known)) = self.content.last_mut().map(|block| &mut block[field]) {
            known.push_str(text);
        }
    }

    fn sign(&mut self, signature: &Signature) {
        if signature.is_redacted {
            self.close();
            self.content.push(redacted(signature));
        } else {
            self.add(Open::Thinking, "signature", &sealed(signature));
        }
        self.open = Open::None;
    }

    /// The input of a call is whole now; if the answer was cut, it may be no JSON, and the client sees by the reason that it
    /// was.
    fn close(&mut self) {
        if std::mem::take(&mut self.open) == Open::Call
            && let Some(call) = self.content.last_mut()
        {
            let input = call["input"]
                .as_str()
                .and_then(|input| serde_json::from_str::<Value>(input).ok());
            call["input"] = input.filter(Value::is_object).unwrap_or_else(|| json!({}));
        }
    }
}

/// A message at its beginning.
fn message(asked: &Asked, begin: Begin) -> Value {
    let model = match begin.model.is_empty() {
        true => asked.model.clone(),
        false => begin.model,
    };
    json!({
        "id": id(&begin.id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": counts(None),
    })
}

/// Anthropic's ids have a prefix of their own.
fn id(id: &str) -> String {
    let bare = ["chatcmpl-", "resp_", "msg_"]
        .into_iter()
        .find_map(|prefix| id.strip_prefix(prefix));
    match bare.unwrap_or(id) {
        "" => format!("msg_{:016x}", fastrand::u64(..)),
        bare => format!("msg_{bare}"),
    }
}

fn call(head: CallHead) -> Value {
    json!({ "type": "tool_use", "id": head.id, "name": head.tool.name, "input": {} })
}

fn redacted(signature: &Signature) -> Value {
    json!({ "type": "redacted_thinking", "data": sealed(signature) })
}

/// The signature of another API's provider is sealed, so that it finds back.
fn sealed(signature: &Signature) -> Cow<'_, str> {
    match signature.of {
        Api::Messages => Cow::Borrowed(&signature.data),
        Api::Chat | Api::Responses => Cow::Owned(thoughts::seal(signature)),
    }
}

/// The reason, and the text that ended it.
fn stop(end: End, has_refused: bool) -> (&'static str, Option<String>) {
    match end {
        End::Limit => ("max_tokens", None),
        End::Filtered => ("refusal", None),
        _ if has_refused => ("refusal", None),
        End::Calls => ("tool_use", None),
        End::Stop(text) if !text.is_empty() => ("stop_sequence", Some(text)),
        // A failure is told as an error instead.
        End::Whole | End::Stop(_) | End::Failed => ("end_turn", None),
    }
}

/// The usage: cached tokens are counted separately.
fn counts(usage: Option<Usage>) -> Value {
    let usage = usage.unwrap_or_default();
    let uncached = usage.input.saturating_sub(usage.cached);
    // Some tell the same tokens as written and as read.
    let written = usage.written.min(uncached);
    let mut counts = json!({
        "input_tokens": uncached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    });
    if usage.reasoning > 0 {
        counts["output_tokens_details"] = json!({ "thinking_tokens": usage.reasoning });
    }
    counts
}

fn tell(kind: &str, event: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
}

/// Writes a text or a number as JSON.
fn put(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(out, value);
}
