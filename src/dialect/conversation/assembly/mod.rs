//! An answer is put together: calls by their numbers, one after the other, and each whole before anything else.

mod draft;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Value, json};

use draft::{Draft, Standing};

use super::answer::{Begin, Event, Piece, Usage};
use super::ends::End;
use super::names::Names;

/// What comes next in the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// More of its calls.
    Call,
    /// Something else.
    Other,
    /// Nothing.
    End,
}

/// Makes the events that a client is told of the pieces that an upstream sends.
///
/// The first call that is open is told live; pieces of others are kept by their number and told in order. A call is
/// complete when the upstream says so, when the answer ends, or when something else begins and its arguments are the JSON
/// of a whole object. Nothing that may still get arguments is told as complete, and nothing that the reason of the end
/// may still declare to be cut.
#[derive(Debug)]
pub struct Assembly {
    names: Names,
    has_begun: bool,
    calls: Vec<Draft>,
    /// How many calls have been told completely.
    sent: usize,
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
    /// Whether some of them were thoughts; calls that wait for their turn are none.
    has_thought: bool,
    /// How many bytes are kept of calls, and of what came while one was incomplete.
    kept: usize,
}

/// The most that is kept of one answer, in bytes: as much as one event of a stream may have.
const MOST_KEPT: usize = 16 << 20;

