//! One attempt at one target: send the request, wait, and check the reply.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use tokio::time::Instant;

use super::clients_account::about_clients_account;
use super::commit::{Committed, Hold, hold};
use super::deadline::Deadline;
use super::ending::{AttemptAnswer, AttemptBody, Ended, Failure};
use super::error_reply::wait_asked_by;
use super::events::EventStream;
use super::handshake;
use super::outbound::{outbound_as, seat, send, traced};
use super::reply_form::{check_form, is_whole, unmarked};
use super::secrets::Secrets;
use super::timers::StreamTimeouts;
use crate::config::{HoldConfig, Refusals, TimeoutsConfig};
use crate::dialect::continuation::{Scribe, Transcript};
use crate::dialect::{self, Asking, ResponseTranslator, UpstreamRequest, WholeAnswer};
use crate::event::Events;
use crate::failover::decisions::target::Target;
use crate::failover::translation::reserve;
use crate::outcome::{Defect, Outcome, Stage};
use crate::request::{Endpoint, ModelRequest};
use crate::upstream::{Outbound, Reply, Seat};
use crate::wire::headers::{EVENTS, JSON, JSON_TYPE, has_media_type};
use crate::wire::memory::{Memory, NoMemory};
use crate::wire::offload;
use crate::wire::upload::Sending;

/// The largest answer that is accepted; images in base64 are the largest there are.
pub(in crate::failover) const LARGEST_ANSWER: usize = 64 << 20;

/// One attempt at one target.
pub(in crate::failover) struct Attempt<'a> {
    pub(in crate::failover) timeouts: &'a TimeoutsConfig,
    pub(in crate::failover) memory: &'a Memory,
    pub(in crate::failover) events: &'a Events,
    pub(in crate::failover) request: &'a ModelRequest,
    pub(in crate::failover) target: Target<'a>,
    /// How its upstream is asked.
    pub(in crate::failover) asking: Asking<'a>,
    /// Whether its model is known to think.
    pub(in crate::failover) thinks: bool,
    /// 1 for the first attempt of the request.
    pub(in crate::failover) number: usize,
    /// Whether it is the candidate that the route names first.
    pub(in crate::failover) is_first_choice: bool,
    pub(in crate::failover) deadline: Deadline,
    /// How much of a stream is held back beyond its first content.
    pub(in crate::failover) hold: Option<HoldConfig>,
    /// What happens when content is refused.
    pub(in crate::failover) refusals: Refusals,
    /// Whether a transcript is kept, so that a stream can continue elsewhere.
    pub(in crate::failover) is_noted: bool,
    /// What the client has received from a stream that broke off and is to be continued.
    pub(in crate::failover) transcript: Option<&'a Transcript>,
    /// How far the request has got, where it takes a while to be sent.
    pub(in crate::failover) sending: Option<Arc<Sending>>,
    /// Whether it waits for a seat at an upstream that has none: nobody else can be asked.
    pub(in crate::failover) may_queue: bool,
}

