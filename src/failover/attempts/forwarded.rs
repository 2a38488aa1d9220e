//! One attempt with a request that is not understood: it is sent as it is, and so comes the reply, except that an error
//! never repeats our key, and counts as one though it came with 200.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use hyper::body::Body as _;
use tokio::time::Instant;

use super::attempt::LARGEST_ANSWER;
use super::deadline::{Deadline, Wait};
use super::ending::{AttemptAnswer, AttemptBody, Ended, Failure, Opaque};
use super::error_reply::{read_error, wait_asked_by};
use super::forwarded_reply::{
    error_inside, is_file, is_lacking, is_legible_error, is_page, is_readable, leads_past_us,
    length, make_legible, outcome_by_status, says_something,
};
use super::in_flight::Limit;
use super::opening::{Hold, opening};
use super::outbound::{outbound, seat, send, traced};
use super::secrets::without_secrets;
use super::timers::StreamTimeouts;
use crate::dialect::errors::{self, ErrorReply};
use crate::dialect::{self, messages};
use crate::event::Events;
use crate::failover::decisions::target::Target;
use crate::failover::decisions::targets::is_stateless;
use crate::failover::translation::reserve;
use crate::outcome::{Blame, Defect, Outcome, Stage};
use crate::request::ModelRequest;
use crate::upstream::{Outbound, Reply};
use crate::wire::body::{Patience, read_into};
use crate::wire::headers::{self, EVENTS, JSON_TYPE, has_media_type};
use crate::wire::memory::Memory;
use crate::wire::upload::{PIECE, Sending};
use crate::wire::{multipart, offload};

/// One attempt at one target.
pub(in crate::failover) struct ForwardedAttempt<'a> {
    pub(in crate::failover) memory: &'a Memory,
    pub(in crate::failover) events: &'a Events,
    pub(in crate::failover) request: &'a ModelRequest,
    pub(in crate::failover) target: Target<'a>,
    /// 1 for the first attempt of the request.
    pub(in crate::failover) number: usize,
    /// The name of the model there, if it is another one.
    pub(in crate::failover) model: Option<&'a str>,
    pub(in crate::failover) deadline: Deadline,
    /// Whether it waits for a seat, where all are taken.
    pub(in crate::failover) may_queue: bool,
}

