//! The body of a request on its way out, piece by piece, so that it is known how far it has got.
//!
//! Who sends a request does not wait for an answer until the whole body has been handed over.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Duration, Instant};

/// A connection takes the next piece when it has sent most of those before.
pub const PIECE: usize = 64 << 10;

/// A body that is complete in memory.
#[derive(Clone, Debug)]
pub struct Upload {
    rest: Bytes,
    sending: Option<Arc<Sending>>,
}

/// How far a request has got that is being sent.
#[derive(Debug)]
pub struct Sending {
    created: Instant,
    /// When a piece was handed over for the last time, in milliseconds since then.
    progress: AtomicU64,
    is_over: AtomicBool,
}

impl Upload {
    /// `sending` learns how far it gets.
    pub fn new(body: Bytes, sending: Option<Arc<Sending>>) -> Self {
        if let Some(sending) = &sending {
            sending.note(body.is_empty());
        }
        Self {
            rest: body,
            sending,
        }
    }

    /// The same body, sent once more from its beginning: none of it has been taken out of this copy.
    #[must_use]
    pub fn again(self) -> Self {
        Self::new(self.rest, self.sending)
    }
}

impl From<Bytes> for Upload {
    fn from(body: Bytes) -> Self {
        Self::new(body, None)
    }
}

impl Sending {
    /// A request that is about to be sent.
    pub fn soon() -> Arc<Self> {
        Arc::new(Self {
            created: Instant::now(),
            progress: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    /// It is being sent from now on.
    pub fn begins(&self) {
        self.note(false);
    }

    /// When it got further for the last time.
    pub fn progress(&self) -> Instant {
        self.created + Duration::from_millis(self.progress.load(Ordering::Acquire))
    }

    /// When all of it had been handed over; `None` before that.
    pub fn over_since(&self) -> Option<Instant> {
        let is_over = self.is_over.load(Ordering::Acquire);
        is_over.then(|| self.progress())
    }

    fn note(&self, is_over: bool) {
        let progress = self.created.elapsed().as_millis();
        let progress = u64::try_from(progress).unwrap_or(u64::MAX);
        self.progress.store(progress, Ordering::Release);
        self.is_over.store(is_over, Ordering::Release);
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        if let Some(sending) = &self.sending {
            sending.note(self.rest.is_empty());
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tokio::time::{Instant, advance};

    use super::{PIECE, Sending, Upload};

    #[tokio::test(start_paused = true)]
    async fn it_is_known_how_far_a_body_has_got() {
        let start = Instant::now();
        let sending = Sending::soon();
        let body = Bytes::from(vec![b'x'; PIECE + 1]);
        let mut upload = Upload::new(body.clone(), Some(sending.clone()));
        let mut sent = Vec::new();
        for seconds in 1..=2 {
            assert_eq!(sending.over_since(), None);
            advance(Duration::from_secs(1)).await;
            let frame = upload.frame().await.unwrap().unwrap();
            sent.extend_from_slice(&frame.into_data().unwrap());
            assert_eq!(sending.progress(), start + Duration::from_secs(seconds));
        }
        assert_eq!(sending.over_since(), Some(Instant::now()));
        assert_eq!(sent, body);
        assert!(upload.frame().await.is_none());
        // Sent once more, it is on its way again.
        drop(Upload::new(body, Some(sending.clone())));
        assert_eq!(sending.over_since(), None);
    }
}