impl Attempt<'_> {
    /// Asks for an answer. `translated`: the request in the upstream's words; putting it so may take a while in which nobody
    /// waits for the upstream.
    pub(in crate::failover) fn run(
        self,
        translated: Result<UpstreamRequest, Failure>,
    ) -> impl Future<Output = Ended> {
        let version = self.target.key_version();
        // A block, since an async function keeps its large arguments twice.
        async move {
            let ended = match self.once(&translated?).await {
                Err(failure)
                    if self
                        .target
                        .has_newer_key(&failure.outcome, version, self.events)
                        .await =>
                {
                    // Boxed like all that is seldom needed, so that others do not carry room for it.
                    Box::pin(async { self.once(&self.translated().await?).await }).await
                }
                ended => ended,
            };
            ended.map_err(|failure| about_clients_account(&self.target, failure))
        }
    }

    async fn once(&self, translated: &UpstreamRequest) -> Ended {
        if self.request.endpoint == Endpoint::Realtime {
            let seat = self.seat().await?;
            let wait = self.wait(Instant::now(), self.request.streaming);
            let asked = (self.request, self.number);
            let handshake = handshake::run(asked, self.target, wait.until(None), seat);
            return Box::pin(handshake).await.map(Box::new);
        }
        match self.exchange(translated).await {
            Err(failure) => Box::pin(self.once_more(failure)).await,
            answer => answer,
        }
    }

    async fn seat(&self) -> Result<Option<Seat>, Outcome> {
        seat(&self.target, self.may_queue, self.deadline).await
    }

    /// Asks the same upstream once more if it could not read the request, in a form that it can read.
    async fn once_more(&self, failure: Failure) -> Ended {
        let is_about_streams = failure.unwanted.is_stream() && self.may_come_whole();
        let translated = match failure.outcome {
            Outcome::EndpointMissing { .. } if self.asking.is_in_responses() => {
                let Ok(translated) = self.without_responses().await else {
                    return Err(failure);
                };
                let answer = self.exchange(&translated).await?;
                // Only this success proves that the path was missing.
                self.target.candidate.upstream.do_without_responses();
                return Ok(answer);
            }
            Outcome::ProviderBoundItems { .. } => self.without_provider_state().await,
            Outcome::Unsupported { .. } if is_about_streams => self.in_one_piece().await,
            Outcome::Unsupported { .. } if self.may_do_without() => {
                return self.do_without(failure).await;
            }
            _ => None,
        };
        match translated {
            Some(translated) => self.exchange(&translated).await,
            None => Err(failure),
        }
    }

    /// Whether a whole answer would do: the client wants a stream, and has nothing of it yet.
    fn may_come_whole(&self) -> bool {
        self.request.streaming && self.transcript.is_none()
    }

    /// Sends a translated request, and checks the reply.
    pub(super) async fn exchange(&self, translated: &UpstreamRequest) -> Ended {
        let outbound = self.outbound(translated, self.seat().await?);
        let is_streamed = self.request.streaming && !translated.is_in_one_piece;
        let wait = self.wait(Instant::now(), is_streamed);
        let mut reply = send(&self.target, outbound, self.to_head(wait, is_streamed)).await?;
        reply.unpack();
        let first = wait.until(self.sending.as_deref());
        let translator = &translated.translator;
        let is_success = matches!(reply.status, 200..=299);
        let mut answer = match reply.status {
            // Boxed, so that whole answers do not carry room for it.
            200..=299 if self.request.streaming => {
                Box::pin(self.stream(reply, first, translator)).await?
            }
            200..=299 => self.whole(reply, first, translator).await?,
            300..=399 => return Err(Outcome::InvalidReply(Defect::Redirect).into()),
            _ => Box::pin(self.refusal(reply, translator)).await?,
        };
        // The rejection may be about our changes to the request, or about a request that was written for another
        // model.
        let is_rejection = matches!(
            answer.outcome,
            Outcome::RejectedRequest { status: 400 | 422 }
        );
        if is_rejection && (translated.is_rewritten || self.is_fallback()) {
            return Err(Failure::doubtful(answer));
        }
        answer.is_kept = is_success && self.keeps() && !translator.changes();
        answer.dropped.clone_from(&translated.dropped);
        Ok(Box::new(answer))
    }

    /// Whether its upstream stores something of the answer. Providers that copy Anthropic's API have other models, and may
    /// answer without a thread though one is asked for.
    fn keeps(&self) -> bool {
        let model = self.target.candidate.model_for(self.request.model_name());
        let has_threads = model.contains("claude");
        self.request.is_kept() && (self.request.thread.is_none() || has_threads)
    }

    /// What is sent, with its seat at the upstream.
    fn outbound(&self, translated: &UpstreamRequest, seat: Option<Seat>) -> Outbound {
        let outbound = outbound_as(self.request, self.target.candidate, translated);
        let mut outbound = Outbound {
            sending: self.sending.clone(),
            seat,
            ..outbound
        };
        traced(self.request, self.number, &mut outbound);
        outbound
    }

    fn is_fallback(&self) -> bool {
        self.target.candidate.model.is_some() && !self.is_first_choice
    }

    /// An answer in one piece. It is received whole before the client gets any of it, so that every defect can fail
    /// over.
    async fn whole(
        &self,
        reply: Reply,
        first: (Instant, Stage),
        translator: &ResponseTranslator,
    ) -> Result<AttemptAnswer, Failure> {
        check_form(&reply.headers)?;
        let mut share = self.memory.share();
        let pace = self.pace(first);
        let mut headers = reply.headers;
        let is_json = has_media_type(&headers, JSON_TYPE);
        let body = (reply.body, is_json);
        let received = pace.read(&mut share, body, LARGEST_ANSWER).await?;
        let received = share.hold(unmarked(received));
        if !is_json {
            // It is, or it is no answer.
            headers.insert(CONTENT_TYPE, JSON);
        }
        let look = || {
            let answer = |wait| self.in_clients_words(translator, received.clone(), wait);
            let answer = match answer(None)? {
                Ok(answer) => answer,
                // Only an error may ask us to wait.
                Err(_) => match answer(wait_asked_by(&headers))? {
                    Ok(answer) => answer,
                    Err(outcome) => {
                        return self.error_inside(outcome, headers, translator, received.clone());
                    }
                },
            };
            let body = answer.body;
            if answer.is_silent {
                return self.silent(Failure::silent(reply.status, headers, body));
            }
            self.accept(reply.status, &body, dialect::is_refusal)?;
            let body = AttemptBody::Whole(body);
            Ok(AttemptAnswer {
                tokens: answer.tokens,
                ..AttemptAnswer::new(reply.status, headers, body, Outcome::Success)
            })
        };
        offload::at_once(received.len(), look)
    }

    /// A whole answer that is one, turned back into the client's API within the memory for bodies; else what it stands for.
    pub(super) fn in_clients_words(
        &self,
        translator: &ResponseTranslator,
        body: Bytes,
        wait: Option<Duration>,
    ) -> Result<Result<WholeAnswer, Outcome>, NoMemory> {
        let endpoint = self.request.endpoint;
        if !translator.changes() {
            return Ok(translator.answer(endpoint, body, wait));
        }
        let mut share = reserve(&body, self.memory)?;
        Ok(translator.answer(endpoint, body, wait).map(|answer| {
            share.shrink_to(answer.body.len());
            WholeAnswer {
                body: share.hold(answer.body),
                ..answer
            }
        }))
    }

    /// What follows from an answer in which nothing is said: the next candidate may say more, unless nothing need be said.
    pub(super) fn silent(&self, failure: Failure) -> Result<AttemptAnswer, Failure> {
        let is_enough = dialect::may_be_silent(self.request.endpoint, &self.request.body);
        match failure.error {
            Some(answer) if is_enough => {
                let body = AttemptBody::Whole(answer.body);
                Ok(AttemptAnswer::new(
                    answer.status,
                    answer.headers,
                    body,
                    Outcome::Success,
                ))
            }
            error => Err(Failure { error, ..failure }),
        }
    }

    /// Accepts an answer, unless it refuses the content and the route asks the next candidate then.
    pub(super) fn accept(
        &self,
        status: u16,
        body: &[u8],
        is_refusal: impl Fn(Endpoint, &[u8]) -> bool,
    ) -> Result<(), Outcome> {
        if self.refusals != Refusals::Next {
            return Ok(());
        }
        let _share = reserve(body, self.memory).map_err(|_| Outcome::NoMemory)?;
        match is_refusal(self.request.endpoint, body) {
            true => Err(Outcome::ContentRefused { status }),
            false => Ok(()),
        }
    }

    /// An answer in events: held back until the first content, or longer if the route says so.
    async fn stream(
        &self,
        mut reply: Reply,
        first: (Instant, Stage),
        translator: &ResponseTranslator,
    ) -> Result<AttemptAnswer, Failure> {
        check_form(&reply.headers)?;
        let endpoint = self.request.endpoint;
        if !has_media_type(&reply.headers, EVENTS) {
            // Boxed like all that is seldom needed.
            if Box::pin(is_whole(&mut reply, first.0)).await {
                return self.no_stream(reply, first, translator).await;
            }
            let events = HeaderValue::from_static(EVENTS);
            reply.headers.insert(CONTENT_TYPE, events);
        }
        let scribe = self.is_noted.then(|| Scribe::new(endpoint));
        let is_reasoning = self.is_reasoning();
        let wanted = Hold {
            first,
            deadline: self.deadline.until(),
            progress: &self.request.progress,
            more: self.hold,
            limits: StreamTimeouts {
                idle: self.timeouts.silence(is_reasoning),
                content: Some(self.timeouts.between_content(is_reasoning)),
                min_rate: self.timeouts.min_rate,
                reasoning: self.timeouts.reasoning,
            },
        };
        let committed = Committed {
            keepalive: self.request.keepalive(self.timeouts.keepalive),
            secrets: Secrets::of(self.target, self.request),
        };
        let mut events = EventStream::new(endpoint, translator.translator(), scribe);
        events.expect_answers(dialect::answers(self.request));
        let prefill = self.prefill();
        if self
            .transcript
            .is_some_and(|so_far| so_far.may_be_whole(prefill))
        {
            events.expect_rest();
        }
        let mut held = match hold(events, reply.body, wanted, committed).await {
            Ok(held) => held,
            Err(mut failure) if failure.is_silent() => {
                if let Some(answer) = &mut failure.error {
                    answer.headers = reply.headers;
                }
                return self.silent(failure);
            }
            Err(failure) => return self.error_by_event(failure, reply.headers),
        };
        let events = &held.events;
        self.accept(reply.status, &held.first, |endpoint, first| {
            events.begins_with_refusal(endpoint, first)
        })?;
        held.prefill = prefill;
        let body = AttemptBody::Stream(Box::new(held));
        Ok(AttemptAnswer::new(
            reply.status,
            reply.headers,
            body,
            Outcome::Success,
        ))
    }
}
