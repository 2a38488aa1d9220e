//! One try at one target: send, wait, and look hard at what comes back.

use std::time::{Duration, SystemTime};

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap};
use tokio::time::{Instant, timeout_at};

use super::commit::hold;
use super::deadline::Deadline;
use super::ending::{Held, Lost, Won, WonBody};
use super::plan::Target;
use crate::config::TimeoutsConfig;
use crate::dialect::openai;
use crate::outcome::{Defect, Outcome, Stage};
use crate::request::{Endpoint, ModelRequest};
use crate::upstream::{Outbound, Reply};
use crate::wire::allowance;
use crate::wire::body::{Patience, read_whole};
use crate::wire::headers::{has_media_type, retry_after};

/// No answer is larger than this; images in base64 are the largest there are.
const LARGEST_ANSWER: usize = 64 << 20;
/// Enough of an error to classify it and to hand it on.
const LARGEST_ERROR: usize = 1 << 20;

/// Asks one target for an answer.
pub(super) async fn run(
    timeouts: &TimeoutsConfig,
    request: &ModelRequest,
    target: Target<'_>,
    deadline: Deadline,
) -> Result<Won, Lost> {
    let patience = if request.streaming {
        timeouts.first_token
    } else {
        timeouts.answer()
    };
    let first = deadline.first_token(patience);
    let mut outbound = outbound(request);
    outbound.body = openai::body(request, target.candidate.model.as_deref());
    // What is to be looked into must not come compressed.
    outbound.headers.remove(ACCEPT_ENCODING);
    let reply = send(&target, outbound, first).await?;
    let rest = Patience {
        idle: timeouts.idle,
        until: deadline.until(),
    };
    match reply.status {
        200..=299 if request.streaming => stream(request.endpoint, reply, first, rest).await,
        200..=299 => whole(request.endpoint, reply, rest).await,
        300..=399 => Err(Outcome::InvalidReply(Defect::Redirect).into()),
        _ => refusal(reply, rest).await,
    }
}

/// Sends a request on and hands back whatever comes, as it comes.
pub(super) async fn forward(
    timeouts: &TimeoutsConfig,
    request: &ModelRequest,
    target: &Target<'_>,
    deadline: &Deadline,
) -> Result<Won, Lost> {
    let first = deadline.first_token(timeouts.answer());
    let reply = send(target, outbound(request), first).await?;
    Ok(Won {
        status: reply.status,
        headers: reply.headers,
        body: WonBody::Stream(Box::new(Held::opaque(reply.body, timeouts.idle))),
        outcome: Outcome::Success,
    })
}

fn outbound(request: &ModelRequest) -> Outbound {
    Outbound {
        method: request.method.clone(),
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
    }
}

async fn send(
    target: &Target<'_>,
    outbound: Outbound,
    (until, stage): (Instant, Stage),
) -> Result<Reply, Lost> {
    let sending = target.candidate.upstream.send(target.key, outbound);
    match timeout_at(until, sending).await {
        Ok(reply) => Ok(reply?),
        Err(_) => Err(Outcome::TimedOut(stage).into()),
    }
}

/// An answer in one piece: received whole before the client gets any of it, so that every defect can fail over.
async fn whole(endpoint: Endpoint, reply: Reply, patience: Patience) -> Result<Won, Lost> {
    check_form(&reply.headers)?;
    let body = read_whole(reply.body, LARGEST_ANSWER, patience).await?;
    openai::inspect(endpoint, &body, wait_asked_by(&reply.headers))?;
    Ok(Won {
        status: reply.status,
        headers: reply.headers,
        body: WonBody::Whole(body),
        outcome: Outcome::Success,
    })
}

/// An answer in events: held back until the first real one.
async fn stream(
    endpoint: Endpoint,
    reply: Reply,
    first: (Instant, Stage),
    rest: Patience,
) -> Result<Won, Lost> {
    check_form(&reply.headers)?;
    if has_media_type(&reply.headers, "application/json") {
        return Err(no_stream(endpoint, reply, rest).await);
    }
    let held = hold(endpoint, reply.body, first, rest.idle).await?;
    Ok(Won {
        status: reply.status,
        headers: reply.headers,
        body: WonBody::Stream(Box::new(held)),
        outcome: Outcome::Success,
    })
}

/// JSON where events were asked for is an error in disguise, or an upstream that cannot stream. SDKs would take
/// either for an empty stream.
async fn no_stream(endpoint: Endpoint, reply: Reply, patience: Patience) -> Lost {
    let body = match read_whole(reply.body, LARGEST_ERROR, patience).await {
        Ok(body) => body,
        Err(error) => return error.into(),
    };
    match openai::inspect(endpoint, &body, wait_asked_by(&reply.headers)) {
        Ok(()) => Outcome::InvalidReply(Defect::ContentType).into(),
        Err(outcome) => outcome.into(),
    }
}

/// An error status: the client's fault goes back as it is, everything else is lost.
async fn refusal(reply: Reply, patience: Patience) -> Result<Won, Lost> {
    // A body that breaks off leaves the status to decide.
    let body = read_whole(reply.body, LARGEST_ERROR, patience)
        .await
        .unwrap_or_default();
    match openai::classify(reply.status, wait_asked_by(&reply.headers), &body) {
        outcome @ Outcome::RejectedRequest { .. } => Ok(Won {
            status: reply.status,
            headers: reply.headers,
            body: WonBody::Whole(body),
            outcome,
        }),
        outcome => Err(outcome.into()),
    }
}

fn check_form(headers: &HeaderMap) -> Result<(), Outcome> {
    if has_media_type(headers, "text/html") {
        return Err(Outcome::InvalidReply(Defect::ContentType));
    }
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => Err(Outcome::InvalidReply(Defect::Compressed)),
        _ => Ok(()),
    }
}

/// How long a reply asks us to stay away: by `Retry-After`, else until an allowance that is used up is full again.
fn wait_asked_by(headers: &HeaderMap) -> Option<Duration> {
    let now = SystemTime::now();
    retry_after(headers, now).or_else(|| allowance::exhausted(headers, now))
}
