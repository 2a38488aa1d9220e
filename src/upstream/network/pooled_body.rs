//! The body of a reply, with the connection that it comes over.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::line::Place;
use super::pool::Pool;
use super::single::Single;

/// The body of a reply. It drives its connection, which is kept for further requests once all of it has come.
#[derive(Debug)]
pub struct PooledBody {
    body: Incoming,
    /// `None` once it is complete or broken, or if the connection is nobody else's.
    hold: Option<Hold>,
}

/// A connection while the reply of a request comes over it.
pub(super) struct Hold {
    pub(super) pool: Arc<Pool>,
    pub(super) place: Place,
    /// The connection itself, if it carries no other request.
    pub(super) single: Option<Box<Single>>,
}

impl PooledBody {
    pub(super) fn new(body: Incoming, hold: Hold) -> Self {
        let mut body = Self {
            body,
            hold: Some(hold),
        };
        body.release_if_whole();
        body
    }

    /// One that comes over a connection which drives itself.
    pub fn alone(body: Incoming) -> Self {
        Self { body, hold: None }
    }

    /// With the last byte and not with the next poll: nobody polls after the announced length.
    fn release_if_whole(&mut self) {
        if self.body.is_end_stream() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.release();
        }
    }
}

impl Hold {
    fn release(self) {
        if let Some(single) = self.single {
            let line = Arc::clone(&self.place.0);
            drop(self.place);
            self.pool.keep(single, line);
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Self { body, hold } = &mut *self;
        let single = hold.as_mut().and_then(|hold| hold.single.as_mut());
        let polled = ready!(match single {
            Some(single) => single.poll_body(body, context),
            None => Pin::new(body).poll_frame(context),
        });
        match &polled {
            Some(Ok(_)) => self.release_if_whole(),
            Some(Err(_)) => self.hold = None,
            None => self.release(),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
