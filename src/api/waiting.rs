//! A stream whose upstreams keep silent for so long that somebody between us and the client might take the connection
//! for dead: its head has gone out, and comments follow until the first event. Failing over is still possible.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::{Interval, interval};

use super::exhausted;
use super::record::RequestRecord;
use super::stream::RecordedStream;
use crate::event::RequestResult;
use crate::failover::{Answer, AnswerBody, Exhausted, error_events};
use crate::request::{ClientApi, Endpoint};
use crate::wire::body::{Body, BodyError, full};

/// A request that is being served.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<Answer, Exhausted>> + Send>>;

/// A request whose answer is still waited for.
pub(super) struct Waiting {
    run: Run,
    endpoint: Endpoint,
    comments: Interval,
}

impl Waiting {
    /// `every`: the pause between two comments; the first one goes out at once.
    pub(super) fn new(run: Run, endpoint: Endpoint, every: Duration) -> Self {
        Self {
            run,
            endpoint,
            comments: interval(every),
        }
    }

    pub(super) fn into_body(self, record: RequestRecord) -> Body {
        WaitingBody {
            waiting: Some((self, record)),
            answer: None,
        }
        .boxed_unsync()
    }
}

struct WaitingBody {
    waiting: Option<(Waiting, RequestRecord)>,
    answer: Option<Body>,
}

/// What the client gets after the comments.
fn body_of(run: Result<Answer, Exhausted>, endpoint: Endpoint, mut record: RequestRecord) -> Body {
    match run {
        Err(exhausted) => {
            record.attempts = exhausted.attempts.len();
            let client_api = record.client_api;
            record.finish(RequestResult::Failed);
            let error_response = exhausted::error_response(&exhausted);
            let error = match client_api {
                ClientApi::Anthropic => error_response.anthropic_error(),
                ClientApi::OpenAi => error_response.error(),
            };
            full(error_events(endpoint, &error))
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
        if let Some((waiting, _)) = &mut self.waiting {
            match waiting.run.as_mut().poll(context) {
                Poll::Pending => {
                    return waiting.comments.poll_tick(context).map(|_| {
                        let comment = Bytes::from_static(b": keepalive\n\n");
                        Some(Ok(Frame::data(comment)))
                    });
                }
                Poll::Ready(run) => {
                    if let Some((waiting, record)) = self.waiting.take() {
                        self.answer = Some(body_of(run, waiting.endpoint, record));
                    }
                }
            }
        }
        match &mut self.answer {
            Some(answer) => Pin::new(answer).poll_frame(context),
            None => Poll::Ready(None),
        }
    }
}
