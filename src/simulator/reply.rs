//! From a request and a script to the reply: head, delay and the steps of its body.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    Fault, Script,
    content::{Content, JSON},
    events::tokens,
    openai::Asked,
    playback::Step,
    sse::{self, COMMENT_PAUSE},
};

/// An answer that is ready to be sent.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The wait before the head.
    pub(super) delay: Duration,
    pub(super) steps: VecDeque<Step>,
}

/// The reply to `asked`; faults without any reply have been met before.
pub(super) fn to(asked: &Asked, script: &Script) -> Reply {
    match &script.fault {
        Fault::Status {
            code,
            headers,
            body,
        } => {
            let typical = || asked.refusal(*code).to_string();
            let body = body.clone().unwrap_or_else(typical);
            Reply::whole(*code, JSON, body).with_headers(headers)
        }
        Fault::RateLimited { after } => rate_limited(asked, *after),
        Fault::Redirect { to } => Reply::whole(302, HTML, REDIRECT_PAGE)
            .with_headers(&[("location".to_owned(), to.clone())]),
        Fault::Html => Reply::whole(200, HTML, PAGE),
        Fault::JsonForStream => inner_error(asked, &script.fault),
        _ if asked.stream => stream(asked, script).with_headers(&script.headers),
        _ => single(asked, script).with_headers(&script.headers),
    }
}

fn rate_limited(asked: &Asked, after: Duration) -> Reply {
    let body = asked.refusal(429).to_string();
    let millis = after.as_millis();
    Reply::whole(429, JSON, body).with_headers(&[
        ("retry-after".to_owned(), millis.div_ceil(1000).to_string()),
        ("retry-after-ms".to_owned(), millis.to_string()),
    ])
}

fn inner_error(asked: &Asked, fault: &Fault) -> Reply {
    let body = asked.refusal(fault.inner_status());
    Reply::whole(200, JSON, body.to_string())
}

fn stream(asked: &Asked, script: &Script) -> Reply {
    Reply::open(EVENTS, sse::steps(asked, script))
}

/// The reply to a request that asked for no stream.
fn single(asked: &Asked, script: &Script) -> Reply {
    let text = asked.text(script);
    let body = || asked.answer(&text);
    match &script.fault {
        Fault::Empty | Fault::OnlyDone | Fault::RoleThenEnd => Reply::whole(200, JSON, ""),
        Fault::Garbage | Fault::GarbageAfter(_) => Reply::whole(200, JSON, NOT_JSON),
        Fault::ErrorInside { .. } | Fault::ErrorAfter(_) => inner_error(asked, &script.fault),
        Fault::NoChoices => Reply::whole(200, JSON, asked.empty_answer().to_string()),
        Fault::Trickle => {
            let bytes = body().bytes;
            let drops = (0..bytes.len())
                .flat_map(|at| [Step::Send(bytes.slice(at..=at)), Step::Wait(COMMENT_PAUSE)]);
            Reply::open(JSON, drops)
        }
        Fault::OnlyComments | Fault::CommentsAfter(_) => Reply::open(
            JSON,
            [Step::Repeat(Bytes::from_static(b"\n"), COMMENT_PAUSE)],
        ),
        Fault::HangAfterHeaders => Reply::promised(body(), |_| vec![Step::Hang]),
        Fault::Truncated | Fault::RoleThenCut | Fault::CutAfter(_) => {
            Reply::promised(body(), |half| vec![Step::Send(half), Step::Abort])
        }
        Fault::StallAfter(_) => Reply::promised(body(), |half| vec![Step::Send(half), Step::Hang]),
        Fault::ResetAfter(_) => Reply::promised(body(), |half| vec![Step::Send(half), Step::Reset]),
        Fault::EndAfter(_) => {
            let whole = body().bytes;
            let half = whole.slice(..whole.len() / 2);
            Reply::open(JSON, [Step::Send(half)])
        }
        _ => {
            let content = body();
            let mut reply = Reply::whole(200, content.kind, content.bytes);
            reply.delay = script.whole_delay(tokens(&text).len());
            reply
        }
    }
}

impl Reply {
    fn whole(code: u16, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let length = body.len();
        let mut reply = Self::open(kind, Some(body).filter(|b| !b.is_empty()).map(Step::Send));
        // A script may name any number; what is no status at all becomes a plain server error.
        reply.status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        reply.headers.insert(header::CONTENT_LENGTH, length.into());
        reply
    }

    /// A reply that announces the whole content and then sends what `steps` makes of its first half.
    fn promised(content: Content, steps: impl FnOnce(Bytes) -> Vec<Step>) -> Self {
        let whole = content.bytes.len();
        let mut reply = Self::open(content.kind, steps(content.bytes.slice(..whole / 2)));
        reply.headers.insert(header::CONTENT_LENGTH, whole.into());
        reply
    }

    /// A reply of status 200 that says nothing about its length.
    fn open(kind: &'static str, steps: impl IntoIterator<Item = Step>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Self {
            status: StatusCode::OK,
            headers,
            delay: Duration::ZERO,
            steps: steps.into_iter().collect(),
        }
    }

    fn with_headers(mut self, headers: &[(String, String)]) -> Self {
        for (name, value) in headers {
            append(&mut self.headers, name, value);
        }
        self
    }
}

/// Adds a header; one that HTTP does not allow is left out.
pub(super) fn append(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        HeaderName::from_bytes(name.as_bytes()),
        HeaderValue::from_str(value),
    ) {
        headers.append(name, value);
    }
}

const HTML: &str = "text/html; charset=utf-8";
const EVENTS: &str = "text/event-stream; charset=utf-8";
const NOT_JSON: &str = "<<< this is not JSON >>>";
const PAGE: &str =
    "<!doctype html><title>Welcome</title><p>Please accept the terms to go online.</p>";
const REDIRECT_PAGE: &str = "<!doctype html><title>Found</title>";
