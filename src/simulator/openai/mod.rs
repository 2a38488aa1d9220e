//! The OpenAI API, and Anthropic's messages, as far as they are simulated: the endpoint and what is asked of it.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{
    Received, Script, refusal,
    reply::Content,
    sse::{Events, tokens},
};

mod chat;
mod completions;
mod continuing;
mod embeddings;
mod messages;
mod models;
mod responses;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Messages,
    CountTokens,
    Models,
    Model,
    Download,
    Other,
}

impl Endpoint {
    /// Recognised by the end of the path, so that any prefix (`/v1`, a deployment) will do.
    fn of(method: &Method, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let ends = |end: &str| path.ends_with(end);
        match *method {
            Method::POST if ends("/chat/completions") => Self::Chat,
            Method::POST if ends("/completions") => Self::Completions,
            Method::POST if ends("/responses") => Self::Responses,
            Method::POST if ends("/embeddings") => Self::Embeddings,
            Method::POST if ends("/messages") => Self::Messages,
            Method::POST if ends("/messages/count_tokens") => Self::CountTokens,
            Method::GET if ends("/models") => Self::Models,
            Method::GET if path.contains("/models/") => Self::Model,
            Method::GET if path.contains("/files/") && ends("/content") => Self::Download,
            _ => Self::Other,
        }
    }
}

/// A parsed request.
#[derive(Debug)]
pub(super) struct Asked {
    /// The simulator's name.
    pub(super) name: String,
    number: usize,
    /// The model asked for, echoed in the answer.
    pub(super) model: String,
    /// Whether the answer is to be streamed.
    pub(super) stream: bool,
    endpoint: Endpoint,
    method: Method,
    path: String,
    body: Value,
    body_bytes: usize,
}

impl Asked {
    pub(super) fn read(received: &Received, name: &str, number: usize) -> Self {
        let endpoint = Endpoint::of(&received.method, &received.path);
        let body = received.json();
        let can_stream = matches!(
            endpoint,
            Endpoint::Chat | Endpoint::Completions | Endpoint::Responses | Endpoint::Messages
        );
        Self {
            name: name.to_owned(),
            number,
            model: body["model"].as_str().unwrap_or(MODEL).to_owned(),
            stream: can_stream && body["stream"] == true,
            endpoint,
            method: received.method.clone(),
            path: received.path.clone(),
            body,
            body_bytes: received.body.len(),
        }
    }

    /// The text that the script wants.
    pub(super) fn text(&self, script: &Script) -> String {
        let usual = || format!("Hello from {}.", self.name);
        let text = script.text.clone().unwrap_or_else(usual);
        continuing::rest(&self.body, text, script.continuing)
    }

    /// An identifier that no other request of this simulator has.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}{}{:06}", self.name, self.number)
    }

    /// The good answer to a request that asked for no stream.
    pub(super) fn answer(&self, text: &str) -> Content {
        match self.endpoint {
            Endpoint::Chat => chat::answer(self, text),
            Endpoint::Completions => completions::answer(self, text),
            Endpoint::Responses => responses::answer(self, text),
            Endpoint::Embeddings => embeddings::answer(self),
            Endpoint::Messages => messages::answer(self, text),
            Endpoint::CountTokens => json!({ "input_tokens": self.prompt_tokens() }),
            Endpoint::Models => models::list(self),
            Endpoint::Model => models::one(self),
            Endpoint::Download => {
                return Content {
                    kind: "application/octet-stream",
                    bytes: (0..=u8::MAX).collect::<Bytes>(),
                };
            }
            Endpoint::Other => self.echo(),
        }
        .into()
    }

    /// An answer of the right shape with nothing in it.
    pub(super) fn empty_answer(&self) -> Value {
        match self.endpoint {
            Endpoint::Chat => chat::empty_answer(self),
            Endpoint::Completions => completions::empty_answer(self),
            Endpoint::Responses => responses::empty_answer(self),
            Endpoint::Embeddings => embeddings::empty_answer(self),
            Endpoint::Messages => messages::empty_answer(self),
            Endpoint::Models => models::empty_answer(),
            _ => json!({}),
        }
    }

    /// The events of the streamed answer.
    pub(super) fn events(&self, script: &Script) -> Events {
        let text = self.text(script);
        let status = script.fault.inner_status();
        match self.endpoint {
            Endpoint::Completions => completions::events(self, &text, status),
            Endpoint::Responses => responses::events(self, &text, status),
            Endpoint::Messages => messages::events(self, &text, status),
            _ => chat::events(self, &text, status),
        }
    }

    fn echo(&self) -> Value {
        json!({
            "id": self.id("object_"),
            "simulator": self.name,
            "method": self.method.as_str(),
            "path": self.path,
            "body_bytes": self.body_bytes,
        })
    }

    /// The error body typical of a status.
    pub(super) fn refusal(&self, status: u16) -> Value {
        match self.endpoint {
            Endpoint::Messages | Endpoint::CountTokens => messages::error(status, &self.model),
            _ => refusal::body(status, &self.model),
        }
    }

    fn include_usage(&self) -> bool {
        self.body["stream_options"]["include_usage"] == true
    }

    /// A rough count, good enough for a simulated model.
    fn prompt_tokens(&self) -> usize {
        (self.body_bytes / 4).max(1)
    }

    /// The `usage` object of chat and plain completions.
    fn usage(&self, text: &str) -> Value {
        let (prompt, completion) = (self.prompt_tokens(), tokens(text).len());
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        })
    }
}

/// Seconds since 1970, as `created` fields have them.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

const MODEL: &str = "simulated-model";
