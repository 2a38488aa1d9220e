//! Requests for a WebSocket: the handshake for upstreams, and the response that starts the relay.

use http::header::{CONTENT_LENGTH, HeaderMap, UPGRADE};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};
use hyper::body::Body as _;
use tokio::time::Instant;

use super::auth;
use super::hints::Hints;
use super::path::Path;
use super::record::RequestRecord;
use super::reject::Rejection;
use super::revocation::Revocation;
use super::stopping;
use crate::catalogue::Abilities;
use crate::event::RequestResult;
use crate::failover::{Relay, RelayEnd, Stop};
use crate::request::{Endpoint, ModelRequest};
use crate::wire::body::full;
use crate::wire::json::ModelField;
use crate::wire::query;
use crate::wire::request_body::RequestBody;
use crate::wire::upgrade::{Handled, UpgradeHandler};
use crate::wire::websocket::{is_handshake, put_handshake};

/// The paths at which a WebSocket may be requested.
const PATHS: [&str; 2] = ["/realtime", "/responses"];

/// Whether a request asks for a WebSocket. A request that would also take another protocol than HTTP/1.1 is answered over
/// HTTP/1.1 (RFC 9110, section 7.8): Java's client offers `h2c` with each request, unless told otherwise.
pub(super) fn is_wanted(head: &Parts) -> bool {
    let offered = head.headers.get_all(UPGRADE).iter();
    let mut offered = offered.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    offered.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// Reads a WebSocket handshake; one that cannot be relayed is rejected.
pub(super) fn request(
    record: &mut RequestRecord,
    head: Parts,
    path: Path,
    body: &RequestBody,
) -> Result<ModelRequest, Rejection> {
    let is_relayed = head.method == Method::GET
        && head.version == Version::HTTP_11
        && PATHS.contains(&path.without_query())
        && is_handshake(&head.headers)
        && body.is_end_stream();
    if !is_relayed {
        return Err(Rejection::Upgrade);
    }
    record.endpoint = Endpoint::Realtime;
    let path = path.into_text();
    if query::is_repeated(&path, "model") {
        return Err(Rejection::TwoModels);
    }
    let model = query::parameter(&path, "model").filter(|name| !name.is_empty());
    let hints = Hints::of(&head.headers)?;
    Ok(ModelRequest {
        id: record.id.clone(),
        trace: record.trace,
        received_at: Instant::now(),
        client: record.client.clone(),
        client_api: record.client_api,
        endpoint: Endpoint::Realtime,
        method: head.method,
        path,
        headers: for_upstream(head.headers),
        credential: record.credential.take(),
        body: bytes::Bytes::new(),
        model: model.map(|name| ModelField { name, span: None }),
        streaming: false,
        progress: record.progress.clone(),
        demands: Abilities::default(),
        alternatives: Vec::new(),
        max_output: 0,
        store: None,
        thread: None,
        pinned_to: None,
        // The conversation is known only from its frames, so any candidate will do.
        session: Some(fastrand::u64(..)),
        retries: hints.retries,
        patience: hints.patience,
        control: hints.control,
    })
}

fn for_upstream(sent: HeaderMap) -> HeaderMap {
    let mut headers = auth::for_upstream(sent);
    put_handshake(&mut headers);
    headers
}

/// The response to a handshake that an upstream has accepted; the relay then uses the client's connection.
pub(super) fn respond(
    relay: Box<Relay>,
    headers: HeaderMap,
    mut record: Box<RequestRecord>,
) -> Handled {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response.headers_mut().remove(CONTENT_LENGTH);
    put_handshake(response.headers_mut());
    let upgrade = UpgradeHandler::new(|client, shutdown| async move {
        let revocation = record.revocation.take();
        let stop = async {
            tokio::select! {
                () = stopping::is_over(shutdown) => Stop::Draining,
                () = Revocation::comes(revocation) => Stop::Revoked,
            }
        };
        match relay.run(client, stop).await {
            RelayEnd::Closed => record.finish(RequestResult::Answered),
            RelayEnd::Failed => record.lost(),
            RelayEnd::Stopped(Stop::Draining) => record.finish(RequestResult::Broken),
            RelayEnd::Stopped(Stop::Revoked) => record.finish(RequestResult::Rejected),
            RelayEnd::ClientGone => record.finish(RequestResult::ClientGone),
        }
    });
    Handled {
        response,
        upgrade: Some(upgrade),
    }
}