impl Assembly {
    /// For an answer to a request whose tools have these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            has_begun: false,
            calls: Vec::new(),
            sent: 0,
            held: Vec::new(),
            has_said: false,
            end: None,
            usage: None,
            is_over: false,
            has_failed: false,
            unseen: 0,
            has_thought: false,
            kept: 0,
        }
    }

    /// The client has a part of the answer already, so nothing need follow it.
    pub fn expect_rest(&mut self) {
        self.has_said = true;
    }

    /// Takes a piece; what the client is told goes to `out`.
    pub fn take<'a>(&mut self, piece: Piece<'a>, out: &mut Vec<Event<'a>>) {
        if self.is_over || self.has_failed {
            return;
        }
        if self.kept > MOST_KEPT {
            return self.fail(too_large(), out);
        }
        match piece {
            Piece::Begin(begin) => self.begin(begin, out),
            Piece::Text(text) => self.say(text, Event::Text, out),
            Piece::Refusal(text) => self.say(text, Event::Refusal, out),
            Piece::Thought(text) => self.say(text, Event::Thought, out),
            Piece::Cited(citation) => self.tell(Event::Cited(citation), out),
            Piece::Signature(signature) => {
                self.think();
                self.tell(Event::Signature(signature), out);
            }
            Piece::Unseen => self.think(),
            Piece::Call {
                index,
                id,
                name,
                is_custom,
            } => self.call(index, |draft| draft.announce(id, name, is_custom), out),
            Piece::Proof { index, signature } => {
                self.call(index, |draft| draft.proof = Some(signature), out);
            }
            Piece::Arguments { index, text } => {
                let is_sent = self.place(index).is_some_and(|place| place < self.sent);
                if is_sent && !text.trim().is_empty() {
                    return self.fail(unsound(), out);
                }
                self.call(index, |draft| draft.add(&text), out);
            }
            Piece::Called { index, arguments } => {
                self.call(index, |draft| draft.complete(arguments.as_deref()), out);
            }
            Piece::Usage(usage) => self.usage = Some(usage),
            Piece::End(End::Failed) => self.fail(failed(), out),
            Piece::End(end) => {
                self.end = Some(end);
                self.advance(Next::End, out);
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
        // Some say the reason first.
        self.advance(Next::End, out);
        if self.has_failed {
            return;
        }
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
        }
        self.finish(out);
    }

    /// What the answer costs, as far as is known.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the reason of the end has come: only the usage may follow.
    pub fn is_ending(&self) -> bool {
        self.end.is_some() && !self.has_failed
    }

    /// Whether the whole answer has been told.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the answer has ended without a text, a call, a refusal or a thought, and without a reason for that.
    pub fn is_empty(&self) -> bool {
        let is_explained = self.end.as_ref().is_some_and(End::explains_silence);
        self.is_over && !self.has_said && !is_explained
    }

    /// How many steps since the last call of this function the client has not seen.
    pub fn take_unseen(&mut self) -> usize {
        std::mem::take(&mut self.unseen)
    }

    /// Whether it has been thought where the client does not see it.
    pub fn has_thought(&self) -> bool {
        self.has_thought
    }

    fn think(&mut self) {
        self.unseen += 1;
        self.has_thought = true;
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
        self.advance(Next::Other, out);
        if self.has_failed {
            return;
        }
        if self.sent == self.calls.len() {
            out.push(event);
        } else {
            self.unseen += 1;
            self.kept += event.size();
            self.held.push(event.into_owned());
        }
    }

    /// Something is known of a call.
    fn call(&mut self, index: usize, learn: impl FnOnce(&mut Draft), out: &mut Vec<Event<'_>>) {
        let draft = self.draft(index);
        let before = draft.size();
        learn(draft);
        let more = draft.size().saturating_sub(before);
        self.kept += more;
        self.advance(Next::Call, out);
    }

    /// The draft of a call. Another one that begins completes those before it whose arguments are whole.
    fn draft(&mut self, index: usize) -> &mut Draft {
        self.has_said = true;
        let place = self.place(index).unwrap_or_else(|| {
            self.complete_if_whole();
            self.calls.push(Draft::new(index));
            self.kept += size_of::<Draft>();
            self.calls.len() - 1
        });
        &mut self.calls[place]
    }

    /// Where the call with this number is: mostly the last one.
    fn place(&self, index: usize) -> Option<usize> {
        self.calls.iter().rposition(|call| call.index == index)
    }

    fn complete_if_whole(&mut self) {
        for call in &mut self.calls[self.sent..] {
            call.complete_if_whole();
        }
    }

    /// Tells of the calls what can be told.
    fn advance(&mut self, next: Next, out: &mut Vec<Event<'_>>) {
        let is_cut = self.end.as_ref().is_some_and(End::is_cut);
        while self.sent < self.calls.len() {
            let is_last = self.sent + 1 == self.calls.len();
            let (before, rest) = self.calls.split_at_mut(self.sent);
            let call = &mut rest[0];
            call.is_complete |= next == Next::End;
            if is_cut && call.name.is_empty() {
                self.calls.remove(self.sent);
                continue;
            }
            if !call.is_known(&self.names) && self.end.is_none() {
                self.unseen += 1;
                return;
            }
            let is_ended = self.end.is_some() && call.is_complete;
            if call.name.is_empty() || is_ended && !is_cut && !call.is_sound() {
                return self.fail(unsound(), out);
            }
            if !std::mem::replace(&mut self.has_begun, true) {
                out.push(Event::Begin(Begin::default()));
            }
            call.be_unlike(before);
            // An upstream may close a call in which the answer is cut before it says so.
            let is_suspect = |call: &mut Draft| {
                !call.is_sound() || call.is_blank() && is_last && next == Next::Call
            };
            if !call.is_complete || self.end.is_none() && is_suspect(call) {
                return call.tell(&self.names, Standing::Open, out);
            }
            let standing = if is_cut {
                Standing::CutOff
            } else {
                Standing::Whole
            };
            call.tell(&self.names, standing, out);
            out.push(Event::Called);
            self.sent += 1;
        }
        out.extend(std::mem::take(&mut self.held));
    }

    /// Nothing that follows can complete the answer.
    fn fail(&mut self, error: Value, out: &mut Vec<Event<'_>>) {
        self.has_failed = true;
        out.push(Event::Failed(error));
    }
}

/// The code of what translation cannot follow: it says nothing about the health of the upstream.
pub const UNSOUND: &str = "invalid_tool_call";
/// The code of an answer of which more would have to be kept than may be.
pub const TOO_LARGE: &str = "reply_too_large";

fn unsound() -> Value {
    let said = "the model called a tool with arguments that are no JSON object, or without a name";
    fault(said, UNSOUND)
}

fn too_large() -> Value {
    let said = "the calls of the model are larger than those of any answer may be";
    fault(said, TOO_LARGE)
}

/// The error for an answer whose upstream says no more than that it has failed.
pub fn failed() -> Value {
    let said = "the upstream says that its answer has failed";
    fault(said, "server_error")
}

fn fault(message: &str, code: &str) -> Value {
    json!({ "message": message, "type": "server_error", "code": code })
}
