//! The OpenAI API, and Anthropic's messages, as far as they are simulated: the endpoint and what is asked of it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Script, content::Content, events::Events, refusal};

mod asked;
mod chat;
mod completions;
mod continuing;
mod embeddings;
mod messages;
mod models;
mod responses;

pub(super) use self::asked::Asked;
use self::asked::Endpoint;

impl Asked {
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
}
