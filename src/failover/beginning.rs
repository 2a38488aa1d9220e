//! The first piece of a body that is not looked into: one that is broken from its beginning can still be replaced, as long
//! as nothing has gone out.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

use super::ending::Failure;
use crate::outcome::Outcome;
use crate::upstream::ReplyBody;

/// So long the head of an answer may wait for its body. What breaks at once breaks together with the head; one that is
/// only slow, such as a stream of events, need not be waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits for the first piece, not for long; `None` if none is there by then.
pub(super) async fn first_piece(body: &mut ReplyBody) -> Result<Option<Bytes>, Failure> {
    if body.is_end_stream() {
        return Ok(None);
    }
    match timeout(PATIENCE, body.frame()).await {
        Ok(Some(Ok(frame))) => Ok(frame.into_data().ok()),
        Ok(Some(Err(error))) => Err(Failure {
            detail: Some(format!("the body is broken from its beginning: {error}")),
            ..Outcome::ConnectionLost.into()
        }),
        Ok(None) | Err(_) => Ok(None),
    }
}
