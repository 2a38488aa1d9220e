//! One try at opening a WebSocket at one target.

use http::header::{ACCEPT_ENCODING, SEC_WEBSOCKET_ACCEPT};
use tokio::time::{Instant, timeout_at};

use super::attempt::{LARGEST_ERROR, wait_asked_by};
use super::ending::{Lost, Won, WonBody};
use super::plan::Target;
use crate::dialect::openai;
use crate::outcome::{Outcome, Stage};
use crate::request::ModelRequest;
use crate::upstream::{Outbound, Reply, Switch};
use crate::wire::body::{Patience, read_whole};
use crate::wire::websocket::is_handshake;

/// Asks one target for a WebSocket.
pub(super) async fn run(
    request: &ModelRequest,
    target: Target<'_>,
    (until, stage): (Instant, Stage),
) -> Result<Won, Lost> {
    let outbound = outbound(request, target.candidate.model.as_deref());
    let switching = target.candidate.upstream.switch(target.key, outbound);
    let Ok(switched) = timeout_at(until, switching).await else {
        return Err(Outcome::TimedOut(stage).into());
    };
    match switched? {
        // Whether it has understood our question is for the client to see, who knows the answer.
        Switch::Agreed {
            headers,
            connection,
        } if is_handshake(&headers) && headers.contains_key(SEC_WEBSOCKET_ACCEPT) => Ok(Won {
            status: 101,
            headers,
            body: WonBody::Switched(connection),
            outcome: Outcome::Success,
            dropped: Vec::new(),
        }),
        Switch::Agreed { .. } => Err(Outcome::UpgradeRefused { status: 101 }.into()),
        Switch::Refused(reply) => {
            let idle = until.saturating_duration_since(Instant::now());
            refusal(reply, Patience { idle, until }).await
        }
    }
}

fn outbound(request: &ModelRequest, model: Option<&str>) -> Outbound {
    let mut headers = request.headers.clone();
    // A refusal that is to be looked into must not come compressed.
    headers.remove(ACCEPT_ENCODING);
    Outbound {
        method: request.method.clone(),
        path: openai::path(request, model),
        headers,
        body: request.body.clone(),
    }
}

/// Anything but a 101: the client's fault goes back as it is, everything else is lost.
async fn refusal(reply: Reply, patience: Patience) -> Result<Won, Lost> {
    // A body that breaks off leaves the status to decide.
    let body = read_whole(reply.body, LARGEST_ERROR, patience)
        .await
        .unwrap_or_default();
    match openai::classify_handshake(reply.status, wait_asked_by(&reply.headers), &body) {
        outcome @ Outcome::RejectedRequest { .. } => Ok(Won {
            status: reply.status,
            headers: reply.headers,
            body: WonBody::Whole(body),
            outcome,
            dropped: Vec::new(),
        }),
        outcome => Err(outcome.into()),
    }
}
