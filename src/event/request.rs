//! What is reported about one request.

use std::sync::Arc;
use std::time::Duration;

use super::health_change::ScopeId;
use super::tokens::Tokens;
use crate::config::UpstreamId;
use crate::request::{Endpoint, RequestId, Trace};

/// A finished request.
#[derive(Clone, Debug)]
pub struct RequestReport {
    /// The request.
    pub id: RequestId,
    /// What it is part of, if it is traced.
    pub trace: Option<Trace>,
    /// The configured name of the client, where keys are configured.
    pub client: Option<Arc<str>>,
    /// The name of the route that served it, if one matched.
    pub route: Option<Arc<str>>,
    /// What was asked for.
    pub endpoint: Endpoint,
    /// The HTTP status that was sent, or 499 if the client left before there was one.
    pub status: u16,
    /// How it ended for the client.
    pub result: RequestResult,
    /// How many attempts it took.
    pub attempts: usize,
    /// Who answered.
    pub served_by: Option<UpstreamId>,
    /// The model that answered, as [`ScopeId`] has it.
    pub model: Option<Arc<str>>,
    /// Who should have answered, if somebody else did.
    pub in_place_of: Option<InPlaceOf>,
    /// The upstreams that failed it, or were passed over because they are out of rotation, if nobody answered in full.
    pub failed_by: Vec<UpstreamId>,
    /// The models that were passed over because they are out of rotation, if nobody answered.
    pub out_at: Vec<ScopeId>,
    /// Where attempts failed by the fault of the upstream, each place once with its last failure, whatever came of the
    /// request.
    pub failed_at: Vec<FailedAt>,
    /// Why nobody answered.
    pub failure: Option<Box<RequestFailure>>,
    /// Why we refused it, if we had no room for it.
    pub refusal: Option<Refusal>,
    /// Which of its client's limits it has met, if it was refused for one.
    pub limit: Option<ClientLimit>,
    /// From the request being read to the head of the answer.
    pub first_byte: Option<Duration>,
    /// From the request being read to the first content of the answer.
    pub first_token: Option<Duration>,
    /// From the request being read to the end of the answer.
    pub total: Duration,
    /// What the answer costs, if the upstream says so.
    pub tokens: Option<Tokens>,
    /// The part of `first_byte` that was not spent waiting for upstreams.
    pub added: Option<Duration>,
}

impl RequestReport {
    /// What kept everybody from answering, in a label, if it failed by nothing that an upstream has said.
    pub fn cause(&self) -> Option<&'static str> {
        let refusal = self.refusal.map(Refusal::label);
        refusal.or_else(|| self.failure.as_ref()?.cause)
    }
}

/// Why nobody answered a request.
#[derive(Clone, Debug)]
pub struct RequestFailure {
    /// What kept everybody from answering: the label of an outcome or of the reason why nobody was asked, or the code of our
    /// own error; `None`: what was said about the request.
    pub cause: Option<&'static str>,
    /// Who failed and how, if anybody could have answered; never a secret, and nothing from a prompt. It names the model that
    /// the client asked for.
    pub story: Option<String>,
}

/// Why there was no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More requests arrived than the processor could handle.
    Overloaded,
    /// As many requests as may be were in flight.
    Requests,
    /// The bodies of others had taken the memory.
    Memory,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Overloaded, Self::Requests, Self::Memory];

    /// A short constant name for labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Requests => "requests",
            Self::Memory => "memory",
        }
    }
}

/// What of a client's rules a request was refused by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientLimit {
    /// Its requests in a minute.
    Requests,
    /// Its tokens in a minute.
    Tokens,
    /// Its requests at a time.
    Concurrent,
    /// The models that it may use.
    Models,
    /// The time until which its key is accepted.
    Expiry,
}

impl ClientLimit {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Requests,
        Self::Tokens,
        Self::Concurrent,
        Self::Models,
        Self::Expiry,
    ];

    /// A short constant name for labels: its key in the configuration.
    pub fn label(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
            Self::Concurrent => "concurrent",
            Self::Models => "models",
            Self::Expiry => "expires",
        }
    }
}

/// A place where an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAt {
    /// The model at its upstream; without one, if it has none.
    pub scope: ScopeId,
    /// The label of the outcome.
    pub outcome: &'static str,
}

/// The upstream that is preferred for a request which somebody else has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlaceOf {
    /// The first upstream in the order of the route that could have served the request.
    pub upstream: UpstreamId,
    /// Its model, as [`ScopeId`] has it.
    pub model: Option<Arc<str>>,
    /// Why it did not: the label of the outcome of its attempt, or of the reason why it was passed over.
    pub reason: &'static str,
    /// Whether it was not even asked.
    pub is_passed_over: bool,
}

/// What the client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestResult {
    /// A complete answer from an upstream.
    Answered,
    /// An error because the request itself was wrong.
    Rejected,
    /// An error because every upstream failed, or because we had no room for it; or the error of the upstream to which the
    /// request was forwarded.
    Failed,
    /// An answer that broke off; it ended with an error.
    Broken,
    /// Nothing more: the client left before the end.
    ClientGone,
}

impl RequestResult {
    /// All of them, the good one first.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Rejected,
        Self::Failed,
        Self::Broken,
        Self::ClientGone,
    ];

    /// A short constant name for labels and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::ClientGone => "client_gone",
        }
    }
}
