//! Reads an answer, event by event or whole.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::events::{self, Block, Counts, Delta, Event, Message};
use super::own_tools::ANSWER_TOOL;
use crate::dialect::conversation::{
    Api, Begin, Citation, End, Piece, ReadEvents, Reading, Signature, filled,
};

/// Reads the events of a stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// Whether the input of [`ANSWER_TOOL`] is the text.
    has_answer_tool: bool,
    /// Whether that tool has been called: a second answer would spoil the first.
    has_answered: bool,
    /// Text that may stand beside the answer: it is no part of what the client asked for, unless there is no answer.
    beside: String,
    /// The blocks that are open.
    blocks: Vec<Open>,
    /// How many characters of text have come.
    characters: usize,
    counts: Counts,
    /// How many calls have begun.
    calls: usize,
}

/// A block that is open.
#[derive(Debug)]
struct Open {
    index: usize,
    kind: Kind,
    /// Where its text begins in the whole text, in characters.
    start: usize,
    /// What it cites.
    citations: Vec<Citation>,
    /// The input that it had when it began, mostly an empty object.
    input: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// A call, and its number: copies of the API give all blocks the same.
    Call(usize),
    /// The input of [`ANSWER_TOOL`], and whether any of it has come.
    Answer {
        has_come: bool,
    },
    Other,
}

impl Reader {
    /// For the answer to a request.
    pub fn new(reading: &Reading) -> Self {
        Self {
            has_answer_tool: reading.has_answer_tool,
            ..Self::default()
        }
    }
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, name: Option<&[u8]>, data: &'a str, pieces: &mut Vec<Piece<'a>>) {
        let Ok(event) = serde_json::from_str::<Event<'a>>(data) else {
            // Some who copy the API end their streams as chats end.
            let is_over = data.trim_ascii() == "[DONE]";
            pieces.push(if is_over {
                Piece::Over
            } else {
                Piece::Unreadable
            });
            return;
        };
        let kind = match &*event.kind.0 {
            "" => name.unwrap_or_default(),
            kind => kind.as_bytes(),
        };
        match kind {
            b"content_block_delta" => self.go_on(event, pieces),
            b"message_start" => {
                if let Some(message) = event.message.0 {
                    self.start(*message, pieces);
                }
            }
            b"content_block_start" => {
                let index = index_of(&event);
                if let Some(block) = event.content_block.0 {
                    self.begin(index, *block, pieces);
                }
            }
            b"content_block_stop" => self.end(index_of(&event), pieces),
            b"message_delta" => self.stop(event, pieces),
            b"message_stop" => {
                self.tell_beside(pieces);
                pieces.push(Piece::Over);
            }
            b"ping" => pieces.push(Piece::Alive),
            b"error" => pieces.push(Piece::Failed(error_of(event.error))),
            _ if event.error.is_some() => pieces.push(Piece::Failed(error_of(event.error))),
            b"" => pieces.push(Piece::Unreadable),
            // The API may get further events.
            _ => pieces.push(Piece::Alive),
        }
    }

    fn said(&mut self, text: &str) {
        self.characters += text.chars().count();
    }
}

