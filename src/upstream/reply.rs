//! An upstream's reply.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::seats::Seat;

/// An upstream's reply, before its body has been read.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers as they arrived.
    pub headers: HeaderMap,
    /// The body as it arrives.
    pub body: ReplyBody,
}

impl From<Response<ReplyBody>> for Reply {
    fn from(response: Response<ReplyBody>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }
}

/// The slot of a request in flight, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    pub(super) fn taken_in(in_flight: &Arc<AtomicUsize>) -> Self {
        in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(in_flight))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a reply. Its request is in flight until the whole body has arrived, or the body is dropped.
#[derive(Debug)]
pub struct ReplyBody {
    body: Incoming,
    place: Option<Place>,
    /// Its seat at an upstream that serves a limited number of requests at a time.
    seat: Option<Seat>,
}

impl ReplyBody {
    pub(super) fn new(body: Incoming, place: Place) -> Self {
        Self {
            body,
            place: Some(place),
            seat: None,
        }
    }

    /// Its request keeps this seat.
    pub(super) fn hold(&mut self, seat: Option<Seat>) {
        self.seat = seat;
    }
}

/// The body of a request that has a connection to itself.
impl From<Incoming> for ReplyBody {
    fn from(body: Incoming) -> Self {
        Self {
            body,
            place: None,
            seat: None,
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.place = None;
            self.seat = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
