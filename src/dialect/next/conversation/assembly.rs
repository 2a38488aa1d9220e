//! An answer is put together: calls by their numbers, one after the other, and each whole before anything else.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::answer::{Begin, CallHead, Event, Piece, Usage};
use super::custom::InputDecoder;
use super::ends::End;
use super::ids::call_id;
use super::names::Names;

/// Makes the events that a client is told of the pieces that an upstream sends.
///
/// The first call that is open is told live; pieces of others are kept by their number and told in order. A call is
/// complete when the upstream says so, when the answer ends, or when something else begins and its arguments are the JSON
/// of a whole object. Nothing that may still get arguments is told as complete.
#[derive(Debug)]
pub struct Assembly {
    names: Names,
    has_begun: bool,
    calls: Vec<Draft>,
    /// How many calls have been told completely.
    told: usize,
    /// What came while a call was incomplete.
    held: Vec<Event<'static>>,
    /// Whether there is a text, a call, a refusal or a thought.
    has_said: bool,
    end: Option<End>,
    usage: Option<Usage>,
    is_over: bool,
    has_failed: bool,
    /// Steps that the client does not see.
    unseen: usize,
}

/// A call while it is put together.
#[derive(Debug)]
struct Draft {
    index: usize,
    id: String,
    name: String,
    /// Whether the upstream knows custom tools.
    is_custom: bool,
    /// All of its arguments so far.
    arguments: String,
    /// How many bytes of them were told.
    told: usize,
    /// For the text of a custom tool that went out as a function.
    decoder: Option<InputDecoder>,
    has_begun: bool,
    is_complete: bool,
}

impl Assembly {
    /// For an answer to a request whose tools have these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            has_begun: false,
            calls: Vec::new(),
            told: 0,
            held: Vec::new(),
            has_said: false,
            end: None,
            usage: None,
            is_over: false,
            has_failed: false,
            unseen: 0,
        }
    }

    /// Takes a piece; what the client is told goes to `out`.
    pub fn take<'a>(&mut self, piece: Piece<'a>, out: &mut Vec<Event<'a>>) {
        if self.is_over || self.has_failed {
            return;
        }
        match piece {
            Piece::Begin(begin) => self.begin(begin, out),
            Piece::Text(text) => self.say(text, Event::Text, out),
            Piece::Refusal(text) => self.say(text, Event::Refusal, out),
            Piece::Thought(text) => self.say(text, Event::Thought, out),
            Piece::Cited(citation) => self.tell(Event::Cited(citation), out),
            Piece::Signature(signature) => {
                self.unseen += 1;
                self.tell(Event::Signature(signature), out);
            }
            Piece::Unseen => self.unseen += 1,
            Piece::Call {
                index,
                id,
                name,
                is_custom,
            } => {
                let draft = self.draft(index);
                if draft.id.is_empty() {
                    draft.id = id.into_owned();
                }
                if draft.name.is_empty() {
                    draft.name = name.into_owned();
                }
                draft.is_custom |= is_custom;
                self.advance(false, out);
            }
            Piece::Arguments { index, text } => {
                self.draft(index).arguments.push_str(&text);
                self.advance(false, out);
            }
            Piece::Called { index, arguments } => {
                let draft = self.draft(index);
                if draft.arguments.is_empty()
                    && let Some(arguments) = arguments
                {
                    draft.arguments = arguments.into_owned();
                }
                draft.is_complete = true;
                self.advance(false, out);
            }
            Piece::Usage(usage) => {
                self.usage = Some(self.usage.unwrap_or_default().max(usage));
            }
            Piece::End(End::Failed) => self.fail(failed(), out),
            Piece::End(end) => {
                self.end = Some(end);
                self.advance(true, out);
            }
            Piece::Over => self.over(out),
            // After a whole answer nothing can spoil it.
            Piece::Failed(error) if self.end.is_none() => self.fail(error, out),
            Piece::Failed(_) => {}
            Piece::Alive => out.push(Event::Alive),
            Piece::Unreadable => {}
        }
    }

    /// Nothing more comes: tells the end, if there is one. Without a reason the answer was cut short, unless it has told its
    /// usage and its last event; the missing end shows that.
    pub fn finish(&mut self, out: &mut Vec<Event<'_>>) {
        if self.is_over || self.has_failed {
            return;
        }
        let Some(end) = self.end.clone() else {
            return;
        };
        self.begin(Begin::default(), out);
        self.is_over = true;
        let end = match end {
            // Agents rely on the reason alone. OpenAI says `stop` for a call of a tool that was requested by name, others for
            // any call.
            End::Whole | End::Stop(_) if !self.calls.is_empty() => End::Calls,
            End::Calls if self.calls.is_empty() => End::Whole,
            end => end,
        };
        out.push(Event::End {
            end,
            usage: self.usage,
        });
    }

    /// The upstream's last event has come. An answer that has told its usage is whole, though it gave no reason (Snowflake
    /// Cortex, Novita by `OpenRouter`).
    pub fn over(&mut self, out: &mut Vec<Event<'_>>) {
        if self.end.is_none() && self.usage.is_some() && self.has_said {
            self.end = Some(End::Whole);
            self.advance(true, out);
        }
        self.finish(out);
    }

    /// Whether the reason of the end has come: only the usage may follow.
    pub fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    /// Whether the whole answer has been told.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the answer has ended without a text, a call, a refusal or a thought, and without a reason for that.
    pub fn is_empty(&self) -> bool {
        let is_cut = self.end.as_ref().is_some_and(End::is_cut);
        self.is_over && !self.has_said && !is_cut
    }

    /// How many steps since the last call of this function the client has not seen.
    pub fn take_unseen(&mut self) -> usize {
        std::mem::take(&mut self.unseen)
    }

    fn begin(&mut self, begin: Begin, out: &mut Vec<Event<'_>>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.push(Event::Begin(begin));
        }
    }

    fn say<'a>(
        &mut self,
        text: Cow<'a, str>,
        event: fn(Cow<'a, str>) -> Event<'a>,
        out: &mut Vec<Event<'a>>,
    ) {
        if !text.is_empty() {
            self.has_said = true;
            self.tell(event(text), out);
        }
    }

    /// Tells something that is not part of a call; behind the calls that are open.
    fn tell<'a>(&mut self, event: Event<'a>, out: &mut Vec<Event<'a>>) {
        self.begin(Begin::default(), out);
        self.complete_if_whole();
        self.advance(false, out);
        if self.told == self.calls.len() {
            out.push(event);
        } else {
            self.unseen += 1;
            self.held.push(event.into_owned());
        }
    }

    /// The draft of a call. Another one that begins completes those before it whose arguments are whole.
    fn draft(&mut self, index: usize) -> &mut Draft {
        self.has_said = true;
        let known = self.calls.iter().position(|call| call.index == index);
        let place = known.unwrap_or_else(|| {
            self.complete_if_whole();
            self.calls.push(Draft {
                index,
                id: String::new(),
                name: String::new(),
                is_custom: false,
                arguments: String::new(),
                told: 0,
                decoder: None,
                has_begun: false,
                is_complete: false,
            });
            self.calls.len() - 1
        });
        &mut self.calls[place]
    }

    fn complete_if_whole(&mut self) {
        for call in &mut self.calls[self.told..] {
            call.is_complete |= !call.is_custom && is_object(&call.arguments);
        }
    }

    /// Tells of the calls what can be told. `is_ended`: nothing more comes.
    fn advance(&mut self, is_ended: bool, out: &mut Vec<Event<'_>>) {
        let is_cut = self.end.as_ref().is_some_and(End::is_cut);
        while let Some(call) = self.calls.get_mut(self.told) {
            call.is_complete |= is_ended;
            let is_known = !call.name.is_empty() && (!call.id.is_empty() || call.is_complete);
            if !is_known && !call.is_complete {
                self.unseen += 1;
                return;
            }
            if call.name.is_empty() || call.is_complete && !is_cut && !call.is_sound() {
                self.fail(unsound(), out);
                return;
            }
            if !std::mem::replace(&mut self.has_begun, true) {
                out.push(Event::Begin(Begin::default()));
            }
            call.tell(&self.names, out);
            if !call.is_complete {
                return;
            }
            out.push(Event::Called);
            self.told += 1;
        }
        out.extend(self.held.drain(..));
    }

    /// Nothing that follows can complete the answer.
    fn fail(&mut self, error: Value, out: &mut Vec<Event<'_>>) {
        self.has_failed = true;
        out.push(Event::Failed(error));
    }
}

