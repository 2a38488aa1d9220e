//! A request, as far as it decides who may serve it.

use crate::config::{Continuation, UpstreamId};
use crate::request::{Endpoint, ModelRequest, Needs, Session};

/// What of a request decides the order.
#[derive(Clone, Copy, Debug)]
pub struct RoutingRequest<'a> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The model it names.
    pub model: &'a str,
    /// The conversation that it belongs to.
    pub session: Session<'a>,
    /// How often the client itself has tried before.
    pub retries: usize,
    /// How a stream that broke off is to be continued, if this is a continuation.
    pub continuation: Continuation,
    /// What it requires of a model.
    pub needs: Needs<'a>,
    /// Whether it brings a credential of the client's own.
    pub has_credential: bool,
    /// The owner of an object that it refers to.
    pub pinned_to: Option<&'a UpstreamId>,
    /// Whether only an upstream has the conversation so far.
    pub is_in_thread: bool,
    /// The only upstream that it wants to be served by.
    pub only: Option<&'a UpstreamId>,
}

impl<'a> RoutingRequest<'a> {
    /// A request of the conversation with this number, and no other properties.
    pub fn new(endpoint: Endpoint, model: &'a str, session: u64) -> Self {
        Self {
            endpoint,
            model,
            session: Session::Named(session),
            retries: 0,
            needs: Needs::default(),
            has_credential: false,
            pinned_to: None,
            is_in_thread: false,
            only: None,
            continuation: Continuation::Off,
        }
    }

    pub(in crate::failover) fn of(request: &'a ModelRequest) -> Self {
        Self {
            endpoint: request.endpoint,
            model: request.model_name(),
            session: request.session(),
            retries: request.retries,
            needs: request.needs(),
            has_credential: request.credential.is_some(),
            pinned_to: request.pinned_to.as_ref(),
            is_in_thread: request.goes_on_after().is_some(),
            only: request.control.only.as_ref(),
            continuation: Continuation::Off,
        }
    }
}
