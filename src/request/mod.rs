//! What the client asked for, understood once and never changed afterwards.

mod client_api;
mod credential;
mod id;
mod media;
mod needs;
mod peek;
mod progress;
mod session;
mod tokens;
mod tools;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::time::Instant;

pub use client_api::ClientApi;
pub use credential::ClientCredential;
pub use id::RequestId;
pub use needs::Needs;
pub use peek::{Peek, Thread, UNSTORED, peek};
pub use progress::Progress;
pub use session::Session;
pub use tokens::{tokens_in, tokens_of_size};
pub use tools::models_of_tools;
pub use trace::{Parent, Trace};

use crate::catalogue::{Abilities, Ability};
use crate::config::UpstreamId;
use crate::wire::headers::has_media_type;
use crate::wire::json::ModelField;

/// A request that has been read whole. It does not know which upstream serves it, or how.
#[derive(Debug)]
pub struct ModelRequest {
    /// Sent back as `x-request-id`, and in every log line about this request.
    pub id: RequestId,
    /// What it is part of, if it is traced.
    pub trace: Option<Trace>,
    /// When its body had been read: the proxy's own time counts from then.
    pub received_at: Instant,
    /// The name of the client's key, where keys are configured.
    pub client: Option<Arc<str>>,
    /// The API that the client speaks.
    pub client_api: ClientApi,
    /// What kind of answer is wanted.
    pub endpoint: Endpoint,
    /// The method as sent.
    pub method: Method,
    /// Path and query behind `/v1`, beginning with a slash.
    pub path: String,
    /// The headers that may be sent to an upstream.
    pub headers: HeaderMap,
    /// The client's own credential, where an upstream takes it.
    pub credential: Option<ClientCredential>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// The model that the body names, and where.
    pub model: Option<ModelField>,
    /// Whether the body asks for a stream of events.
    pub streaming: bool,
    /// What becomes known of it while it is served, such as whether its model thinks.
    pub progress: Progress,
    /// What its fields require of a model.
    pub demands: Abilities,
    /// The models to which it lets the upstream itself fall back.
    pub alternatives: Vec<String>,
    /// How many tokens the answer may have; 0: it does not say so.
    pub max_output: u64,
    /// Whether the client wants the answer to be stored; `None` leaves that to the API.
    pub store: Option<bool>,
    /// The thread that it is part of.
    pub thread: Option<Thread>,
    /// The owner of an object that it refers to: no other upstream can serve it.
    pub pinned_to: Option<UpstreamId>,
    /// The number of its conversation, if the client says which one it is.
    pub session: Option<u64>,
    /// How often the client itself has tried before.
    pub retries: usize,
    /// How long the client waits for an answer before it gives up.
    pub patience: Option<ClientPatience>,
    /// Who may be asked, as far as the request itself says.
    pub control: Control,
}

/// How long a client waits before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPatience {
    /// It says so: that long for an answer, or for the next byte of a stream.
    Said(Duration),
    /// It has given up after that long before.
    Learnt(Duration),
}

impl ClientPatience {
    /// How long it waits, whoever knows.
    pub fn time(self) -> Duration {
        match self {
            Self::Said(time) | Self::Learnt(time) => time,
        }
    }

    /// How long it waits, if it says so.
    pub fn said(self) -> Option<Duration> {
        match self {
            Self::Said(time) => Some(time),
            Self::Learnt(_) => None,
        }
    }
}

/// After this part of its patience, the client of a silent stream gets a sign of life.
const IN_TIME: f32 = 0.6;

/// What a request says about who may be asked, for tests and tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Only this upstream.
    pub only: Option<UpstreamId>,
    /// Only one attempt.
    pub is_once: bool,
}

impl ModelRequest {
    /// The model's name, or an empty text when the request names none.
    pub fn model_name(&self) -> &str {
        self.model.as_ref().map_or("", |field| field.name.as_str())
    }

