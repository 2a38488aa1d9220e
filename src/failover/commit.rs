//! Holding a stream back until its first real content: the point of no return.

use std::time::Duration;

use bytes::BytesMut;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::ending::{Events, Held, Lost};
use crate::dialect::openai::{Signal, StreamReader};
use crate::outcome::{Defect, Outcome, Stage};
use crate::request::Endpoint;
use crate::wire::body::{Patience, ReadError, next_data};
use crate::wire::sse::{self, Framer};

/// No preamble is longer; a `response.created` that repeats a long prompt is the longest there is.
const LONGEST_PREAMBLE: usize = 4 << 20;

/// Reads until the first content. Everything that goes wrong before it can still fail over.
pub(super) async fn hold(
    endpoint: Endpoint,
    mut body: Incoming,
    (until, stage): (Instant, Stage),
    idle: Duration,
) -> Result<Held, Lost> {
    let mut framer = Framer::new();
    let mut reader = StreamReader::new(endpoint);
    let mut first = BytesMut::new();
    // Until the first content only the first-token timer counts: an upstream that thinks may be silent.
    let patience = Patience {
        idle: until.saturating_duration_since(Instant::now()),
        until,
    };
    loop {
        let (whole, is_over) = match next_data(&mut body, patience).await {
            Ok(Some(data)) => (framer.push(data), false),
            Ok(None) => (framer.take_rest(), true),
            Err(ReadError::Stalled | ReadError::TooLate) => {
                return Err(Outcome::TimedOut(stage).into());
            }
            Err(error) => return Err(error.into()),
        };
        first.extend_from_slice(&whole);
        if read_all(&mut reader, &whole)? {
            return Ok(Held {
                first: first.freeze(),
                rest: body,
                idle,
                events: Some(Events { framer, reader }),
            });
        }
        if is_over {
            let defect = if first.is_empty() {
                Defect::Empty
            } else {
                Defect::NoAnswer
            };
            return Err(Outcome::InvalidReply(defect).into());
        }
        if first.len() + framer.held() > LONGEST_PREAMBLE {
            return Err(Outcome::InvalidReply(Defect::TooLarge).into());
        }
    }
}

/// Whether there is content among these events.
fn read_all(reader: &mut StreamReader, whole: &[u8]) -> Result<bool, Outcome> {
    let mut has_content = false;
    for event in sse::events(whole) {
        match reader.read(&event) {
            Signal::Preamble => {}
            Signal::Content => has_content = true,
            // After a complete answer, nothing can spoil it.
            Signal::Failed(_) if reader.is_complete() => {}
            Signal::Failed(outcome) => return Err(outcome),
        }
    }
    Ok(has_content)
}
