//! Parses a request: its endpoint, and the fields that the simulator uses.

use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use super::continuing;
use crate::simulator::{Received, Script, events::tokens};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
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
pub(in crate::simulator) struct Asked {
    /// The simulator's name.
    pub(in crate::simulator) name: String,
    number: usize,
    /// The requested model, repeated in the answer.
    pub(in crate::simulator) model: String,
    /// Whether the answer is to be streamed.
    pub(in crate::simulator) stream: bool,
    pub(super) endpoint: Endpoint,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) body_bytes: usize,
}

impl Asked {
    pub(in crate::simulator) fn read(received: &Received, name: &str, number: usize) -> Self {
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

    /// The text of the answer: the script's, or a default.
    pub(in crate::simulator) fn text(&self, script: &Script) -> String {
        let usual = || format!("Hello from {}.", self.name);
        let text = script.text.clone().unwrap_or_else(usual);
        continuing::rest(&self.body, text, script.continuing)
    }

    /// An id that no other request of this simulator has.
    pub(in crate::simulator) fn id(&self, prefix: &str) -> String {
        format!("{prefix}{}{:06}", self.name, self.number)
    }

    pub(super) fn include_usage(&self) -> bool {
        self.body["stream_options"]["include_usage"] == true
    }

    /// A rough count, which is good enough for a simulated model.
    pub(super) fn prompt_tokens(&self) -> usize {
        (self.body_bytes / 4).max(1)
    }

    /// The `usage` object of chat and plain completions.
    pub(super) fn usage(&self, text: &str) -> Value {
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
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

pub(super) const MODEL: &str = "simulated-model";