    /// How long its client may get nothing of a stream before it gets a sign of life: in time before it gives up. `usual`: where it
    /// does not say when that is.
    pub fn keepalive(&self, usual: Duration) -> Duration {
        let patience = self.patience.and_then(ClientPatience::said);
        let in_time = patience.map(|patience| patience.mul_f32(IN_TIME));
        in_time.map_or(usual, |in_time| in_time.min(usual))
    }

    /// Whether its client is one of `OpenAI`'s or Anthropic's own SDKs.
    pub fn is_from_sdk(&self) -> bool {
        self.headers
            .keys()
            .any(|name| name.as_str().starts_with("x-stainless-"))
    }

    /// The message after which it goes on, if the upstream has the conversation so far, and the request has it not.
    pub fn goes_on_after(&self) -> Option<&str> {
        match &self.thread {
            Some(Thread::After(id)) => Some(id),
            _ => None,
        }
    }

    /// Whether the upstream stores its answer, or something in it, so that it can be referred to later.
    pub fn is_kept(&self) -> bool {
        match self.endpoint {
            Endpoint::Responses => self.store != Some(false),
            // Audio in an answer can be referred to for an hour.
            Endpoint::ChatCompletions => {
                self.store == Some(true) || self.demands.contains(Ability::Audio)
            }
            Endpoint::Messages => self.thread.is_some() || media::may_run_code(&self.body),
            _ => false,
        }
    }

    /// Whether its body is a form.
    pub fn is_form(&self) -> bool {
        has_media_type(&self.headers, "multipart/form-data")
    }

    /// The conversation that it belongs to.
    pub fn session(&self) -> Session<'_> {
        self.session
            .map_or(Session::Begun(&self.body), Session::Named)
    }

    /// What it requires of a model.
    pub fn needs(&self) -> Needs<'_> {
        Needs {
            demands: self.demands,
            body: &self.body,
        }
    }
}

/// The kinds of request that backstop understands; everything else is `Other` and forwarded untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /chat/completions`
    ChatCompletions,
    /// `POST /completions`
    Completions,
    /// `POST /embeddings`
    Embeddings,
    /// `POST /responses`
    Responses,
    /// Anthropic's `POST /messages`
    Messages,
    /// Anthropic's `POST /messages/count_tokens`
    CountTokens,
    /// `GET /realtime` or `GET /responses` that asks for a WebSocket.
    Realtime,
    /// Any other method and path.
    Other,
}

impl Endpoint {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Messages,
        Self::CountTokens,
        Self::Realtime,
        Self::Other,
    ];

    /// Finds the endpoint by method and path; the path has no query.
    pub fn of(method: &Method, path: &str) -> Self {
        if method != Method::POST {
            return Self::Other;
        }
        match path {
            "/chat/completions" => Self::ChatCompletions,
            "/completions" => Self::Completions,
            "/embeddings" => Self::Embeddings,
            "/responses" => Self::Responses,
            "/messages" => Self::Messages,
            "/messages/count_tokens" => Self::CountTokens,
            _ => Self::Other,
        }
    }

    /// Whether it is one of Anthropic's.
    pub fn is_anthropic(self) -> bool {
        matches!(self, Self::Messages | Self::CountTokens)
    }

    /// Whether it can be answered by a stream of events.
    pub fn can_stream(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions | Self::Completions | Self::Responses | Self::Messages
        )
    }

    /// Whether the model may be named where we do not look: in a prompt stored at the upstream, or in the frames of a
    /// WebSocket.
    pub fn may_lack_a_model(self) -> bool {
        matches!(self, Self::Responses | Self::Realtime)
    }

    /// Whether its body may be a list of inputs, each of which has the model's context window for itself.
    pub fn may_have_several_inputs(self) -> bool {
        matches!(self, Self::Embeddings | Self::Completions)
    }

    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Realtime => "realtime",
            Self::Other => "other",
        }
    }
}
