//! The items of an input, as they are written.

use serde::Serialize;

/// An item. Ids are left out but for reasoning: they belong to what a provider has stored.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item {
    Message {
        role: &'static str,
        content: Content,
    },
    /// A message of the model that is more than a text: then the API wants all of its fields.
    #[serde(rename = "message")]
    Answer {
        id: String,
        role: &'static str,
        status: &'static str,
        content: Vec<Part>,
    },
    Reasoning {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        summary: Vec<Part>,
        encrypted_content: String,
    },
    FunctionCall {
        call_id: String,
        name: String,
        arguments: String,
    },
    CustomToolCall {
        call_id: String,
        name: String,
        input: String,
    },
    FunctionCallOutput {
        call_id: String,
        output: Content,
    },
    CustomToolCallOutput {
        call_id: String,
        output: Content,
    },
}

/// What a message says, or what came out of a call. A single text is written as such, which all copies of the API take.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a content.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part {
    InputText {
        text: String,
    },
    OutputText {
        text: String,
        annotations: [(); 0],
    },
    Refusal {
        refusal: String,
    },
    SummaryText {
        text: String,
    },
    InputImage {
        image_url: String,
        detail: String,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<String>,
    },
}

impl Content {
    /// The content with these parts.
    pub(super) fn of(mut parts: Vec<Part>) -> Self {
        match parts.pop() {
            None => Self::Text(String::new()),
            Some(Part::InputText { text } | Part::OutputText { text, .. }) if parts.is_empty() => {
                Self::Text(text)
            }
            Some(last) => {
                parts.push(last);
                Self::Parts(parts)
            }
        }
    }
}
