//! Whether a request that got no reply was never processed, so that it may be sent again.
//!
//! HTTP/2 says so (RFC 9113, sections 6.8 and 8.7): a GOAWAY whose last stream lies below ours, and `REFUSED_STREAM`.
//!
//! HTTP/1.1 does not: a connection that is used again may be closed by the upstream just when the next request sets out,
//! and then it ends without a byte. RFC 9110, section 9.2.2, lets a client repeat a request whose meaning it knows to do no
//! harm twice: a question to a model does none, even if it should be paid twice. So it is sent once more, on a new
//! connection, if the old one had worked, nothing came over it, and it ended at once or never took the request. A request
//! that had been worked on for a while, or that dies on a new connection, is lost; so is one whose meaning is unknown.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// A connection that the upstream was about to close ends within one round trip and the time to send a body.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What is known when a request is lost.
#[derive(Debug)]
pub(super) struct Loss<'a> {
    pub(super) error: &'a hyper::Error,
    /// The request came back: it never left.
    pub(super) came_back: bool,
    /// It does no harm if it is processed twice.
    pub(super) is_repeatable: bool,
    pub(super) is_http2: bool,
    /// The connection had carried a reply before.
    pub(super) was_used: bool,
    /// Bytes came after the request.
    pub(super) has_spoken: bool,
    pub(super) sent_at: Instant,
}

impl Loss<'_> {
    /// Whether the upstream has not processed the request.
    pub(super) fn is_unprocessed(&self) -> bool {
        if self.is_http2 && (self.came_back || is_refused(self.error)) {
            return true;
        }
        let is_over_at_once = self.sent_at.elapsed() < AT_ONCE || is_unacknowledged(self.error);
        let is_likely = self.is_repeatable && !self.has_spoken && is_over_at_once;
        self.was_used && (self.came_back || is_likely)
    }
}

fn is_refused(error: &hyper::Error) -> bool {
    let refused = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>());
    refused.is_some_and(|error| {
        error.is_remote()
            && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// The system of the upstream has not acknowledged the request.
fn is_unacknowledged(error: &hyper::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn causes<'a>(error: &'a hyper::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
