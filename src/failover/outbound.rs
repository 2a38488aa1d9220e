//! What goes out: a request as the client wrote it, or in other words.

use http::header::{ACCEPT_ENCODING, HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};

use super::ending::Failure;
use super::plan::Target;
use crate::dialect::UpstreamRequest;
use crate::outcome::{Outcome, Stage};
use crate::request::ModelRequest;
use crate::routing::Candidate;
use crate::upstream::{Outbound, Reply, Upstream};

/// As the client wrote it, but for the model's name in the path.
pub(super) fn outbound(
    request: &ModelRequest,
    upstream: &Upstream,
    model: Option<&str>,
) -> Outbound {
    let is_wanted = upstream.names_models_in_paths() && request.model.is_some();
    let mut headers = request.headers.clone();
    // What is to be looked into, if only for the ids in it, must not come compressed.
    headers.remove(ACCEPT_ENCODING);
    Outbound {
        model: is_wanted.then(|| model.unwrap_or_else(|| request.model_name()).into()),
        method: request.method.clone(),
        path: request.path.clone(),
        headers,
        body: request.body.clone(),
    }
}

/// The same request in other words.
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

/// Sends it, and waits for the head of the reply until then.
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
