//! Replies with an error status.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use tokio::time::Instant;

use super::clients_account::is_about_clients_account;
use super::ending::{AttemptAnswer, AttemptBody, Failure, UpstreamError, shortened};
use super::secrets::without_secrets;
use crate::catalogue::Unwanted;
use crate::config::Refusals;
use crate::dialect::errors::{self, ErrorReply};
use crate::dialect::rate_limit;
use crate::failover::decisions::target::Target;
use crate::outcome::{Blame, Defect, Outcome};
use crate::request::{ModelRequest, tokens_of_size};
use crate::upstream::Reply;
use crate::wire::body::{Arriving, Patience, ReadError, read_json};
use crate::wire::headers::{JSON, retry_after};
use crate::wire::offload;

/// The most that is read of an error: enough to classify it and to pass it on.
const LARGEST_ERROR: usize = 1 << 20;

/// How long the body of an error may take. The status has said most of it, and the next candidate can be asked.
const REST_OF_ERROR: Duration = Duration::from_secs(5);

/// The body of an error whose head has come.
pub(in crate::failover) async fn read_error(
    body: impl Arriving,
    patience: Patience,
) -> Result<Bytes, ReadError> {
    let until = Instant::now() + REST_OF_ERROR;
    let soon = Patience {
        until: until.min(patience.until),
        ..patience
    };
    match read_json(body, LARGEST_ERROR, soon).await {
        Err(ReadError::TooLate) if until < patience.until => Err(ReadError::Stalled),
        read => read,
    }
}

/// Whose errors they are, and what is known of the request.
#[derive(Clone, Copy)]
pub(super) struct ErrorSource<'a> {
    target: Target<'a>,
    request: &'a ModelRequest,
    refusals: Refusals,
}

impl<'a> ErrorSource<'a> {
    /// Errors about a request to a target. `refusals`: what happens when content is refused.
    pub(super) fn of(target: Target<'a>, request: &'a ModelRequest, refusals: Refusals) -> Self {
        Self {
            target,
            request,
            refusals,
        }
    }

    /// The outcome that the configuration gives an error inside a success reply.
    pub(super) fn ruled(&self, status: u16, body: &[u8]) -> Option<Outcome> {
        self.reply(status, &HeaderMap::new(), body).ruled_inside()
    }

    fn reply<'b>(&self, status: u16, headers: &HeaderMap, body: &'b [u8]) -> ErrorReply<'b>
    where
        'a: 'b,
    {
        let now = SystemTime::now();
        let candidate = self.target.candidate;
        let tokens = tokens_of_size(self.request.body.len());
        ErrorReply {
            asked: retry_after(headers, now),
            estimated: rate_limit::exhausted(headers, tokens, now),
            rules: candidate.upstream.error_rules(),
            model: candidate.model.as_deref(),
            ..ErrorReply::new(status, body)
        }
    }

    /// What a page says in short.
    fn page(&self, body: Bytes) -> Option<String> {
        page_in_short(&without_secrets(self.target, self.request, body))
    }
}

