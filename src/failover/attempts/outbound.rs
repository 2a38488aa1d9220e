//! What is sent to an upstream: the client's request, or its translation.

use std::net::IpAddr;
use std::pin::pin;

use http::header::{HeaderName, HeaderValue};
use tokio::time::Instant;

use super::deadline::{Deadline, Wait};
use super::ending::Failure;
use crate::dialect::UpstreamRequest;
use crate::failover::decisions::target::Target;
use crate::outcome::{Outcome, Unreachable};
use crate::request::ModelRequest;
use crate::routing::Candidate;
use crate::upstream::{Outbound, Reply, Seat, SendError, Upstream};
use crate::wire::alarm::within;

/// The client's request, except for the model's name in the path.
pub(in crate::failover) fn outbound(
    request: &ModelRequest,
    upstream: &Upstream,
    model: Option<&str>,
) -> Outbound {
    let is_wanted = upstream.names_models_in_paths() && request.model.is_some();
    let mut headers = request.headers.clone();
    if let Some(credential) = &request.credential
        && upstream.takes_clients_credential()
    {
        credential.put_on(&mut headers);
    }
    Outbound {
        model: is_wanted.then(|| model.unwrap_or_else(|| request.model_name()).into()),
        method: request.method.clone(),
        path: request.path.clone(),
        headers,
        body: request.body.clone(),
        // A second answer costs money, and nothing else.
        is_repeatable: true,
        sending: None,
        seat: None,
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

/// Makes the attempt of this number the parent of what the upstream does, if the request is traced.
pub(in crate::failover) fn traced(request: &ModelRequest, number: usize, outbound: &mut Outbound) {
    if let Some(trace) = &request.trace {
        trace.put_on(&mut outbound.headers, &request.id, number);
    }
}

/// A seat, if the upstream serves a limited number of requests at a time. `may_queue`: it is waited for.
pub(super) async fn seat(
    target: &Target<'_>,
    may_queue: bool,
    deadline: Deadline,
) -> Result<Option<Seat>, Outcome> {
    let Some(seats) = target.candidate.upstream.seats() else {
        return Ok(None);
    };
    let seat = match may_queue {
        true => seats.wait(deadline.until()).await,
        false => seats.take().ok_or(Outcome::Full { has_waited: false }),
    };
    seat.map(Some)
}

/// Sends it, and waits for the head of the reply.
pub(in crate::failover) fn send(
    target: &Target<'_>,
    outbound: Outbound,
    wait: Wait,
) -> impl Future<Output = Result<Reply, Failure>> {
    let sending = outbound.sending.clone();
    if let Some(sending) = &sending {
        sending.begins();
    }
    // A block, since an async function keeps its large arguments twice.
    async move {
        let mut exchange = pin!(target.candidate.upstream.send(target.key, outbound));
        // Nothing was waited for since.
        let mut now = wait.began;
        loop {
            let (until, stage) = wait.until(sending.as_deref());
            if until <= now {
                return Err(Outcome::TimedOut(stage).into());
            }
            if let Some(reply) = within(wait.look_at(until, now), exchange.as_mut()).await {
                return reply.map_err(|error| failure(error, &target.candidate.upstream));
            }
            now = Instant::now();
        }
    }
}

/// A failure to send. Where the upstream is on this machine or in this network, it names the address: several servers
/// may run there.
fn failure(error: SendError, upstream: &Upstream) -> Failure {
    let address = match error.outcome {
        Outcome::Unreachable(_) => local_address(upstream.base_url()),
        _ => None,
    };
    let Some(address) = address else {
        return error.into();
    };
    let detail = match error.outcome {
        Outcome::Unreachable(Unreachable::Refused) => format!("{address} refuses connections"),
        _ => format!("{address}: {}", error.detail),
    };
    SendError { detail, ..error }.into()
}

/// Host and port of a URL, if they are not public.
fn local_address(url: &str) -> Option<&str> {
    let authority = url.split_once("//")?.1.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    let is_local = match host.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        // The names of containers and of machines in a house have no public suffix.
        Err(_) => {
            let private = [".local", ".internal", ".lan", ".localhost"];
            !host.contains('.') || private.iter().any(|end| host.ends_with(end))
        }
    };
    is_local.then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::local_address;

    #[test]
    fn only_addresses_that_are_not_public_are_named() {
        for (url, address) in [
            ("http://127.0.0.1:11434/v1", Some("127.0.0.1:11434")),
            ("http://[::1]:8080/v1", Some("[::1]:8080")),
            ("http://192.168.1.7:8000", Some("192.168.1.7:8000")),
            ("http://169.254.7.7", Some("169.254.7.7")),
            ("http://[fd00::1]:1", Some("[fd00::1]:1")),
            ("http://[fe80::1]:1", Some("[fe80::1]:1")),
            ("https://[2606:4700::1]", None),
            ("http://ollama:11434/v1", Some("ollama:11434")),
            (
                "http://host.docker.internal:1234/v1",
                Some("host.docker.internal:1234"),
            ),
            ("https://api.openai.com/v1", None),
            ("https://8.8.8.8/v1", None),
            ("", None),
        ] {
            assert_eq!(local_address(url), address, "{url}");
        }
    }
}
