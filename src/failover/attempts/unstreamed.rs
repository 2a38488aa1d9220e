//! JSON in place of the events that were asked for.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use tokio::time::Instant;

use super::attempt::{Attempt, LARGEST_ANSWER};
use super::ending::{AttemptAnswer, AttemptBody, Failure};
use super::error_reply::wait_asked_by;
use super::reply_form::unmarked;
use crate::dialect::{self, ResponseTranslator, WholeAnswer};
use crate::failover::translation::reserve;
use crate::outcome::{Defect, Outcome, Stage};
use crate::upstream::Reply;
use crate::wire::headers::EVENTS;
use crate::wire::offload;

impl Attempt<'_> {
    /// JSON instead of events is an error in disguise, or a whole answer of an upstream that cannot stream: SDKs would take
    /// either for an empty stream, so the client gets the answer as the events of one.
    pub(super) async fn no_stream(
        &self,
        reply: Reply,
        first: (Instant, Stage),
        translator: &ResponseTranslator,
    ) -> Result<AttemptAnswer, Failure> {
        let (mut share, pace) = (self.memory.share(), self.pace(first));
        let body = (reply.body, true);
        let received = unmarked(pace.read(&mut share, body, LARGEST_ANSWER).await?);
        let wait = wait_asked_by(&reply.headers);
        offload::at_once(received.len(), || {
            match self.in_clients_words(translator, received.clone(), wait)? {
                Ok(answer) => self.streamed(reply.status, reply.headers, answer, || {
                    translator.streamed(self.request.endpoint, &received, &self.request.body)
                }),
                Err(outcome) => {
                    self.error_inside(outcome, reply.headers, translator, received.clone())
                }
            }
        })
    }

    /// A whole answer as the events of a stream, which comes at once. The rest of a broken stream is not one.
    fn streamed(
        &self,
        status: u16,
        mut headers: HeaderMap,
        answer: WholeAnswer,
        events: impl FnOnce() -> Result<Bytes, Outcome>,
    ) -> Result<AttemptAnswer, Failure> {
        if self.transcript.is_some() {
            return Err(Outcome::InvalidReply(Defect::Unstreamed).into());
        }
        self.accept(status, &answer.body, dialect::is_refusal)?;
        let mut share = reserve(&answer.body, self.memory)?;
        let events = events()?;
        share.shrink_to(events.len());
        let events = share.hold(events);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
        if answer.is_silent {
            return self.silent(Failure::silent(status, headers, events));
        }
        let body = AttemptBody::Whole(events);
        Ok(AttemptAnswer {
            tokens: answer.tokens,
            ..AttemptAnswer::new(status, headers, body, Outcome::Success)
        })
    }
}
