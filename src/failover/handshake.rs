//! One try at opening a WebSocket at one target.

use http::header::SEC_WEBSOCKET_ACCEPT;
use tokio::time::{Instant, timeout_at};

use super::ending::{Lost, Won, WonBody};
use super::outbound;
use super::plan::Target;
use super::refusal::refusal;
use crate::config::Refusals;
use crate::dialect::openai;
use crate::outcome::{Outcome, Stage};
use crate::request::ModelRequest;
use crate::routing::Candidate;
use crate::upstream::{Outbound, Switch};
use crate::wire::body::Patience;
use crate::wire::websocket::is_handshake;

/// Asks one target for a WebSocket.
pub(super) async fn run(
    request: &ModelRequest,
    target: Target<'_>,
    (until, stage): (Instant, Stage),
) -> Result<Won, Lost> {
    let outbound = outbound(request, target.candidate);
    let switching = target.candidate.upstream.switch(target.key, outbound);
    let Ok(switched) = timeout_at(until, switching).await else {
        return Err(Outcome::TimedOut(stage).into());
    };
    match switched? {
        // Whether it has understood our question is for the client to see, who knows the answer.
        Switch::Agreed {
            headers,
            connection,
        } if is_handshake(&headers) && headers.contains_key(SEC_WEBSOCKET_ACCEPT) => {
            let body = WonBody::Switched(connection);
            Ok(Won::new(101, headers, body, Outcome::Success))
        }
        Switch::Agreed { .. } => Err(Outcome::UpgradeRefused { status: 101 }.into()),
        Switch::Refused(reply) => {
            let idle = until.saturating_duration_since(Instant::now());
            let upstream = &target.candidate.upstream;
            let told =
                |status, said| openai::shaped(status, upstream.without_key(target.key, said));
            refusal(
                reply,
                Patience { idle, until },
                Refusals::Return,
                openai::classify_handshake,
                told,
            )
            .await
        }
    }
}

fn outbound(request: &ModelRequest, candidate: &Candidate) -> Outbound {
    let model = candidate.model.as_deref();
    Outbound {
        path: openai::path(request, model),
        ..outbound::outbound(request, &candidate.upstream, model)
    }
}