/// The client's fault becomes the answer, everything else is a failure; for refused content the route decides.
/// `classify` determines the outcome, `error_body` translates the error for the client.
pub(super) async fn refusal(
    reply: Reply,
    patience: Patience,
    source: ErrorSource<'_>,
    classify: impl Fn(&ErrorReply<'_>) -> Outcome,
    error_body: impl Fn(u16, Bytes) -> Bytes,
) -> Result<AttemptAnswer, Failure> {
    // If the body breaks off, or does not come in time, it is none of the API's.
    let body = read_error(reply.body, patience).await.unwrap_or_default();
    let (outcome, unwanted, error_body) = offload::at_once(body.len(), || {
        let outcome = classify(&source.reply(reply.status, &reply.headers, &body));
        let unwanted = match outcome {
            Outcome::Unsupported { .. } => errors::unwanted(&body),
            _ => Unwanted::NONE,
        };
        (outcome, unwanted, error_body(reply.status, body.clone()))
    });
    if let Outcome::ForeignError { .. } = outcome {
        return Err(Failure {
            detail: source.page(body),
            ..outcome.into()
        });
    }
    let mut headers = reply.headers;
    if error_body != body {
        headers.remove(CONTENT_ENCODING);
        headers.insert(CONTENT_TYPE, JSON);
    }
    let settled = settle(reply.status, headers, error_body, outcome, source);
    settled.map_err(|failure| Failure {
        unwanted,
        ..failure
    })
}

/// What follows from an upstream's error; `error_body` is in the client's API.
pub(super) fn settle(
    status: u16,
    headers: HeaderMap,
    error_body: Bytes,
    outcome: Outcome,
    source: ErrorSource<'_>,
) -> Result<AttemptAnswer, Failure> {
    if is_answer(&outcome, source.refusals) {
        let body = AttemptBody::Whole(error_body);
        return Ok(AttemptAnswer::new(status, headers, body, outcome));
    }
    let is_clients = outcome.blame() == Blame::Client
        || outcome == Outcome::InvalidReply(Defect::FailedGeneration)
        || is_about_clients_account(&source.target, &outcome);
    let error = UpstreamError {
        status,
        headers,
        body: error_body,
    };
    let mut failure = Failure::by_upstream_error(outcome, error);
    if !is_clients {
        // Another one's failure is no answer for the client. Its words remain.
        failure.error = None;
    }
    Err(failure)
}

fn is_answer(outcome: &Outcome, refusals: Refusals) -> bool {
    match outcome {
        Outcome::RejectedRequest { .. } => true,
        Outcome::ContentRefused { .. } => refusals == Refusals::Return,
        Outcome::Success
        | Outcome::Unreachable(_)
        | Outcome::ConnectionLost
        | Outcome::TimedOut(_)
        | Outcome::ServerError { .. }
        | Outcome::Overloaded { .. }
        | Outcome::RateLimited { .. }
        | Outcome::QuotaExhausted { .. }
        | Outcome::Unauthorized { .. }
        | Outcome::ModelUnavailable { .. }
        | Outcome::UpgradeRefused { .. }
        | Outcome::TooLong { .. }
        | Outcome::Unsupported { .. }
        | Outcome::ProviderBoundItems { .. }
        | Outcome::EndpointMissing { .. }
        | Outcome::ForeignError { .. }
        | Outcome::InvalidReply(_)
        | Outcome::StreamBroken
        | Outcome::ClientGone
        | Outcome::Superseded
        | Outcome::NoMemory
        | Outcome::NoResources
        | Outcome::Full { .. }
        | Outcome::Stopped => false,
    }
}

/// How long the headers of a reply ask us to wait.
pub(in crate::failover) fn wait_asked_by(headers: &HeaderMap) -> Option<Duration> {
    retry_after(headers, SystemTime::now())
}

/// The title of an HTML page, or the first line of a text.
fn page_in_short(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let title = text
        .split_once("<title>")
        .and_then(|(_, rest)| Some(rest.split_once("</title>")?.0));
    let is_page = text.trim_start().starts_with('<');
    let line = title.or_else(|| {
        text.lines()
            .find(|line| !is_page && !line.trim().is_empty())
    })?;
    Some(format!("not from the API: {}", shortened(line.trim())))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use bytes::Bytes;
    use hyper::body::{Body, Frame};
    use tokio::time::Instant;

    use super::{REST_OF_ERROR, page_in_short, read_error};
    use crate::wire::body::{Patience, ReadError};

    /// A body that never comes.
    struct Never;

    impl Body for Never {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_does_not_come_to_its_end_is_soon_given_up() {
        const MINUTE: Duration = Duration::from_secs(60);
        const SECOND: Duration = Duration::from_secs(1);
        for (idle, until, waited, is_too_late) in [
            (MINUTE, MINUTE, REST_OF_ERROR, false),
            (SECOND, MINUTE, SECOND, false),
            (MINUTE, SECOND, SECOND, true),
        ] {
            let start = Instant::now();
            let until = start + until;
            let read = read_error(Never, Patience { idle, until }).await;
            assert_eq!(start.elapsed(), waited, "{read:?}");
            assert_eq!(matches!(read, Err(ReadError::TooLate)), is_too_late);
            assert!(read.is_err());
        }
    }

    #[test]
    fn a_page_is_told_by_its_title_and_a_text_by_its_first_line() {
        let short = |page: &str| page_in_short(page.as_bytes()).unwrap_or_default();
        let page = "<html><head><title>403 Forbidden</title></head><body>you wrote: secret";
        assert_eq!(short(page), "not from the API: 403 Forbidden");
        assert_eq!(
            short("\n404 page not found\nmore"),
            "not from the API: 404 page not found"
        );
        assert_eq!(short("<html><body>x"), "");
        assert_eq!(short(""), "");
    }
}
