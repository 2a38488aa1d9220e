//! A request: turns, and what is asked about the answer.

use serde_json::{Number, Value};

use super::api::Api;
use super::dropped::Dropped;
use super::fields::{Object, take_number};
use super::format::Format;
use super::tools::Tools;

/// A request, whichever API it came in.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The API it came in.
    pub origin: Api,
    /// The model that the client names.
    pub model: String,
    /// What was said so far, the instructions first.
    pub turns: Vec<Turn>,
    /// What the model may call.
    pub tools: Tools,
    /// The most tokens of the answer.
    pub max_output: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// How much the model is to reason.
    pub thinking: Thinking,
    /// The form of the answer.
    pub format: Format,
    /// How much is said: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// Whether the answer comes as a stream of events, and how.
    pub streaming: Option<Streaming>,
    /// Who is served, as the client names them.
    pub user: Option<String>,
    /// The newer name of the same, for abuse detection.
    pub safety_identifier: Option<String>,
    /// `auto`, `default`, `flex`, `priority` and so on, in `OpenAI`'s words.
    pub service_tier: Option<String>,
    /// How the provider's prompt cache is used.
    pub caching: Caching,
    /// What the answer repeats of the request.
    pub echo: Echo,
    /// What has been left out so far.
    pub dropped: Dropped,
}

/// What one side says without being interrupted.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who says it.
    pub role: Role,
    /// What is said. Results of calls are said by the user.
    pub parts: Vec<Part>,
}

/// What stands between two messages of the model where they become one.
pub const BREAK: &str = "\n\n";

impl Turn {
    /// Adds what one side says: to the last turn if that is the same side's, else as another turn. Instructions stay apart.
    pub fn push(turns: &mut Vec<Self>, role: Role, parts: Vec<Part>) {
        match turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(last) if last.role == role && role != Role::System => last.go_on(parts),
            _ => turns.push(Self { role, parts }),
        }
    }

    /// Adds another message. A text of the model may come in parts, so that nothing else shows where the message begins.
    fn go_on(&mut self, parts: Vec<Part>) {
        let is_text = |part: Option<&Part>| part.is_some_and(|part| part.as_text().is_some());
        if self.role == Role::Assistant && is_text(self.parts.last()) && is_text(parts.first()) {
            self.parts.push(Part::text(BREAK));
        }
        self.parts.extend(parts);
    }
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who wrote the program: system and developer messages.
    System,
    /// Who uses it.
    User,
    /// The model.
    Assistant,
}

/// A part of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// A caching mark behind it, in Anthropic's words: `{"type": "ephemeral"}`.
    pub cache: Option<Value>,
}

impl Part {
    /// A part without a caching mark.
    pub fn new(content: Content) -> Self {
        Self {
            content,
            cache: None,
        }
    }

    /// A text without a caching mark.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text(text.into()))
    }

    /// What came out of the call with this id.
    pub fn result(id: String, parts: Vec<Self>, is_error: bool) -> Self {
        Self::new(Content::Result(CallResult {
            id,
            parts,
            is_error,
        }))
    }

    /// Its text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text. Citations of earlier answers are not kept.
    Text(String),
    /// An image.
    Image {
        /// Its data or its place.
        media: Media,
        /// How closely it is looked at: `low`, `high`, `auto`.
        detail: Option<String>,
    },
    /// A document: a PDF, a text.
    Document {
        /// Its data or its place.
        media: Media,
        /// The name of its file, or its title.
        name: Option<String>,
        /// What is said about it.
        context: Option<String>,
    },
    /// Sound.
    Audio {
        /// In base64.
        data: String,
        /// `wav`, `mp3`
        format: String,
    },
    /// What the model thought.
    Thought(Thought),
    /// The model's refusal to answer.
    Refusal(String),
    /// A call of a tool, by the model.
    Call(Call),
    /// What came out of a call.
    Result(CallResult),
}

/// The data of an image or of a document, or where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// The data in base64.
    Inline {
        /// Its media type: `image/png`
        kind: String,
        /// The data.
        data: String,
    },
    /// It is to be fetched.
    Url(String),
    /// A plain text.
    Text(String),
}

/// What the model thought before it spoke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thought {
    /// What can be read of it.
    pub text: String,
    /// What proves it to its provider.
    pub signature: Option<Signature>,
}