impl Reader {
    fn start<'a>(&mut self, message: Message<'a>, pieces: &mut Vec<Piece<'a>>) {
        pieces.push(Piece::Begin(Begin {
            id: message.id.0.into_owned(),
            model: message.model.0.into_owned(),
            created: None,
        }));
        self.count(message.usage.0, pieces);
        // Some who copy the API put the first blocks here.
        for (index, block) in message
            .content
            .into_iter()
            .flat_map(|content| content.0)
            .enumerate()
        {
            if let Some(block) = block.0 {
                self.begin(index, block, pieces);
                self.end(index, pieces);
            }
        }
    }

    fn count(&mut self, counts: Option<Counts>, pieces: &mut Vec<Piece<'_>>) {
        if let Some(counts) = counts {
            self.counts.note(counts);
            pieces.push(Piece::Usage(self.counts.usage()));
        }
    }

    fn begin<'a>(&mut self, index: usize, block: Block<'a>, pieces: &mut Vec<Piece<'a>>) {
        let kind = match &*block.kind.0 {
            "text" => Kind::Text,
            "tool_use" if self.has_answer_tool && block.name.0 == ANSWER_TOOL => {
                self.beside.clear();
                match std::mem::replace(&mut self.has_answered, true) {
                    false => Kind::Answer { has_come: false },
                    true => Kind::Other,
                }
            }
            "tool_use" => {
                self.calls += 1;
                Kind::Call(self.calls - 1)
            }
            _ => Kind::Other,
        };
        // A number belongs to the last block that has begun with it.
        self.blocks.retain(|open| open.index != index);
        self.blocks.push(Open {
            index,
            kind,
            start: self.characters,
            citations: block
                .citations
                .0
                .into_iter()
                .filter_map(|page| cited(page.0?))
                .collect(),
            input: block.input.and_then(input_of),
        });
        match &*block.kind.0 {
            "text" => self.text(block.text.0, pieces),
            "thinking" => {
                think(block.thinking.0, pieces);
                sign(block.signature.0, false, pieces);
            }
            "redacted_thinking" => sign(block.data.0, true, pieces),
            "tool_use" => {
                if let Kind::Call(index) = kind {
                    self.tell_beside(pieces);
                    pieces.push(Piece::Call {
                        index,
                        id: block.id.0,
                        name: block.name.0,
                        is_custom: false,
                    });
                }
            }
            // The provider's own tools.
            _ => pieces.push(Piece::Unseen),
        }
    }

    fn go_on<'a>(&mut self, event: Event<'a>, pieces: &mut Vec<Piece<'a>>) {
        let index = index_of(&event);
        let Some(delta) = event.delta.0 else {
            pieces.push(Piece::Unreadable);
            return;
        };
        match &*delta.kind.0 {
            "text_delta" => self.text(delta.text.0, pieces),
            "thinking_delta" => think(delta.thinking.0, pieces),
            "signature_delta" => sign(delta.signature.0, false, pieces),
            "input_json_delta" => self.add_input(index, delta.partial_json.0, pieces),
            "citations_delta" => {
                let citation = delta.citation.0.and_then(|page| cited(*page));
                if let Some(open) = self.open(index) {
                    open.citations.extend(citation);
                }
                pieces.push(Piece::Unseen);
            }
            _ => pieces.push(Piece::Unseen),
        }
    }

    fn open(&mut self, index: usize) -> Option<&mut Open> {
        self.blocks.iter_mut().find(|open| open.index == index)
    }

    /// Text waits where the answer may follow as the input of a tool.
    fn text<'a>(&mut self, text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        if !self.has_answer_tool {
            return self.say(text, pieces);
        }
        if !self.has_answered {
            self.beside += &text;
        }
        pieces.push(Piece::Unseen);
    }

    /// Tells the text that has waited. Beside calls it is a thought: clients take any text for the answer, in its form.
    fn tell_beside(&mut self, pieces: &mut Vec<Piece<'_>>) {
        let beside = Cow::Owned(std::mem::take(&mut self.beside));
        match self.calls {
            0 => self.say(beside, pieces),
            _ => think(beside, pieces),
        }
    }

    fn say<'a>(&mut self, text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        if !text.is_empty() {
            self.said(&text);
            pieces.push(Piece::Text(text));
        }
    }

    fn add_input<'a>(&mut self, index: usize, text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
        if text.is_empty() {
            return;
        }
        match self.open(index).map(|open| &mut open.kind) {
            Some(Kind::Call(index)) => pieces.push(Piece::Arguments {
                index: *index,
                text,
            }),
            Some(Kind::Answer { has_come }) => {
                *has_come = true;
                self.say(text, pieces);
            }
            Some(Kind::Text | Kind::Other) | None => pieces.push(Piece::Unseen),
        }
    }

    fn end(&mut self, index: usize, pieces: &mut Vec<Piece<'_>>) {
        let Some(place) = self.blocks.iter().position(|open| open.index == index) else {
            return;
        };
        let open = self.blocks.swap_remove(place);
        match open.kind {
            Kind::Call(index) => pieces.push(Piece::Called {
                index,
                arguments: open.input.map(Cow::Owned),
            }),
            Kind::Answer { has_come: false } => {
                self.say(Cow::Owned(open.input.unwrap_or_default()), pieces);
            }
            // A citation is about the whole block, and only now its end is known.
            Kind::Text => {
                let place = |citation| Citation {
                    start: open.start,
                    end: self.characters,
                    ..citation
                };
                pieces.extend(open.citations.into_iter().map(place).map(Piece::Cited));
            }
            Kind::Answer { has_come: true } | Kind::Other => {}
        }
    }

    fn stop<'a>(&mut self, event: Event<'a>, pieces: &mut Vec<Piece<'a>>) {
        let stop = event.delta.0.unwrap_or_default();
        self.count(event.usage.0.map(|counts| *counts), pieces);
        self.tell_beside(pieces);
        end(stop, pieces);
    }
}

