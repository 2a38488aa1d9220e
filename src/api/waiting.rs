//! A stream whose upstreams keep silent for so long that somebody between us and the client might take the connection
//! for dead: its head has gone out, and comments follow until the first event. Failing over is still possible.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::{Interval, interval};

use super::exhausted;
use super::record::RequestRecord;
use super::stopping::{self, Stopping};
use super::stream::RecordedStream;
use crate::event::RequestResult;
use crate::failover::{Answer, AnswerBody, Exhausted, error_events};
use crate::request::Endpoint;
use crate::wire::body::{Body, BodyError, full};
use crate::wire::own_task::OwnTask;

/// A request that is being served.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<Answer, Exhausted>> + Send>>;

/// A request whose answer is still waited for. It runs by itself: nobody asks for the next comment while the client reads
/// slowly, and upstreams must not seem slow for that.
pub(super) struct Waiting {
    run: OwnTask<Result<Answer, Exhausted>>,
    endpoint: Endpoint,
    comments: Interval,
}

impl Waiting {
    /// `every`: the pause between two comments; the first one goes out at once.
    pub(super) fn new(run: Run, endpoint: Endpoint, every: Duration) -> Self {
        Self {
            run: OwnTask::start(run),
            endpoint,
            comments: interval(every),
        }
    }

    pub(super) fn into_body(self, record: RequestRecord) -> Body {
        WaitingBody {
            stopping: Stopping::new(record.shutdown.clone()),
            waiting: Some((self, record)),
            answer: None,
        }
        .boxed_unsync()
    }
}

struct WaitingBody {
    waiting: Option<(Waiting, RequestRecord)>,
    answer: Option<Body>,
    stopping: Stopping,
}

impl WaitingBody {
    /// What follows the comments, once that is known.
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
                Some(run) => body_of(run, waiting.endpoint, record),
                None => stopped(waiting.endpoint, record),
            });
        }
        Poll::Ready(())
    }
}

/// What the client gets if we stop before there is an answer.
fn stopped(endpoint: Endpoint, record: RequestRecord) -> Body {
    let client_api = record.client_api;
    record.finish(RequestResult::Broken);
    let error = stopping::error_response().error_for(client_api);
    full(error_events(endpoint, &error))
}

/// What the client gets after the comments.
fn body_of(run: Result<Answer, Exhausted>, endpoint: Endpoint, mut record: RequestRecord) -> Body {
    match run {
        Err(exhausted) => {
            record.attempts = exhausted.attempts.len();
            let client_api = record.client_api;
            record.finish(RequestResult::Failed);
            let error_response = exhausted::error_response(&exhausted);
            full(error_events(
                endpoint,
                &error_response.error_for(client_api),
            ))
        }
        Ok(answer) => {
            record.served_by = Some(answer.served_by);
            match answer.body {
                AnswerBody::Stream(stream) => {
                    RecordedStream::new(stream, record, RequestResult::Answered).boxed_unsync()
                }
                AnswerBody::Opaque(stream) => {
                    RecordedStream::new(stream, record, RequestResult::Answered).boxed_unsync()
                }
                // No head goes out before a handshake is answered.
                AnswerBody::Relay(_) => full(""),
                // No stream: the upstream's verdict that the request is wrong.
                AnswerBody::Whole(bytes) => {
                    record.attempts = answer.attempts.len();
                    record.finish(RequestResult::Rejected);
                    full(error_events(endpoint, &error_in(&bytes)))
                }
            }
        }
    }
}

/// The error object of an upstream's error body.
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
            return waiting.comments.poll_tick(context).map(|_| {
                let comment = Bytes::from_static(b": keepalive\n\n");
                Some(Ok(Frame::data(comment)))
            });
        }
        match &mut self.answer {
            Some(answer) => Pin::new(answer).poll_frame(context),
            None => Poll::Ready(None),
        }
    }
}
