//! One attempt to open a WebSocket at one target.

use http::header::SEC_WEBSOCKET_ACCEPT;
use tokio::time::Instant;

use super::ending::{AttemptAnswer, AttemptBody, Failure, Opened};
use super::error_reply::{ErrorSource, refusal};
use super::outbound;
use super::secrets::without_secrets;
use crate::config::Refusals;
use crate::dialect::{self, errors};
use crate::failover::decisions::target::Target;
use crate::outcome::{Outcome, Stage};
use crate::request::ModelRequest;
use crate::routing::Candidate;
use crate::upstream::{Outbound, Seat, Upgrade};
use crate::wire::alarm::within;
use crate::wire::body::Patience;
use crate::wire::websocket::is_handshake;

/// Opens a WebSocket at one target. It keeps its seat there, where their number is limited.
pub(super) async fn run(
    (request, number): (&ModelRequest, usize),
    target: Target<'_>,
    (until, stage): (Instant, Stage),
    seat: Option<Seat>,
) -> Result<AttemptAnswer, Failure> {
    let mut outbound = outbound(request, target.candidate);
    outbound::traced(request, number, &mut outbound);
    let upgrading = target.candidate.upstream.upgrade(target.key, outbound);
    let Some(switched) = within(until, upgrading).await else {
        return Err(Outcome::TimedOut(stage).into());
    };
    match switched? {
        // The client checks `sec-websocket-accept`: it knows the key.
        Upgrade::Agreed {
            headers,
            connection,
        } if is_handshake(&headers) && headers.contains_key(SEC_WEBSOCKET_ACCEPT) => {
            let body = AttemptBody::Upgraded(Box::new(Opened {
                connection,
                seat,
                patience: target.candidate.timeouts.idle,
            }));
            Ok(AttemptAnswer::new(101, headers, body, Outcome::Success))
        }
        Upgrade::Agreed { .. } => Err(Outcome::UpgradeRefused { status: 101 }.into()),
        Upgrade::Refused(reply) => {
            let idle = until.saturating_duration_since(Instant::now());
            let error_body =
                |status, body| errors::shaped(status, without_secrets(target, request, body));
            refusal(
                reply,
                Patience { idle, until },
                ErrorSource::of(target, request, Refusals::Return),
                errors::classify_handshake,
                error_body,
            )
            .await
        }
    }
}

fn outbound(request: &ModelRequest, candidate: &Candidate) -> Outbound {
    let model = candidate.model.as_deref();
    Outbound {
        path: dialect::path(request, model),
        ..outbound::outbound(request, &candidate.upstream, model)
    }
}
