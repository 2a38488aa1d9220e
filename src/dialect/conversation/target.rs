//! For whom a request is written, and what is needed to bring the answer back.

use serde_json::Value;

use super::api::Api;
use super::dropped::Dropped;
use super::names::Names;
use super::request::{Conversation, Echo};
use crate::catalogue::Facts;
use crate::dialect::upstream_api::UpstreamApi;

/// For whom a request is written.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The upstream's name for the model.
    pub model: &'a str,
    /// How the upstream's API differs from the original.
    pub upstream: &'a UpstreamApi,
}

impl Target<'_> {
    /// What is known of the model.
    pub fn facts(&self) -> Facts {
        self.upstream.facts_of(self.model)
    }

    /// A limit for the answer: one above the model's largest answer is an error.
    pub fn limit(&self, most: u64) -> u64 {
        most.min(self.upstream.max_output.map_or(u64::MAX, u64::from))
    }
}

/// A request in an upstream's API.
#[derive(Debug)]
pub struct Written {
    /// The body.
    pub body: Vec<u8>,
    /// What its answer's reader has to know.
    pub reading: Reading,
    /// What was left out.
    pub dropped: Dropped,
}

/// What the reader of an answer has to know of the request that was sent.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The names of tools.
    pub names: Names,
    /// Whether the answer's text is the input of a tool that was added for that, because the model takes no schema.
    pub has_answer_tool: bool,
    /// The texts at which the client wants the answer to end, for upstreams that end at others, too.
    pub stops: Vec<String>,
}

impl Reading {
    /// For a request of which only the names of tools count.
    pub fn of(names: Names) -> Self {
        Self {
            names,
            has_answer_tool: false,
            stops: Vec::new(),
        }
    }
}

/// What the writer of an answer has to know of the client's request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The client's API.
    pub api: Api,
    /// The model that the client named.
    pub model: String,
    /// Whether the client wants the usage of a stream.
    pub with_usage: bool,
    /// Whether the client wants to read thoughts.
    pub shows_thoughts: bool,
    /// What the answer repeats of the request.
    pub echo: Echo,
}

impl Asked {
    /// What a request asks for; takes the echo out of it.
    pub fn of(conversation: &mut Conversation) -> Self {
        let thinking = &conversation.thinking;
        Self {
            api: conversation.origin,
            model: conversation.model.clone(),
            with_usage: conversation
                .streaming
                .is_some_and(|stream| stream.with_usage),
            shows_thoughts: match conversation.origin {
                // There they are a field that clients ignore if they do not know it.
                Api::Chat => true,
                Api::Messages | Api::Responses => thinking.is_shown,
            },
            echo: std::mem::take(&mut conversation.echo),
        }
    }

    /// The model that answers: the one that the upstream names, else the one that was asked for.
    pub fn answering(&self, named: String) -> String {
        match named.is_empty() {
            true => self.model.clone(),
            false => named,
        }
    }

    /// A field that the answer repeats; null if the client did not say it.
    pub fn said(&self, field: &str) -> &Value {
        &self.echo.fields[field]
    }
}
