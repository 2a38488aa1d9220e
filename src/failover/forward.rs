//! Requests that are not understood: they are forwarded unchanged, and so are the replies, except that an error never
//! repeats our key.
//!
//! They are sent once, because nobody knows what a second time would do. There are three exceptions. If nothing could
//! be sent, or if the path stores nothing, another candidate is asked. If the first key is refused (401, 402, 403,
//! 429), nothing has happened, and another key of the same upstream is asked. Replies at such paths are no evidence
//! about the health of models, good or bad.

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION};
use hyper::body::Body as _;
use tokio::time::Instant;

use super::answers::answer::Answer;
use super::attempts::attempt::LARGEST_ANSWER;
use super::attempts::deadline::{Deadline, Wait};
use super::attempts::ending::{AttemptAnswer, AttemptBody, Failure, Opaque};
use super::attempts::error_reply::{read_error, wait_asked_by};
use super::attempts::first_piece::first_piece;
use super::attempts::in_flight::{InFlightAttempt, Limit};
use super::attempts::outbound::{outbound, send, traced};
use super::attempts::timers::StreamTimeouts;
use super::course::WinningAttempt;
use super::decisions::target::Target;
use super::decisions::targets::{Targets, is_stateless};
use super::engine::Failover;
use super::exhausted::Exhausted;
use super::log::AttemptLog;
use super::translation::reserve;
use crate::dialect::errors::{self, ErrorReply};
use crate::dialect::{self, messages};
use crate::event::Event;
use crate::outcome::{Blame, Defect, Outcome, Stage};
use crate::request::ModelRequest;
use crate::routing::{Candidate, Rule};
use crate::upstream::{Outbound, Reply, Seat};
use crate::wire::body::{Patience, read_into};
use crate::wire::headers::{EVENTS, PAGE, has_media_type};
use crate::wire::upload::{PIECE, Sending};
use crate::wire::{multipart, offload};

/// What may tell the ids of objects.
const READABLE: [&str; 2] = ["application/json", EVENTS];