/// Reads a whole answer as the pieces of a stream that comes at once; `None`: it is no answer of this API.
pub fn read_answer<'a>(body: &'a [u8], reading: &Reading) -> Option<Vec<Piece<'a>>> {
    let mut message: Message<'a> = serde_json::from_slice(body).ok()?;
    let blocks = message.content.take()?.0;
    let stop = std::mem::take(&mut message.stop);
    let counts = message.usage.0.take();
    let mut reader = Reader::new(reading);
    let mut pieces = Vec::with_capacity(blocks.len() + 4);
    reader.start(message, &mut pieces);
    for (index, block) in blocks.into_iter().enumerate() {
        if let Some(block) = block.0 {
            reader.begin(index, block, &mut pieces);
            reader.end(index, &mut pieces);
        }
    }
    reader.count(counts, &mut pieces);
    reader.tell_beside(&mut pieces);
    end(stop, &mut pieces);
    pieces.push(Piece::Over);
    Some(pieces)
}

/// Why the answer ends, if it does.
fn end<'a>(stop: Delta<'a>, pieces: &mut Vec<Piece<'a>>) {
    let Some(end) = End::of(&stop.stop_reason.0) else {
        return;
    };
    let explanation = stop
        .stop_details
        .0
        .map(|details| details.explanation.0)
        .unwrap_or_default();
    if end == End::Filtered && !explanation.is_empty() {
        pieces.push(Piece::Refusal(explanation));
    }
    pieces.push(Piece::End(match end {
        End::Stop(_) => End::Stop(stop.stop_sequence.0.into_owned()),
        end => end,
    }));
}

/// The number of a block; copies that do not count have one block.
fn index_of(event: &Event<'_>) -> usize {
    event
        .index
        .0
        .and_then(|index| usize::try_from(index).ok())
        .unwrap_or(0)
}

/// The input that a call has from the start. It counts if no more of it comes.
fn input_of(input: &RawValue) -> Option<String> {
    let text = input.get();
    text.starts_with('{').then(|| text.to_owned())
}

fn think<'a>(text: Cow<'a, str>, pieces: &mut Vec<Piece<'a>>) {
    pieces.extend(filled(text).map(Piece::Thought));
}

fn sign(data: Cow<'_, str>, is_redacted: bool, pieces: &mut Vec<Piece<'_>>) {
    let signature = Signature::of(Api::Messages, &data, is_redacted);
    pieces.extend(signature.map(Piece::Signature));
}

/// A page that is cited; other sources have no address.
fn cited(citation: events::Citation<'_>) -> Option<Citation> {
    let url = match &*citation.kind.0 {
        "web_search_result_location" => citation.url.0,
        "search_result_location" if citation.source.0.contains("://") => citation.source.0,
        _ => return None,
    };
    Some(Citation {
        url: url.into_owned(),
        title: citation.title.0.into_owned(),
        ..Citation::default()
    })
}

/// The error object of an event.
fn error_of(error: Option<&RawValue>) -> Value {
    match error.map(|error| serde_json::from_str(error.get()).unwrap_or_default()) {
        Some(Value::String(message)) => json!({ "type": "api_error", "message": message }),
        Some(error) => error,
        None => json!({ "type": "api_error", "message": "the upstream gave no reason" }),
    }
}
