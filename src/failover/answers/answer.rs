//! The result of a run: an answer, or everything that is known about why there is none.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;

use super::continuability::Continuability;
use super::opaque::OpaqueStream;
use super::relay::Relay;
use super::resume::Resume;
use super::supervise::SupervisedStream;
use crate::affinity::Witness;
use crate::config::UpstreamId;
use crate::event::{AttemptReport, InPlaceOf};
use crate::failover::asked_again::Asked;
use crate::failover::attempts::ending::{AttemptBody, ReceivedError};
use crate::failover::course::WinningAttempt;
use crate::failover::engine::Failover;
use crate::failover::exhausted::Exhausted;
use crate::outcome::Outcome;
use crate::wire::headers::{EVENTS, has_media_type};
use crate::wire::offload;

/// An upstream's answer, on its way to the client.
#[derive(Debug)]
pub struct Answer {
    /// The upstream's status: a success, or its rejection of the request; for a forwarded request, any.
    pub status: u16,
    /// The upstream's headers, unchanged.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
    /// The upstream that answered.
    pub served_by: UpstreamId,
    /// Who should have answered, if somebody else did.
    pub in_place_of: Option<InPlaceOf>,
    /// All attempts, in the order in which they ended.
    pub attempts: Vec<AttemptReport>,
    /// The place among them of the one that it comes from: the last one, unless nobody after it said more.
    place: usize,
    /// How long we waited for upstreams.
    pub waited: Duration,
    /// Fields of the request that the translation had to drop.
    pub dropped: Vec<String>,
    /// Whether the stream could continue at another upstream if it broke; `None` unless the route enables that.
    pub continuation: Option<Continuability>,
}

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// Complete, and checked.
    Whole(Bytes),
    /// Events, supervised while they pass through.
    Stream(Box<SupervisedStream>),
    /// Bytes in an unknown format, supervised while they pass through.
    Opaque(Box<OpaqueStream>),
    /// A WebSocket, ready to be relayed.
    Relay(Box<Relay>),
}

impl Answer {
    /// The answer for the client. `resume`: how to continue the stream if it breaks; `asked`: what to know the request by then.
    pub(in crate::failover) fn of(
        winner: WinningAttempt,
        failover: &Failover,
        continuation: Option<Continuability>,
        resume: Option<Resume>,
        asked: Option<Asked>,
    ) -> Self {
        let WinningAttempt {
            answer,
            mut attempt,
            log,
            in_place_of,
        } = winner;
        attempt.costs(answer.tokens);
        let affinity = &failover.affinity;
        let served_by = attempt.upstream().clone();
        let witness = answer.is_kept.then(|| {
            let is_stream = has_media_type(&answer.headers, EVENTS);
            Witness::new(affinity.clone(), served_by.clone(), is_stream)
        });
        if let Some(place) = answer.created_at() {
            affinity.put_at(place, &served_by);
        }
        let mut attempts = log.attempts;
        let body = match answer.body {
            AttemptBody::Whole(bytes) => {
                if let Some(witness) = &witness {
                    offload::at_once(bytes.len(), || witness.saw_whole(&bytes));
                }
                if answer.outcome == Outcome::Success {
                    attempt.answered(Instant::now());
                }
                attempts.push(attempt.end(answer.outcome, None));
                AnswerBody::Whole(bytes)
            }
            AttemptBody::Stream(held) => {
                let before = attempts.clone();
                attempts.push(attempt.report(answer.outcome, None));
                let stream =
                    SupervisedStream::new(*held, attempt, witness, before, (resume, asked));
                AnswerBody::Stream(Box::new(stream))
            }
            AttemptBody::Opaque(body) => {
                attempts.push(attempt.report(answer.outcome.clone(), None));
                let stream = OpaqueStream::new(*body, answer.outcome, attempt, witness);
                AnswerBody::Opaque(Box::new(stream))
            }
            AttemptBody::Upgraded(opened) => {
                attempts.push(attempt.report(answer.outcome, None));
                let relay = Relay::new(*opened, attempt);
                AnswerBody::Relay(Box::new(relay))
            }
        };
        Self {
            status: answer.status,
            headers: answer.headers,
            body,
            served_by,
            in_place_of,
            place: attempts.len() - 1,
            attempts,
            waited: log.waited,
            dropped: answer.dropped,
            continuation,
        }
    }

    /// The attempt that it comes from.
    pub fn attempt(&self) -> Option<&AttemptReport> {
        self.attempts.get(self.place)
    }

    /// The upstream error as the answer, if every candidate rejects the request, or if the first choice does; before that an
    /// answer in which nothing is said.
    #[expect(
        clippy::result_large_err,
        reason = "it has come this far as one, once per request"
    )]
    pub(in crate::failover) fn or_upstream_error(
        mut exhausted: Exhausted,
    ) -> Result<Self, Exhausted> {
        let is_against_request = exhausted.is_against_request();
        let stands = |received: &mut ReceivedError| {
            received.is_silent || received.is_first_choices || is_against_request
        };
        let Some(received) = exhausted.error.take_if(stands) else {
            return Err(exhausted);
        };
        let error = received.error;
        Ok(Self {
            status: error.status,
            headers: error.headers,
            body: AnswerBody::Whole(error.body),
            served_by: received.upstream,
            in_place_of: None,
            attempts: exhausted.attempts,
            place: received.place,
            waited: exhausted.waited,
            dropped: Vec::new(),
            continuation: None,
        })
    }
}