impl Failover {
    /// Forwards a request to the owner of what it refers to, or to the candidates that speak its API, and returns the
    /// reply unchanged.
    pub async fn forward(&self, request: &ModelRequest, rule: &Rule) -> Result<Answer, Exhausted> {
        let common = self.common(request);
        let deadline = Deadline::after(request.received_at, rule.total);
        let mut log = AttemptLog::default();
        let mut targets = Targets::new(rule, request);
        let mut next = targets.next_candidate();
        let mut asked = Vec::new();
        while let Some(target) = next {
            let number = log.begin(Instant::now());
            let call = Call {
                request,
                target,
                number,
                model: known_as(rule, target.candidate, request),
                deadline,
                may_queue: targets.may_queue(),
            };
            self.report_forwarding(request, &log, target.candidate);
            let limit = limit(request, &target);
            let attempt = InFlightAttempt::start(&common, &target, None, number, limit);
            asked.push(target);
            let version = target.key_version();
            let mut ended = self.exchange(&call).await;
            if target
                .has_newer_key(outcome_of(&ended), version, &self.events)
                .await
            {
                ended = self.exchange(&call).await;
            }
            log.waited = request.received_at.elapsed();
            next = match request.control.is_once {
                true => None,
                false => targets.after(target, outcome_of(&ended)),
            };
            let failure = match ended {
                Ok(answer) if next.is_none() => {
                    let winner = WinningAttempt {
                        answer,
                        attempt,
                        log,
                        in_place_of: None,
                    };
                    return Ok(Answer::of(winner, self, None, None));
                }
                Ok(answer) => answer.outcome.into(),
                Err(failure) => failure,
            };
            log.attempts
                .push(attempt.end(failure.outcome, failure.detail));
        }
        let mut exhausted = log.in_vain(&asked, request.pinned_to.as_ref());
        exhausted.skipped = targets.into_taken_out();
        Err(exhausted)
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<AttemptAnswer, Failure> {
        let Call {
            request,
            target,
            deadline,
            ..
        } = *call;
        let timeouts = &target.candidate.timeouts;
        let mut reply = legible(self.reply(call).await?);
        if leads_past_us(request, target.candidate, &reply) {
            return Err(Outcome::InvalidReply(Defect::Redirect).into());
        }
        if is_page(request, &reply) {
            return Err(Outcome::InvalidReply(Defect::ContentType).into());
        }
        let patience = Patience {
            idle: timeouts.idle,
            until: deadline.until(),
        };
        if is_legible_error(&reply) {
            return error(request, &target, reply, patience).await;
        }
        let is_success = matches!(reply.status, 200..=299);
        if is_success
            && messages::is_batches(&request.path)
            && has_media_type(&reply.headers, READABLE[0])
        {
            return self.batches(reply, patience).await;
        }
        let first = first_piece(&mut reply.body).await?;
        let is_empty = first.is_none() && reply.body.is_end_stream();
        if is_empty && is_success && says_something(request, &reply) {
            return Err(Outcome::InvalidReply(Defect::Empty).into());
        }
        let is_events = is_success && has_media_type(&reply.headers, EVENTS);
        let limits = StreamTimeouts {
            // Whoever makes a picture or a long answer may think between two events; nobody sees it here.
            idle: timeouts.silence(is_events),
            content: None,
            min_rate: None,
            reasoning: timeouts.reasoning,
        };
        // What leaves nothing behind may repeat ids that are the client's own, of the documents to be ranked.
        let is_kept = is_success && !is_stateless(request) && may_name_objects(&reply.headers);
        let outcome = outcome_by_status(request, &reply);
        let body = AttemptBody::Opaque(Box::new(Opaque {
            first,
            rest: reply.body,
            length: length(&reply.headers),
            is_events,
            limits,
        }));
        let answer = AttemptAnswer::new(reply.status, reply.headers, body, outcome);
        Ok(AttemptAnswer { is_kept, ..answer })
    }

    /// What an upstream says of batches of messages, with their results to be had here.
    async fn batches(&self, reply: Reply, patience: Patience) -> Result<AttemptAnswer, Failure> {
        let mut share = self.memory.share();
        let body = read_into(&mut share, reply.body, LARGEST_ANSWER, patience).await?;
        let body = offload::at_once(body.len(), || {
            let _share = reserve(&body, &self.memory)?;
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
    async fn reply(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let Call {
            request,
            target,
            model,
            deadline,
            ..
        } = *call;
        let seat = call.seat().await?;
        let wait = Wait {
            began: Instant::now(),
            patience: (limit(request, &target).usual, Stage::FirstToken),
            idle: target.candidate.timeouts.idle,
            deadline,
        };
        let mut outbound = forwarded(request, target.candidate, model);
        let mut share = self.memory.share();
        if model.is_some() {
            // With another name in it, it is there twice.
            share.grow_to(request.body.len())?;
        }
        outbound.body = share.hold(offload::at_once(request.body.len(), || {
            body(request, model)
        }));
        outbound.seat = seat;
        traced(request, call.number, &mut outbound);
        outbound.sending = (outbound.body.len() > PIECE).then(Sending::soon);
        send(&target, outbound, wait).await
    }

    fn report_forwarding(&self, request: &ModelRequest, log: &AttemptLog, to: &Candidate) {
        if let Some(failed) = log.attempts.last() {
            self.events.emit(&Event::FailedOver {
                request: request.id.clone(),
                from: failed.upstream.clone(),
                to: to.upstream.id().clone(),
                reason: failed.outcome.clone(),
            });
        }
    }
}

/// One call to one target.
struct Call<'a> {
    request: &'a ModelRequest,
    target: Target<'a>,
    /// 1 for the first attempt of the request.
    number: usize,
    /// The name of the model there, if it is another one.
    model: Option<&'a str>,
    deadline: Deadline,
    /// Whether it waits for a seat, where all are taken.
    may_queue: bool,
}

impl Call<'_> {
    async fn seat(&self) -> Result<Option<Seat>, Outcome> {
        let Some(seats) = self.target.candidate.upstream.seats() else {
            return Ok(None);
        };
        let seat = match self.may_queue {
            true => seats.wait(self.deadline.until()).await,
            false => seats.take().ok_or(Outcome::Full { has_waited: false }),
        };
        seat.map(Some)
    }
}

fn outcome_of(ended: &Result<AttemptAnswer, Failure>) -> &Outcome {
    match ended {
        Ok(answer) => &answer.outcome,
        Err(failure) => &failure.outcome,
    }
}

/// How long the head of a reply may take.
fn limit(request: &ModelRequest, target: &Target<'_>) -> Limit {
    let with = |is_reasoning| {
        target
            .candidate
            .timeouts
            .to_first_content(false, is_reasoning)
    };
    Limit {
        usual: with(request.thinking.is_known()),
        reasoning: with(true),
    }
}

/// The client's request. Nobody knows what it does, but for its method and some paths.
fn forwarded(request: &ModelRequest, candidate: &Candidate, model: Option<&str>) -> Outbound {
    Outbound {
        is_repeatable: request.method.is_idempotent() || is_stateless(request),
        ..outbound(request, &candidate.upstream, model)
    }
}

/// Errors are unpacked: our key may be in them. So is what may tell the ids of objects, unless it is a part of a file.
fn legible(reply: Reply) -> Reply {
    match reply.status {
        400.. => reply.unpacked(),
        200..=205 if may_name_objects(&reply.headers) => reply.unpacked(),
        _ => reply,
    }
}

/// Whether a reply is an error in readable bytes.
fn is_legible_error(reply: &Reply) -> bool {
    let coding = reply.headers.get(CONTENT_ENCODING);
    let is_plain = coding.is_none_or(|coding| coding == "identity");
    reply.status >= 400 && is_plain && !reply.body.is_end_stream()
}

/// An error without our key. An error that breaks off, or that is longer than any error, is discarded: nobody knows
/// what the rest has. Its status is known all the same.
async fn error(
    request: &ModelRequest,
    target: &Target<'_>,
    reply: Reply,
    patience: Patience,
) -> Result<AttemptAnswer, Failure> {
    let mut outcome = outcome_by_status(request, &reply);
    let body = match read_error(reply.body, patience).await {
        Ok(body) => body,
        Err(_) if outcome.blame() == Blame::Upstream => return Err(outcome.into()),
        Err(error) => return Err(error.into()),
    };
    if is_stateless(request) {
        // Whoever asks the next candidate must know what is wrong: for pictures, OpenAI says with a 400 that money is out.
        outcome = errors::classify(&ErrorReply {
            asked: wait_asked_by(&reply.headers),
            rules: target.candidate.upstream.error_rules(),
            model: target.candidate.model.as_deref(),
            ..ErrorReply::new(reply.status, &body)
        });
    }
    let error_body = target.candidate.upstream.without_key(target.key, body);
    let body = AttemptBody::Whole(error_body);
    Ok(AttemptAnswer::new(
        reply.status,
        reply.headers,
        body,
        outcome,
    ))
}

/// Whether a redirect would make the client send its request, and perhaps its key, to the upstream itself. A redirect
/// to another host may be a file to fetch.
fn leads_past_us(request: &ModelRequest, candidate: &Candidate, reply: &Reply) -> bool {
    let location = reply.headers.get(LOCATION);
    let host = location.and_then(|location| host_of(location.to_str().ok()?));
    let is_fetched = matches!(request.method, Method::GET | Method::HEAD);
    let leads_there = |host: &str| host_of(candidate.upstream.base_url()) == Some(host);
    matches!(reply.status, 300..=399) && host.is_some_and(|host| !is_fetched || leads_there(host))
}

/// Whether a success is a page, as whoever stands before an upstream shows it: no API answers so. A file may be one.
fn is_page(request: &ModelRequest, reply: &Reply) -> bool {
    let path = request.path.split('?').next();
    let is_file =
        request.method == Method::GET && path.is_some_and(|path| path.ends_with("/content"));
    matches!(reply.status, 200..=299) && !is_file && has_media_type(&reply.headers, PAGE)
}

/// Whether a success without a body is none. Whoever writes down a recording without a voice answers with an empty text.
fn says_something(request: &ModelRequest, reply: &Reply) -> bool {
    let is_text = reply.headers.contains_key(CONTENT_TYPE) && !may_name_objects(&reply.headers);
    let writes_down = ["/audio/transcriptions", "/audio/translations"];
    let may_be_silent = is_text
        && writes_down
            .iter()
            .any(|path| request.path.starts_with(path));
    is_stateless(request) && request.method == Method::POST && !may_be_silent
}

fn host_of(url: &str) -> Option<&str> {
    url.split_once("//")?.1.split(['/', '?', '#']).next()
}

/// The candidate's name for the model, if this rule is about that model: the rule may have been chosen only because
/// it leads to the owner.
fn known_as<'a>(rule: &Rule, candidate: &'a Candidate, request: &ModelRequest) -> Option<&'a str> {
    let model = candidate.model.as_deref();
    model.filter(|_| rule.pattern.matches(request.model_name()))
}

/// The client's body, with the upstream's name for the model.
fn body(request: &ModelRequest, model: Option<&str>) -> Bytes {
    match model {
        Some(model) if request.model.is_some() && request.is_form() => {
            multipart::with_model(&request.headers, &request.body, model)
                .unwrap_or_else(|| request.body.clone())
        }
        model => dialect::body(request, model),
    }
}

/// The outcome by status, before the body is read or where it is not. At paths that store things, 404, 409 and 410 are about
/// what the client refers to.
fn outcome_by_status(request: &ModelRequest, reply: &Reply) -> Outcome {
    match reply.status {
        0..=399 => Outcome::Success,
        status @ (404 | 409 | 410) if !is_stateless(request) => Outcome::RejectedRequest { status },
        status => errors::classify_status(status, wait_asked_by(&reply.headers)),
    }
}

fn may_name_objects(headers: &HeaderMap) -> bool {
    READABLE.iter().any(|form| has_media_type(headers, form))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
