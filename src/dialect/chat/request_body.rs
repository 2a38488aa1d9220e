//! The body of a chat request, as it is sent.

use serde::Serialize;
use serde_json::{Map, Value};

/// The body.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    pub(super) model: &'a str,
    pub(super) messages: Vec<Message>,
    #[serde(flatten)]
    pub(super) fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Function>,
}

/// A message.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) role: &'static str,
    /// null where there are only calls.
    pub(super) content: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<String>,
    /// Whether the upstream is to continue it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) prefix: bool,
}

impl Message {
    /// A message with this content and nothing else.
    pub(super) fn new(role: &'static str, content: Option<Said>) -> Self {
        Self {
            role,
            content,
            reasoning_content: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            prefix: false,
        }
    }

    /// What is said in it, if it is this side's.
    pub(super) fn said_by(&mut self, role: &str) -> Option<&mut Said> {
        self.content.as_mut().filter(|_| self.role == role)
    }

    /// A message with this text and nothing else.
    pub(super) fn text(role: &'static str, text: impl Into<String>) -> Self {
        Self::new(role, Some(Said::Text(text.into())))
    }
}

/// What is said in a message.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Said {
    /// A text, which every upstream accepts.
    Text(String),
    /// Texts and others.
    Parts(Vec<Part>),
}

impl Said {
    /// These parts; if all of them are texts without marks, one text.
    pub(super) fn of(parts: Vec<Part>, by: &str) -> Self {
        if !parts.iter().all(Part::is_plain) {
            return Self::Parts(parts);
        }
        let mut texts = parts.into_iter().map(Part::into_text);
        let mut said = texts.next().unwrap_or_default();
        for text in texts {
            said += by;
            said += &text;
        }
        Self::Text(said)
    }

    /// All of the text in it.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => {
                let texts = parts.into_iter().map(Part::into_text);
                texts.collect::<Vec<_>>().join("\n\n")
            }
        }
    }

    /// Adds to a user's message.
    pub(super) fn add(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::Text(said), Self::Text(more)) => {
                said.push_str("\n\n");
                said.push_str(&more);
            }
            (Self::Parts(said), more) => said.extend(more.into_parts()),
            (Self::Text(said), more) => {
                let mut parts = vec![Part::text(std::mem::take(said))];
                parts.extend(more.into_parts());
                *self = Self::Parts(parts);
            }
        }
    }

    fn into_parts(self) -> Vec<Part> {
        match self {
            Self::Text(text) => vec![Part::text(text)],
            Self::Parts(parts) => parts,
        }
    }
}

/// A part of a message.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    #[serde(flatten)]
    pub(super) shown: Shown,
    /// A caching mark behind it, for Claude behind a chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Value>,
}

/// What is shown in a part.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Shown {
    Text { text: String },
    ImageUrl { image_url: Image },
    File { file: File },
    InputAudio { input_audio: Audio },
}

impl Part {
    /// A text without a mark.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            shown: Shown::Text { text: text.into() },
            cache_control: None,
        }
    }

    /// Whether it is a text.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.shown, Shown::Text { .. })
    }

    fn is_plain(&self) -> bool {
        self.is_text() && self.cache_control.is_none()
    }

    fn into_text(self) -> String {
        match self.shown {
            Shown::Text { text } => text,
            Shown::ImageUrl { .. } | Shown::File { .. } | Shown::InputAudio { .. } => String::new(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Image {
    pub(super) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct File {
    pub(super) filename: String,
    pub(super) file_data: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Audio {
    pub(super) data: String,
    pub(super) format: String,
}

/// A call of a function.
#[derive(Debug, Serialize)]
pub(super) struct Call {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) function: Called,
    /// The signature that Gemini wants.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(super) extra_content: Value,
}

#[derive(Debug, Serialize)]
pub(super) struct Called {
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The kind of all tools and calls.
pub(super) const FUNCTION: &str = "function";

/// A function that can be called.
#[derive(Debug, Serialize)]
pub(super) struct Function {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) function: Described,
}

#[derive(Debug, Serialize)]
pub(super) struct Described {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) parameters: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
}
