//! The body of a client's request. What nobody reads of it is thrown away for a while.
//!
//! A server that closes a connection with unread bytes resets it (RFC 9112, section 9.6). A client that is still sending learns
//! of the reset, and many then never read the answer that says what was wrong. Over HTTP/2 a stream ends without that.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::body::{Patience, next_data};

/// How long the rest of a body is read after the answer, and how long nothing may come meanwhile.
const LONGEST: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(2);

/// The body of a client's request.
#[derive(Debug)]
pub struct RequestBody {
    /// `None` once it is over, or has been given away to be thrown away.
    body: Option<Incoming>,
    /// Whether the client may be sending it while nobody reads.
    is_sent_anyway: bool,
}

impl RequestBody {
    /// The request with its body as this type.
    pub fn of(request: Request<Incoming>) -> Request<Self> {
        // A client that waits for a 100 sends nothing after another answer.
        let is_sent_anyway =
            request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
        request.map(|body| Self {
            body: Some(body),
            is_sent_anyway,
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let empty = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(empty, Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.is_sent_anyway || self.is_end_stream() {
            return;
        }
        if let (Some(body), Ok(runtime)) = (self.body.take(), Handle::try_current()) {
            runtime.spawn(throw_away(body));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let patience = Patience {
        idle: SILENCE,
        until: Instant::now() + LONGEST,
    };
    while let Ok(Some(_)) = next_data(&mut body, patience).await {}
}
