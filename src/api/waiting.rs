//! Keep-alive for streams whose upstreams are silent. A client, or a proxy on the way to it, might close a silent
//! connection, so the response head is sent, and signs of life follow until the first event. Failover is still possible
//! then.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::{Interval, interval};

use super::error::ErrorResponse;
use super::exhausted;
use super::record::{RequestRecord, result_of};
use super::reject;
use super::stopping::{self, Stopping};
use super::story;
use super::stream::{RecordedStream, Whole};
use crate::event::RequestResult;
use crate::failover::{Answer, AnswerBody, Exhausted, error_events, heartbeat};
use crate::request::{Endpoint, ModelRequest};
use crate::wire::body::{Body, BodyError, full};
use crate::wire::caught;
use crate::wire::own_task::OwnTask;

/// A request that is being served.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<Answer, Exhausted>> + Send>>;

/// A request whose answer has not come yet. It runs in a task of its own: a client that reads slowly does not poll for
/// the next sign of life, and that must not make upstreams look slow.
pub(super) struct Waiting {
    /// `None`: it panicked.
    run: OwnTask<Option<Result<Answer, Exhausted>>>,
    endpoint: Endpoint,
    /// What the client asked for.
    model: String,
    heartbeats: Interval,
    heartbeat: Bytes,
}

impl Waiting {
    /// `every`: the interval between two signs of life; the first one is sent at once.
    pub(super) fn new(run: Run, request: &ModelRequest, every: Duration) -> Self {
        let endpoint = request.endpoint;
        Self {
            run: OwnTask::start(caught::run(run)),
            endpoint,
            model: request.model_name().to_owned(),
            heartbeats: interval(every),
            heartbeat: heartbeat(request),
        }
    }

    pub(super) fn into_body(self, record: Box<RequestRecord>) -> Body {
        WaitingBody {
            stopping: Stopping::new(record.progress.shutdown().clone()),
            waiting: Some((self, record)),
            answer: None,
        }
        .boxed_unsync()
    }
}

struct WaitingBody {
    waiting: Option<(Waiting, Box<RequestRecord>)>,
    answer: Option<Body>,
    stopping: Stopping,
}

impl WaitingBody {
    /// Polls for the body that follows the signs of life.
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((waiting, _)) = &mut self.waiting else {
            return Poll::Ready(());
        };
        let run = match Pin::new(&mut waiting.run).poll(context) {
            Poll::Ready(run) => Some(run),
            Poll::Pending => {
                ready!(self.stopping.poll(context));
                None
            }
        };
        if let Some((waiting, record)) = self.waiting.take() {
            self.answer = Some(match run {
                Some(Some(run)) => body_of(run, waiting.endpoint, &waiting.model, record),
                Some(None) => ended(&reject::panicked(), waiting.endpoint, record),
                None => ended(&stopping::error_response(), waiting.endpoint, record),
            });
        }
        Poll::Ready(())
    }
}

/// The rest of the body if there is no answer for a reason of our own.
fn ended(error: &ErrorResponse, endpoint: Endpoint, record: Box<RequestRecord>) -> Body {
    let client_api = record.client_api;
    record.finish(RequestResult::Broken);
    let error = error.error_for(client_api);
    full(error_events(endpoint, &error))
}

/// The body that follows the signs of life.
fn body_of(
    run: Result<Answer, Exhausted>,
    endpoint: Endpoint,
    model: &str,
    mut record: Box<RequestRecord>,
) -> Body {
    match run {
        Err(exhausted) => {
            record.unanswered(&exhausted, story::for_log(&exhausted, model));
            let client_api = record.client_api;
            record.finish(exhausted::result(&exhausted));
            let error_response = exhausted::error_response(&exhausted, model);
            full(error_events(
                endpoint,
                &error_response.error_for(client_api),
            ))
        }
        Ok(answer) => {
            record.answered_by(&answer);
            let result = result_of(&answer);
            match answer.body {
                AnswerBody::Stream(stream) => {
                    RecordedStream::new(stream, record, RequestResult::Answered).boxed_unsync()
                }
                AnswerBody::Opaque(stream) => {
                    RecordedStream::new(stream, record, RequestResult::Answered).boxed_unsync()
                }
                // A handshake is answered before any head is sent, so this does not happen.
                AnswerBody::Relay(_) => full(""),
                // Events in which nothing is said, and nobody says more.
                AnswerBody::Whole(bytes) if answer.status < 400 => {
                    RecordedStream::new(Whole::new(bytes), record, result).boxed_unsync()
                }
                // Not a stream: the upstream rejects the request.
                AnswerBody::Whole(bytes) => {
                    record.finish(RequestResult::Rejected);
                    full(error_events(endpoint, &error_in(&bytes)))
                }
            }
        }
    }
}

/// The error object inside an upstream's error body.
fn error_in(body: &[u8]) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = match &body["error"] {
        serde_json::Value::Null => &body,
        error => error,
    };
    match error {
        serde_json::Value::Object(_) => error.clone(),
        other => serde_json::json!({ "message": other }),
    }
}

impl HttpBody for WaitingBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.poll_answer(context).is_pending()
            && let Some((waiting, _)) = &mut self.waiting
        {
            let heartbeat = waiting.heartbeat.clone();
            let tick = waiting.heartbeats.poll_tick(context);
            return tick.map(|_| Some(Ok(Frame::data(heartbeat))));
        }
        match &mut self.answer {
            Some(answer) => Pin::new(answer).poll_frame(context),
            None => Poll::Ready(None),
        }
    }
}
