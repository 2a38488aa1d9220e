//! The first piece of a forwarded body, which is not parsed. If the body breaks before that piece, the request can
//! still fail over, as nothing has been sent to the client.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

use super::ending::Failure;
use crate::outcome::Outcome;
use crate::upstream::ReplyBody;

/// How long the head of an answer may wait for the first piece. A body that breaks at once breaks together with its
/// head; a slow one, such as a stream of events, need not be waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for the first piece for a short time; `None` if it has not arrived by then.
pub(in crate::failover) async fn first_piece(
    body: &mut ReplyBody,
) -> Result<Option<Bytes>, Failure> {
    if body.is_end_stream() {
        return Ok(None);
    }
    match timeout(PATIENCE, body.frame()).await {
        Ok(Some(Ok(frame))) => Ok(frame.into_data().ok()),
        Ok(Some(Err(error))) => Err(Failure {
            detail: Some(format!("the body broke before its first piece: {error}")),
            ..Outcome::ConnectionLost.into()
        }),
        Ok(None) | Err(_) => Ok(None),
    }
}
