//! Bodies: the type of all response bodies, and reading a whole body within limits of size and time.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Body as HttpBody;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};

use super::alarm::poll_alarm;
use super::json::Reader;
use super::memory::{NoMemory, Share};
use super::offload;

/// The body of every response that backstop sends.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body that was partly sent and cannot continue. The connection is closed, so that the client does not take the body
/// for complete.
#[derive(Debug, Error)]
#[error("the body broke off: {0}")]
pub struct BodyError(pub String);

/// A body that is complete in memory.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that arrives from a connection.
pub trait Arriving: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin {}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin> Arriving for B {}

type BoxError = Box<dyn Error + Send + Sync>;

/// The time limits for reading a body.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest pause between two pieces.
    pub idle: Duration,
    /// When the body must be complete.
    pub until: Instant,
}

/// Why a whole body could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is longer than allowed.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Nothing arrived for too long.
    #[error("the body stalled")]
    Stalled,
    /// It was not complete in time.
    #[error("the body was not over in time")]
    TooLate,
    /// The connection broke, or the body ended before its announced length.
    #[error("the body broke off: {0}")]
    Broken(#[source] BoxError),
    /// There is no memory for it.
    #[error("the body cannot be held: {0}")]
    NoMemory(#[from] NoMemory),
}

/// Reads a small body of any kind. A body that arrives in a single piece is not copied.
pub async fn read_whole(
    body: impl Arriving,
    limit: usize,
    patience: Patience,
) -> Result<Bytes, ReadError> {
    read(body, limit, false, |_| patience, |_| Ok(())).await
}

/// Reads a small body that may be JSON, which is whole with its last bracket, whether or not its end comes.
pub async fn read_json(
    body: impl Arriving,
    limit: usize,
    patience: Patience,
) -> Result<Bytes, ReadError> {
    read(body, limit, true, |_| patience, |_| Ok(())).await
}

/// Reads a whole body and takes its memory from `share`: all of it at once if the length was announced, else as it
/// grows.
pub async fn read_into(
    share: &mut Share,
    body: impl Arriving,
    limit: usize,
    patience: Patience,
) -> Result<Bytes, ReadError> {
    read_at_pace(share, body, limit, false, |_| patience).await
}

/// The same, but `patience` says how long the next piece is waited for, after what has come so far. `is_json`: it is whole with its
/// last bracket, whether or not its end comes.
pub async fn read_at_pace(
    share: &mut Share,
    body: impl Arriving,
    limit: usize,
    is_json: bool,
    patience: impl FnMut(&[u8]) -> Patience,
) -> Result<Bytes, ReadError> {
    let make_room = |length| share.keep_up_with(length);
    let whole = read(body, limit, is_json, patience, make_room).await?;
    share.shrink_to(whole.len());
    Ok(whole)
}

async fn read(
    mut body: impl Arriving,
    limit: usize,
    is_json: bool,
    mut patience: impl FnMut(&[u8]) -> Patience,
    mut make_room: impl FnMut(usize) -> Result<(), NoMemory>,
) -> Result<Bytes, ReadError> {
    // A body that announces too many bytes is rejected before it is read.
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(ReadError::TooLarge(limit));
    }
    let announced = announced as usize;
    make_room(announced)?;
    let Some(first) = next(&mut body, || patience(b"")).await? else {
        return Ok(Bytes::new());
    };
    check(first.len(), limit)?;
    make_room(first.len())?;
    if body.is_end_stream() {
        return Ok(first);
    }
    // An announced length says where the end is.
    let is_json = is_json && announced == 0;
    let Some(second) = next_or_whole(&mut body, &first, is_json, &mut patience).await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity(announced.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    loop {
        check(whole.len(), limit)?;
        make_room(whole.len())?;
        match next_or_whole(&mut body, &whole, is_json, &mut patience).await? {
            Some(data) => whole.extend_from_slice(&data),
            None => return Ok(whole.freeze()),
        }
    }
}

fn check(length: usize, limit: usize) -> Result<(), ReadError> {
    match length > limit {
        true => Err(ReadError::TooLarge(limit)),
        false => Ok(()),
    }
}

/// For so long the end of a body is waited for when its JSON is whole: then the connection can be used again.
const GRACE: Duration = Duration::from_millis(500);

/// The next piece after what has been received. JSON that is whole has ended where nothing follows within a moment: no part of an
/// object is one.
async fn next_or_whole(
    body: &mut impl Arriving,
    received: &[u8],
    is_json: bool,
    patience: &mut impl FnMut(&[u8]) -> Patience,
) -> Result<Option<Bytes>, ReadError> {
    if !is_json || !may_be_whole(received) {
        return next(body, || patience(received)).await;
    }
    let soon = || {
        let patience = patience(received);
        Patience {
            idle: patience.idle.min(GRACE),
            ..patience
        }
    };
    match next(body, soon).await {
        Err(ReadError::Stalled | ReadError::TooLate)
            if offload::scan_at_once(received.len(), || is_object(received)) =>
        {
            Ok(None)
        }
        Err(ReadError::Stalled) => next(body, || patience(received)).await,
        other => other,
    }
}

/// Whether it ends with a bracket, and perhaps a line break.
fn may_be_whole(received: &[u8]) -> bool {
    let tail = &received[received.len().saturating_sub(4)..];
    tail.trim_ascii_end().ends_with(b"}")
}

fn is_object(received: &[u8]) -> bool {
    let mut reader = Reader::new(received);
    reader.is_at(b'{') && reader.skip().is_ok() && reader.end().is_ok()
}

/// The next piece of data of a body, or `None` at its end; trailers are skipped.
pub async fn next_data(
    body: &mut impl Arriving,
    patience: Patience,
) -> Result<Option<Bytes>, ReadError> {
    next(body, || patience).await
}

/// The same. What is there already, as most bodies are when their heads have been read, needs no timer.
async fn next(
    body: &mut impl Arriving,
    patience: impl FnOnce() -> Patience,
) -> Result<Option<Bytes>, ReadError> {
    let mut patience = Some(patience);
    let mut in_time = true;
    let mut alarm = pin!(None::<Sleep>);
    let mut is_extended = false;
    poll_fn(|context| {
        if let Poll::Ready(next) = poll_data(body, context) {
            return Poll::Ready(next);
        }
        if let Some(patience) = patience.take() {
            let Patience { idle, until } = patience();
            let idle_until = Instant::now() + idle;
            in_time = idle_until < until;
            alarm.set(Some(sleep_until(idle_until.min(until))));
        }
        let rung = alarm.as_mut().as_pin_mut();
        let rung = rung.map(|alarm| poll_alarm(alarm, &mut is_extended, context));
        match rung {
            Some(Poll::Ready(())) if in_time => Poll::Ready(Err(ReadError::Stalled)),
            Some(Poll::Ready(())) => Poll::Ready(Err(ReadError::TooLate)),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

fn poll_data(
    body: &mut impl Arriving,
    context: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, ReadError>> {
    loop {
        let frame = match Pin::new(&mut *body).poll_frame(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(Ok(None)),
            Poll::Ready(Some(frame)) => frame.map_err(|error| ReadError::Broken(error.into()))?,
        };
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Poll::Ready(Ok(Some(data)));
        }
    }
}