/// What proves a thought to the provider whose model had it, or contains it encrypted: nobody else can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The API of that provider.
    pub of: Api,
    /// The signature, or the encrypted thought.
    pub data: String,
    /// Whether nothing of the thought can be read (`redacted_thinking`).
    pub is_redacted: bool,
    /// The id of the item at its provider (`rs_…`).
    pub id: Option<String>,
}

impl Signature {
    /// The one that a provider gives; `None`: it gives none.
    pub fn of(api: Api, data: &str, is_redacted: bool) -> Option<Self> {
        (!data.is_empty()).then(|| Self {
            of: api,
            data: data.to_owned(),
            is_redacted,
            id: None,
        })
    }
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its id; empty if it has none.
    pub id: String,
    /// The client's name of the tool.
    pub name: String,
    /// The group of the tool, where names are grouped.
    pub namespace: Option<String>,
    /// What it is called with.
    pub input: Input,
}

/// What a tool is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The JSON of an object, if the model did well.
    Json(String),
    /// Plain text, for a custom tool.
    Text(String),
}

/// What came out of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallResult {
    /// The id of the call.
    pub id: String,
    /// Texts, images and documents.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// How the next token is chosen. The numbers stay as they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// From 0 to 2 in `OpenAI`'s APIs, to 1 in Anthropic's.
    pub temperature: Option<Number>,
    /// From 0 to 1.
    pub top_p: Option<Number>,
    /// How many tokens are considered.
    pub top_k: Option<Number>,
    /// From -2 to 2.
    pub presence_penalty: Option<Number>,
    /// From -2 to 2.
    pub frequency_penalty: Option<Number>,
    /// For answers that can be repeated.
    pub seed: Option<Number>,
}

impl Sampling {
    /// Reads it in `OpenAI`'s words.
    pub fn read(fields: &mut Object) -> Self {
        let mut take = |name| take_number(fields, name);
        Self {
            temperature: take("temperature"),
            top_p: take("top_p"),
            top_k: take("top_k"),
            presence_penalty: take("presence_penalty"),
            frequency_penalty: take("frequency_penalty"),
            seed: take("seed"),
        }
    }
}

/// How much the model is to reason, as far as the client says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thinking {
    /// Whether it is to reason at all; `None`: as it is used to.
    pub is_on: Option<bool>,
    /// How hard.
    pub effort: Option<Effort>,
    /// The most tokens for it.
    pub budget: Option<u64>,
    /// Whether the client wants to read it.
    pub is_shown: bool,
}

impl Thinking {
    /// Whether the client asks for reasoning in any way.
    pub fn is_asked_for(&self) -> bool {
        self.is_on == Some(true)
            || self.budget.is_some()
            || self.effort.is_some_and(|effort| effort != Effort::None)
    }
}

/// How hard a model is to reason, in the words of all APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// A lot.
    High,
    /// More than that.
    Xhigh,
    /// As hard as it can.
    Max,
}

impl Effort {
    /// Reads its word.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Xhigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The budget of tokens that stands for it.
    pub fn budget(self) -> u64 {
        match self {
            Self::None | Self::Minimal => 1024,
            Self::Low => 2048,
            Self::Medium => 8192,
            Self::High | Self::Xhigh | Self::Max => 16_384,
        }
    }

    /// The effort that is closest to a budget of tokens.
    pub fn of_budget(budget: u64) -> Self {
        match budget {
            ..4096 => Self::Low,
            4096..16_384 => Self::Medium,
            _ => Self::High,
        }
    }
}

/// How the answer is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streaming {
    /// Whether the client wants the usage at the end. Messages and Responses always have it.
    pub with_usage: bool,
}

/// How the provider's prompt cache is used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caching {
    /// `prompt_cache_key`: requests with the same one share a cache.
    pub key: Option<String>,
    /// `prompt_cache_retention`: `in_memory`, `24h`
    pub retention: Option<String>,
    /// The mark for the whole prompt at the root of a Messages request: `{"type": "ephemeral"}`.
    pub automatic: Option<Value>,
}

/// What the answer repeats of the request, or has to mind about its client.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    /// For Responses: the fields of the request but its input; else null.
    pub fields: Value,
    /// Whether the client uses the older `functions` of chats: it knows one call in an answer.
    pub is_older: bool,
}

/// Why a conversation cannot be said in an API: the feature that it lacks, in the client's words (`n`, `file_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsaid(pub &'static str);
