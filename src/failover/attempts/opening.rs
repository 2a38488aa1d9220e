//! The beginning of a forwarded body, whose meaning is not known. It is held back for as long as it may be an error, or
//! break: until then the request can fail over, as nothing has been sent to the client.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::Body as _;
use tokio::time::Instant;

use super::ending::Failure;
use crate::outcome::Outcome;
use crate::upstream::ReplyBody;
use crate::wire::body::{Patience, ReadError, next_data};
use crate::wire::sse::{self, Event, Framer};

/// How long the head of an answer may wait for the first piece. A body that breaks at once breaks together with its
/// head; a slow one, such as a file, need not be waited for.
const FIRST_PIECE: Duration = Duration::from_secs(1);
/// No error is longer, in bytes.
pub(in crate::failover) const LONGEST_ERROR: usize = 64 << 10;

/// How much of a body is held back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hold {
    /// Its first piece, if that comes at once.
    FirstPiece,
    /// JSON that is no error, within this time.
    Json(Patience),
    /// An event with data, unless the client gets nothing for so long.
    Event(Duration),
}

/// Reads as much as is held back; `None` if nothing has come by then, or nothing comes at all.
pub(super) async fn opening(body: &mut ReplyBody, hold: Hold) -> Result<Option<Bytes>, Failure> {
    let patience = match hold {
        Hold::Json(patience) => patience,
        Hold::FirstPiece => soon(FIRST_PIECE),
        Hold::Event(time) => soon(time),
    };
    let mut held = Bytes::new();
    let mut is_enough = false;
    let mut framer = Framer::new();
    while !body.is_end_stream() && !is_enough {
        match next_data(body, patience).await {
            Ok(Some(data)) => {
                is_enough = match hold {
                    Hold::FirstPiece => true,
                    Hold::Json(_) => false,
                    Hold::Event(_) => has_data(&framer.push(data.clone())),
                };
                held = joined(held, data);
                is_enough |= held.len() > LONGEST_ERROR;
            }
            Ok(None) => break,
            Err(ReadError::Stalled | ReadError::TooLate) if !matches!(hold, Hold::Json(_)) => break,
            Err(ReadError::Broken(error)) if held.is_empty() => {
                return Err(Failure {
                    detail: Some(format!("the body broke before its first piece: {error}")),
                    ..Outcome::ConnectionLost.into()
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((!held.is_empty()).then_some(held))
}

/// What is held so far is copied only as often as its room grows.
fn joined(held: Bytes, more: Bytes) -> Bytes {
    if held.is_empty() {
        return more;
    }
    let mut whole = held
        .try_into_mut()
        .unwrap_or_else(|held| BytesMut::from(&held[..]));
    whole.extend_from_slice(&more);
    whole.freeze()
}

fn soon(time: Duration) -> Patience {
    Patience {
        idle: time,
        until: Instant::now() + time,
    }
}

/// Whether there is an event with data among whole events.
fn has_data(events: &[u8]) -> bool {
    sse::events(events).any(|event| event.data.is_some())
}

/// Looks at the first event with data, if it is whole.
pub(super) fn with_first_event<T>(held: &Bytes, look: impl FnOnce(&Event<'_>) -> T) -> Option<T> {
    let whole = Framer::new().push(held.clone());
    let mut events = sse::events(&whole);
    events
        .find(|event| event.data.is_some())
        .map(|event| look(&event))
}
