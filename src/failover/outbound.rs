//! What is sent to an upstream: the client's request, or its translation.

use http::header::{HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};

use super::ending::Failure;
use super::plan::Target;
use crate::dialect::UpstreamRequest;
use crate::outcome::{Outcome, Stage};
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
    Outbound {
        model: is_wanted.then(|| model.unwrap_or_else(|| request.model_name()).into()),
        method: request.method.clone(),
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        // A second answer costs money, and nothing else.
        is_repeatable: true,
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

/// Sends it, and waits until `until` for the head of the reply.
pub(super) async fn send(
    target: &Target<'_>,
    outbound: Outbound,
    (until, stage): (Instant, Stage),
) -> Result<Reply, Failure> {
    let sending = target.candidate.upstream.send(target.key, outbound);
    match timeout_at(until, sending).await {
        Ok(reply) => Ok(reply?),
        Err(_) => Err(Outcome::TimedOut(stage).into()),
    }
}
