//! The story of a request that nobody answered.

use std::time::Duration;

use super::ending::ReceivedError;
use super::skip::Skipped;
use crate::config::UpstreamId;
use crate::event::AttemptReport;
use crate::outcome::Blame;
use crate::wire::json::Fault;

/// No candidate gave an answer.
#[derive(Debug)]
pub struct Exhausted {
    /// All attempts, in order; none if nobody could be asked.
    pub attempts: Vec<AttemptReport>,
    /// How long they were waited for.
    pub waited: Duration,
    /// Who was not asked, and why.
    pub skipped: Vec<Skipped>,
    /// When the first of them may be asked again.
    pub retry_in: Option<Duration>,
    /// Whether our own network is believed to be lost.
    pub is_network_lost: bool,
    /// The only upstream that could have answered, because something that the request refers to lives there.
    pub pinned_to: Option<UpstreamId>,
    /// Why the request could not be translated, and where.
    pub fault: Option<Fault>,
    /// What upstreams have said against the request.
    pub(super) error: Option<ReceivedError>,
}

impl Exhausted {
    /// Whether everybody who could be asked has something against the request itself. Where somebody else has failed, or
    /// is left alone for now, a 400 may be about words of ours, and the request may do well later.
    pub fn is_against_request(&self) -> bool {
        let mut attempts = self.attempts.iter();
        let was_asked = |upstream: &UpstreamId| {
            let mut attempts = self.attempts.iter();
            attempts.any(|attempt| attempt.upstream == *upstream)
        };
        let mut skipped = self.skipped.iter();
        attempts.all(|attempt| attempt.outcome.blame() == Blame::Client)
            && !skipped.any(|skipped| skipped.reason.is_for_now() && !was_asked(&skipped.upstream))
    }
}