impl ForwardedAttempt<'_> {
    /// Asks for an answer, once more if the key has been replaced in the meantime.
    pub(in crate::failover) async fn run(self) -> Ended {
        let version = self.target.key_version();
        let ended = self.exchange().await;
        let outcome = match &ended {
            Ok(answer) => &answer.outcome,
            Err(failure) => &failure.outcome,
        };
        let has_newer = self.target.has_newer_key(outcome, version, self.events);
        let ended = match has_newer.await {
            true => self.exchange().await,
            false => ended,
        };
        ended.map(Box::new)
    }

    /// How long the head of a reply may take.
    pub(in crate::failover) fn limit(&self) -> Limit {
        let timeouts = &self.target.candidate.timeouts;
        let with = |is_reasoning| timeouts.to_first_content(false, is_reasoning);
        Limit {
            usual: with(self.request.progress.thinks()),
            reasoning: with(true),
        }
    }

    async fn exchange(&self) -> Result<AttemptAnswer, Failure> {
        let request = self.request;
        let timeouts = &self.target.candidate.timeouts;
        let mut reply = self.reply().await?;
        make_legible(&mut reply);
        if leads_past_us(request, self.target.candidate, &reply) {
            return Err(Outcome::InvalidReply(Defect::Redirect).into());
        }
        if is_page(request, &reply) {
            return Err(Outcome::InvalidReply(Defect::ContentType).into());
        }
        if is_legible_error(request, &reply) {
            return self.error(reply).await;
        }
        let is_success = matches!(reply.status, 200..=299);
        let is_json = has_media_type(&reply.headers, JSON_TYPE);
        if is_success && messages::is_batches(&request.path) && is_json {
            return self.batches(reply).await;
        }
        let is_events = is_success && has_media_type(&reply.headers, EVENTS);
        // Whoever makes a picture or a long answer may think between two events; nobody sees it here.
        let idle = timeouts.silence(is_events);
        let hold = match is_success && is_stateless(request) {
            true if is_events => Hold::Event(request.keepalive(timeouts.keepalive)),
            true if is_json => Hold::Json(Patience {
                idle,
                until: self.deadline.until(),
            }),
            _ => Hold::FirstPiece,
        };
        let first = opening(&mut reply.body, hold).await?;
        let is_empty = first.is_none() && reply.body.is_end_stream();
        if is_empty && is_success && says_something(request, &reply) {
            return Err(Outcome::InvalidReply(Defect::Empty).into());
        }
        let is_readable = is_success && is_readable(&reply.headers);
        if let Some(held) = first.as_ref().filter(|_| is_readable && !is_file(request))
            && let Some((outcome, body)) = error_inside(&self.target, &reply.headers, held)
        {
            return Ok(self.with_error_inside(reply, outcome, body));
        }
        let outcome = outcome_by_status(request, reply.status, &reply.headers);
        let body = AttemptBody::Opaque(Box::new(Opaque {
            first,
            rest: reply.body,
            length: length(&reply.headers),
            is_events,
            limits: StreamTimeouts {
                idle,
                content: None,
                min_rate: None,
                reasoning: timeouts.reasoning,
            },
        }));
        let answer = AttemptAnswer::new(reply.status, reply.headers, body, outcome);
        Ok(AttemptAnswer {
            // What leaves nothing behind may repeat ids that are the client's own, of the documents to be ranked.
            is_kept: is_readable && !is_stateless(request),
            ..answer
        })
    }

    /// What an upstream says of batches of messages, with their results to be had here.
    async fn batches(&self, reply: Reply) -> Result<AttemptAnswer, Failure> {
        let mut share = self.memory.share();
        let patience = self.patience();
        let body = read_into(&mut share, reply.body, LARGEST_ANSWER, patience).await?;
        let body = offload::at_once(body.len(), || {
            let _share = reserve(&body, self.memory)?;
            Ok::<_, Failure>(messages::results_here(body))
        })?;
        let body = AttemptBody::Whole(share.hold(body));
        let answer = AttemptAnswer::new(reply.status, reply.headers, body, Outcome::Success);
        Ok(AttemptAnswer {
            is_kept: true,
            ..answer
        })
    }

    /// Sends the request, and waits for the head of the reply.
    async fn reply(&self) -> Result<Reply, Failure> {
        let seat = seat(&self.target, self.may_queue, self.deadline).await?;
        let wait = Wait {
            began: Instant::now(),
            patience: (self.limit().usual, Stage::FirstToken),
            idle: self.target.candidate.timeouts.idle,
            deadline: self.deadline,
        };
        let mut outbound = self.outbound();
        let mut share = self.memory.share();
        if self.model.is_some() {
            // With another name in it, it is there twice.
            share.grow_to(self.request.body.len())?;
        }
        outbound.body = share.hold(offload::at_once(self.request.body.len(), || self.body()));
        outbound.seat = seat;
        traced(self.request, self.number, &mut outbound);
        outbound.sending = (outbound.body.len() > PIECE).then(Sending::soon);
        send(&self.target, outbound, wait).await
    }

    /// The client's request. Nobody knows what it does, but for its method and some paths.
    fn outbound(&self) -> Outbound {
        let request = self.request;
        Outbound {
            is_repeatable: request.method.is_idempotent() || is_stateless(request),
            ..outbound(request, &self.target.candidate.upstream, self.model)
        }
    }

    /// The client's body, with the upstream's name for the model.
    fn body(&self) -> Bytes {
        let request = self.request;
        match self.model {
            Some(model) if request.model.is_some() && request.is_form() => {
                multipart::with_model(&request.headers, &request.body, model)
                    .unwrap_or_else(|| request.body.clone())
            }
            model => dialect::body(request, model),
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            idle: self.target.candidate.timeouts.idle,
            until: self.deadline.until(),
        }
    }

    /// An error without our key. An error that breaks off, or that is longer than any error, is discarded: nobody knows
    /// what the rest has. Its status is known all the same.
    async fn error(&self, reply: Reply) -> Result<AttemptAnswer, Failure> {
        let status = reply.status;
        let mut outcome = outcome_by_status(self.request, status, &reply.headers);
        let body = match read_error(reply.body, self.patience()).await {
            Ok(body) => body,
            Err(_) if outcome.blame() == Blame::Upstream => return Err(outcome.into()),
            Err(error) => return Err(error.into()),
        };
        let is_stateless = is_stateless(self.request);
        if is_stateless {
            // Whoever asks the next candidate must know what is wrong: for pictures, OpenAI says with a 400 that money is out.
            let candidate = self.target.candidate;
            outcome = errors::classify(&ErrorReply {
                asked: wait_asked_by(&reply.headers),
                rules: candidate.upstream.error_rules(),
                model: candidate.model.as_deref(),
                ..ErrorReply::new(status, &body)
            });
        }
        let is_lacking = !is_stateless && is_lacking(status, &body);
        let body = AttemptBody::Whole(self.without_key(body));
        Ok(AttemptAnswer {
            is_lacking,
            ..AttemptAnswer::new(status, reply.headers, body, outcome)
        })
    }

    /// An error that came with 200 comes with the status that it stands for: else clients would take it for an answer.
    fn with_error_inside(&self, reply: Reply, outcome: Outcome, body: Bytes) -> AttemptAnswer {
        let mut headers = reply.headers;
        headers.insert(CONTENT_TYPE, headers::JSON);
        let status = outcome.status().unwrap_or(400);
        let is_lacking = !is_stateless(self.request)
            && matches!(
                outcome,
                Outcome::Unsupported { .. } | Outcome::EndpointMissing { .. }
            );
        let body = AttemptBody::Whole(self.without_key(body));
        AttemptAnswer {
            is_lacking,
            ..AttemptAnswer::new(status, headers, body, outcome)
        }
    }

    fn without_key(&self, body: Bytes) -> Bytes {
        without_secrets(self.target, self.request, body)
    }
}
