//! What is sent to an upstream: the client's request, or its translation.

use std::pin::pin;

use http::header::{ACCEPT_ENCODING, HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};

use super::deadline::Wait;
use super::ending::Failure;
use super::plan::Target;
use crate::dialect::UpstreamRequest;
use crate::outcome::Outcome;
use crate::request::ModelRequest;
use crate::routing::Candidate;
use crate::upstream::{Outbound, Reply, Upstream};

/// The client's request, except for the model's name in the path.
pub(super) fn outbound(
    request: &ModelRequest,
    upstream: &Upstream,
    model: Option<&str>,
) -> Outbound {
    let is_wanted = upstream.names_models_in_paths() && request.model.is_some();
    let mut headers = request.headers.clone();
    // A reply whose content is read, if only for its ids, must not be compressed.
    headers.remove(ACCEPT_ENCODING);
    Outbound {
        model: is_wanted.then(|| model.unwrap_or_else(|| request.model_name()).into()),
        method: request.method.clone(),
        path: request.path.clone(),
        headers,
        body: request.body.clone(),
        sending: None,
    }
}

/// The translated request.
pub(super) fn outbound_as(
    request: &ModelRequest,
    candidate: &Candidate,
    translated: &UpstreamRequest,
) -> Outbound {
    let mut outbound = outbound(request, &candidate.upstream, candidate.model.as_deref());
    outbound.body = translated.body.clone();
    if let Some(path) = translated.path {
        path.clone_into(&mut outbound.path);
        for name in ["anthropic-version", "anthropic-beta", "openai-beta"] {
            outbound.headers.remove(name);
        }
    }
    for (name, value) in translated.headers {
        let value = HeaderValue::from_static(value);
        outbound
            .headers
            .insert(HeaderName::from_static(name), value);
    }
    outbound
}

/// Sends it, and waits for the head of the reply.
pub(super) async fn send(
    target: &Target<'_>,
    outbound: Outbound,
    wait: Wait,
) -> Result<Reply, Failure> {
    let sending = outbound.sending.clone();
    let mut exchange = pin!(target.candidate.upstream.send(target.key, outbound));
    loop {
        let (until, stage) = wait.until(sending.as_deref());
        if until <= Instant::now() {
            return Err(Outcome::TimedOut(stage).into());
        }
        if let Ok(reply) = timeout_at(wait.look_at(until), exchange.as_mut()).await {
            return Ok(reply?);
        }
    }
}