impl Draft {
    /// Whether its input can be handed to a tool.
    fn is_sound(&self) -> bool {
        self.is_custom || self.decoder.is_some() || self.arguments.trim().is_empty() || is_object(&self.arguments)
    }

    /// Tells what has not been told yet.
    fn tell(&mut self, names: &Names, out: &mut Vec<Event<'_>>) {
        if !std::mem::replace(&mut self.has_begun, true) {
            let mut tool = names.own(&self.name);
            tool.is_custom |= self.is_custom;
            if tool.is_custom && !self.is_custom {
                self.decoder = Some(InputDecoder::default());
            }
            let id = call_id(&self.id);
            out.push(Event::Call(CallHead { id, tool }));
        }
        let fresh = &self.arguments[self.told..];
        let mut text = match &mut self.decoder {
            Some(decoder) => decoder.push(fresh),
            None => fresh.to_owned(),
        };
        self.told = self.arguments.len();
        if self.is_complete {
            text += &match self.decoder.take() {
                Some(decoder) => decoder.finish(&self.arguments),
                // Clients parse the arguments of every call.
                None if self.arguments.trim().is_empty() && !self.is_custom => "{}".to_owned(),
                None => String::new(),
            };
        }
        if !text.is_empty() {
            out.push(Event::Arguments(text.into()));
        }
    }
}

fn is_object(arguments: &str) -> bool {
    let arguments = arguments.trim();
    arguments.starts_with('{')
        && arguments.ends_with('}')
        && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}

/// The code of what translation cannot follow: it says nothing about the health of the upstream.
pub const UNSOUND: &str = "invalid_tool_call";

fn unsound() -> Value {
    json!({
        "message": "the model called a tool with arguments that are no JSON object, or without a name",
        "type": "server_error",
        "code": UNSOUND,
    })
}

/// The error for an answer whose reason says that it has failed.
fn failed() -> Value {
    json!({
        "message": "the upstream says that its answer has failed",
        "type": "server_error",
        "code": "server_error",
    })
}
