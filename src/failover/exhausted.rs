//! What is known about a request that no upstream answered.

use std::time::Duration;

use super::attempts::ending::ReceivedError;
use super::decisions::skip::{SkipReason, Skipped};
use crate::config::UpstreamId;
use crate::event::{AttemptReport, ScopeId};
use crate::outcome::{Blame, Defect, Outcome};
use crate::wire::json::Fault;

/// No candidate gave an answer.
#[derive(Debug)]
pub struct Exhausted {
    /// All attempts, in order; none if no candidate could be tried.
    pub attempts: Vec<AttemptReport>,
    /// How long we waited for them.
    pub waited: Duration,
    /// The candidates that were skipped, and why.
    pub skipped: Vec<Skipped>,
    /// When the first of them may be tried again.
    pub retry_in: Option<Duration>,
    /// Whether our own network seems to be down.
    pub is_network_lost: bool,
    /// The only upstream that could have answered, because it owns an object that the request refers to.
    pub pinned_to: Option<UpstreamId>,
    /// Whether that is the conversation so far, which the client can send again.
    pub is_in_thread: bool,
    /// Why the request could not be translated, and where.
    pub fault: Option<Fault>,
    /// The upstream error that rejects the request.
    pub(super) error: Option<ReceivedError>,
}

impl Exhausted {
    /// The upstreams that have failed, and those that were not asked because they are out of rotation.
    pub fn failed_by(&self) -> Vec<UpstreamId> {
        let mut failed = AttemptReport::failed(&self.attempts);
        for skipped in &self.skipped {
            if skipped.reason == SkipReason::OutOfRotation && !failed.contains(&skipped.upstream) {
                failed.push(skipped.upstream.clone());
            }
        }
        failed
    }

    /// The models that were not asked because they are out of rotation.
    pub fn out_at(&self) -> Vec<ScopeId> {
        let skipped = self.skipped.iter();
        let out = skipped.filter(|skipped| skipped.reason == SkipReason::OutOfRotation);
        out.map(|skipped| ScopeId {
            upstream: skipped.upstream.clone(),
            model: skipped.model.clone(),
        })
        .collect()
    }

    /// What kept everybody from answering, in a label: how the last attempt ended, if that was not for the request; else why
    /// the first candidate that could serve it was not asked.
    pub fn cause(&self) -> Option<&'static str> {
        let mut attempts = self.attempts.iter().rev();
        let attempt = attempts.find(|attempt| attempt.outcome.blame() != Blame::Client);
        let mut skipped = self.skipped.iter().map(|skipped| skipped.reason);
        let label = attempt.map(|attempt| attempt.outcome.label());
        label.or_else(|| skipped.find(|why| why.is_for_now()).map(SkipReason::label))
    }

    /// Whether every candidate that could be tried rejects the request itself, or what its model makes of it. If another candidate has failed, or is
    /// skipped for now, the 400 may be about our translation, and the request may succeed later.
    pub fn is_against_request(&self) -> bool {
        let mut attempts = self.attempts.iter();
        let was_asked = |upstream: &UpstreamId| {
            let mut attempts = self.attempts.iter();
            attempts.any(|attempt| attempt.upstream == *upstream)
        };
        let mut skipped = self.skipped.iter();
        let is_about_request = |outcome: &Outcome| {
            outcome.blame() == Blame::Client
                || *outcome == Outcome::InvalidReply(Defect::FailedGeneration)
        };
        attempts.all(|attempt| is_about_request(&attempt.outcome))
            && !skipped.any(|skipped| skipped.reason.is_for_now() && !was_asked(&skipped.upstream))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Exhausted;
    use crate::config::UpstreamId;
    use crate::event::{AttemptReport, Phase};
    use crate::failover::decisions::skip::{SkipReason, Skipped};
    use crate::outcome::{Defect, Outcome};

    const REJECTED: Outcome = Outcome::RejectedRequest { status: 400 };
    const FAILED: Outcome = Outcome::ServerError { status: 500 };

    impl Exhausted {
        /// What is known when these have been asked, and these have not.
        pub(crate) fn of(asked: &[(&str, Outcome)], skipped: &[(&str, SkipReason)]) -> Self {
            let attempts = asked.iter().map(|(upstream, outcome)| AttemptReport {
                number: 1,
                phase: Phase::Normal,
                upstream: UpstreamId::from(*upstream),
                key: 0,
                model: None,
                scope_model: None,
                outcome: outcome.clone(),
                detail: None,
                elapsed: Duration::ZERO,
                first_token: None,
                tokens: None,
            });
            let skipped = skipped.iter().map(|(upstream, reason)| Skipped {
                upstream: UpstreamId::from(*upstream),
                model: Some("gpt".into()),
                reason: *reason,
            });
            Self {
                attempts: attempts.collect(),
                waited: Duration::ZERO,
                skipped: skipped.collect(),
                retry_in: None,
                is_network_lost: false,
                pinned_to: None,
                is_in_thread: false,
                fault: None,
                error: None,
            }
        }
    }

    fn is_against_request(asked: &[(&str, Outcome)], skipped: &[(&str, SkipReason)]) -> bool {
        Exhausted::of(asked, skipped).is_against_request()
    }

    #[test]
    fn who_has_failed_or_is_out_after_failures_is_named_once() {
        let asked = [("a", FAILED), ("b", REJECTED), ("a", FAILED)];
        let skipped = [
            ("c", SkipReason::OutOfRotation),
            ("d", SkipReason::RateLimited),
            ("a", SkipReason::OutOfRotation),
        ];
        let exhausted = Exhausted::of(&asked, &skipped);
        assert_eq!(exhausted.failed_by(), ["a", "c"].map(UpstreamId::from));
        let out_at = exhausted.out_at().into_iter().map(|at| at.to_string());
        assert_eq!(out_at.collect::<Vec<_>>(), ["gpt at c", "gpt at a"]);
    }

    #[test]
    fn what_kept_everybody_from_answering_is_not_what_was_said_about_the_request() {
        let cause = |asked: &[(&str, Outcome)], skipped: &[(&str, SkipReason)]| {
            Exhausted::of(asked, skipped).cause()
        };
        let (no, limited) = (("x", SkipReason::TooSmall), ("y", SkipReason::RateLimited));
        assert_eq!(cause(&[], &[no, limited]), Some("rate_limited"));
        let asked = [("a", Outcome::NoResources), ("b", REJECTED)];
        assert_eq!(cause(&asked, &[limited]), Some("no_resources"));
        assert_eq!(cause(&asked[1..], &[limited]), Some("rate_limited"));
        assert_eq!(cause(&asked[1..], &[no]), None);
    }

    #[test]
    fn a_request_is_wrong_if_all_say_so_who_can_ever_be_asked() {
        let rejected = [("a", REJECTED)];
        assert!(is_against_request(&rejected, &[]));
        assert!(!is_against_request(&[("a", REJECTED), ("b", FAILED)], &[]));
        let slip = ("b", Outcome::InvalidReply(Defect::FailedGeneration));
        assert!(is_against_request(&[("a", REJECTED), slip], &[]));
        let cannot = ("b", SkipReason::Unsupported("tools"));
        assert!(is_against_request(&rejected, &[cannot]));
        let is_out = ("b", SkipReason::OutOfRotation);
        assert!(!is_against_request(&rejected, &[cannot, is_out]));
        // Another model of an upstream that has rejected the request already.
        assert!(is_against_request(
            &rejected,
            &[("a", SkipReason::RateLimited)]
        ));
    }
}
