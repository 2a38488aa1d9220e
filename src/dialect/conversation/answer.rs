//! An answer: what an upstream's events add to it, and what the client is told.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::ends::End;
use super::request::Signature;
use super::tools::ToolName;

/// What an event of an upstream adds to its answer, in the order and with the numbers that the upstream gives. A whole
/// answer is read as the pieces of a stream that comes at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece<'a> {
    /// The answer begins.
    Begin(Begin),
    /// Text.
    Text(Cow<'a, str>),
    /// Text of a refusal.
    Refusal(Cow<'a, str>),
    /// Readable reasoning.
    Thought(Cow<'a, str>),
    /// What proves the thought before it, or contains it encrypted.
    Signature(Signature),
    /// A source of the text before it.
    Cited(Citation),
    /// A call begins, or more is known of it: id and name are empty until they are known.
    Call {
        /// The call's number in this answer, as the API defines it: all of its pieces have it.
        index: usize,
        /// Its id.
        id: Cow<'a, str>,
        /// The tool's name, as it was sent.
        name: Cow<'a, str>,
        /// Whether its input is plain text, since the upstream knows custom tools.
        is_custom: bool,
    },
    /// What proves the thought that has led to a call.
    Proof {
        /// The number of the call.
        index: usize,
        /// The proof.
        signature: Signature,
    },
    /// More of the arguments of a call.
    Arguments {
        /// The number of the call.
        index: usize,
        /// Part of a JSON text, or of the plain input of a custom tool.
        text: Cow<'a, str>,
    },
    /// A call is complete: nothing more of it comes.
    Called {
        /// The number of the call.
        index: usize,
        /// All of its arguments, where the upstream repeats them: they count if none came before.
        arguments: Option<Cow<'a, str>>,
    },
    /// What it costs so far; the last one counts.
    Usage(Usage),
    /// Why the answer ends.
    End(End),
    /// Nothing more comes (`[DONE]`, `message_stop`, `response.completed`).
    Over,
    /// The upstream says that the answer failed: its error object, in its own shape.
    Failed(Value),
    /// Work of which nobody sees anything: encrypted reasoning, tools of the upstream's own.
    Unseen,
    /// A sign of life.
    Alive,
    /// Not an event of this API.
    Unreadable,
}

/// A text, unless it is empty.
pub fn filled(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then_some(text)
}

/// The beginning of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// The upstream's id for it.
    pub id: String,
    /// The model that answers.
    pub model: String,
    /// Seconds since 1970; `None` if the upstream does not say.
    pub created: Option<u64>,
}

/// When an answer begins whose upstream does not say: seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A page that a text cites.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// Where it is.
    pub url: String,
    /// Its title.
    pub title: String,
    /// The first character of the text that it stands for, counted in the whole text of the answer.
    pub start: usize,
    /// The character behind it.
    pub end: usize,
}

/// What an answer costs, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The prompt, cached tokens included.
    pub input: u64,
    /// Those of it that were read from a cache.
    pub cached: u64,
    /// Those of it that were written to a cache.
    pub written: u64,
    /// The answer, reasoning included.
    pub output: u64,
    /// The reasoning in it.
    pub reasoning: u64,
}

/// What the client is told, in order: calls come one after the other, and each is complete before anything else comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins; always the first.
    Begin(Begin),
    /// Text.
    Text(Cow<'a, str>),
    /// Text of a refusal.
    Refusal(Cow<'a, str>),
    /// Readable reasoning.
    Thought(Cow<'a, str>),
    /// What proves the thought before it, or contains it encrypted.
    Signature(Signature),
    /// A source of the text before it.
    Cited(Citation),
    /// A call begins; its arguments follow.
    Call(CallHead),
    /// More of the arguments of the call: part of a JSON text, or of the plain input of a custom tool.
    Arguments(Cow<'a, str>),
    /// The call is complete. Its arguments are the JSON of an object, unless it was cut at a limit.
    Called,
    /// The answer ends.
    End {
        /// Why.
        end: End,
        /// What it costs; `None` if the upstream does not say.
        usage: Option<Usage>,
    },
    /// The answer failed: an error object in the shape of the client's API. Nothing follows.
    Failed(Value),
    /// A sign of life.
    Alive,
}

impl Event<'_> {
    /// The same event, kept for later.
    pub fn into_owned(self) -> Event<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Begin(begin) => Event::Begin(begin),
            Self::Text(text) => Event::Text(own(text)),
            Self::Refusal(text) => Event::Refusal(own(text)),
            Self::Thought(text) => Event::Thought(own(text)),
            Self::Signature(signature) => Event::Signature(signature),
            Self::Cited(citation) => Event::Cited(citation),
            Self::Call(head) => Event::Call(head),
            Self::Arguments(text) => Event::Arguments(own(text)),
            Self::Called => Event::Called,
            Self::End { end, usage } => Event::End { end, usage },
            Self::Failed(error) => Event::Failed(error),
            Self::Alive => Event::Alive,
        }
    }

    /// How many bytes it takes to keep it.
    pub(super) fn size(&self) -> usize {
        let text = match self {
            Self::Text(text)
            | Self::Refusal(text)
            | Self::Thought(text)
            | Self::Arguments(text) => text.len(),
            Self::Signature(signature) => signature.data.len(),
            _ => 0,
        };
        size_of::<Self>() + text
    }

    /// Whether the client sees more of the answer by it.
    pub fn is_content(&self) -> bool {
        !matches!(
            self,
            Self::Begin(_) | Self::Signature(_) | Self::Failed(_) | Self::Alive
        )
    }
}

/// The beginning of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallHead {
    /// Its id, in a form that every API takes.
    pub id: String,
    /// The tool, as the client knows it.
    pub tool: ToolName,
}
