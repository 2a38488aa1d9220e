//! An upstream's reply.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, Response};
use hyper::body::{Body, Frame, SizeHint};
use thiserror::Error;
use tokio::task::coop::poll_proceed;

use super::network::PooledBody;
use super::seats::Seat;
use crate::wire::coding::{CodingError, Unpacking};
use crate::wire::json::without_mark;

/// A piece up to this size, such as an event, is put together with those that have come with it.
const SMALL: usize = 2 << 10;
/// No more pieces are added to so much.
const ENOUGH: usize = 16 << 10;

type Piece = Option<Result<Frame<Bytes>, hyper::Error>>;

/// An upstream's reply, before its body has been read.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers as they arrived.
    pub headers: HeaderMap,
    /// The body as it arrives.
    pub body: ReplyBody,
}

impl Reply {
    pub(super) fn new(response: Response<PooledBody>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: ReplyBody::new(body),
        }
    }

    /// Unpacks its body, if it came packed in a coding that we know, although none was asked for.
    pub fn unpack(&mut self) {
        let coding = self.headers.get(CONTENT_ENCODING);
        let coding = coding.and_then(|coding| Unpacking::of(coding.to_str().ok()?));
        if coding.is_some() && !self.body.is_end_stream() {
            self.headers.remove(CONTENT_ENCODING);
            self.headers.remove(CONTENT_LENGTH);
            self.body.unpacking = coding;
        }
    }
}

/// A body broke off.
#[derive(Debug, Error)]
pub enum ReplyError {
    /// The connection broke, or the body ended before its announced length.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
    /// It cannot be unpacked.
    #[error(transparent)]
    Coding(#[from] CodingError),
}

/// The body of a reply. Its request is in flight until the whole body has arrived, or the body is dropped.
#[derive(Debug)]
pub struct ReplyBody {
    body: PooledBody,
    /// Its seat at an upstream that serves a limited number of requests at a time.
    seat: Option<Seat>,
    unpacking: Option<Unpacking>,
    /// Whether small pieces that are there go on together.
    is_gathered: bool,
    /// What came behind them, or the failure that is told next.
    next: Option<Box<Piece>>,
    /// A piece has been given, and nobody has waited for the next one since.
    has_given: bool,
}

impl ReplyBody {
    fn new(body: PooledBody) -> Self {
        Self {
            body,
            seat: None,
            unpacking: None,
            is_gathered: false,
            next: None,
            has_given: false,
        }
    }

    /// Its request keeps this seat.
    pub(super) fn keep(&mut self, seat: Option<Seat>) {
        self.seat = seat.filter(|_| !self.body.is_end_stream());
    }

    /// From now on, small pieces that are there go on together: each costs the rest of its way the same, however small it
    /// is.
    pub fn gather(&mut self) {
        self.is_gathered = true;
    }

    /// Whether it begins as a JSON object or list does, as soon as something has come; `None`: it is packed or blank so far. It is still
    /// to be read from its beginning.
    pub async fn begins_as_json(&mut self) -> Option<bool> {
        if self.unpacking.is_some() {
            return None;
        }
        let piece = poll_fn(|context| self.poll_packed(context)).await;
        let begin = match &piece {
            Some(Ok(frame)) => frame.data_ref().and_then(|data| {
                let data = without_mark(data).trim_ascii_start();
                data.first().copied()
            }),
            _ => None,
        };
        self.next = Some(Box::new(piece));
        self.has_given = false;
        begin.map(|begin| matches!(begin, b'{' | b'['))
    }

    fn poll_packed(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        let piece = match self.next.take() {
            Some(next) => Poll::Ready(*next),
            None => self.poll_together(context),
        };
        let had_given = std::mem::replace(
            &mut self.has_given,
            matches!(piece, Poll::Ready(Some(Ok(_)))),
        );
        match piece {
            // What has come before a failure goes out before it: then the connection to the client may be cut.
            Poll::Ready(Some(Err(error))) if had_given => {
                self.next = Some(Box::new(Some(Err(error))));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            piece => piece,
        }
    }

    /// They are copied, because otherwise each would keep the whole buffer that it was read into.
    fn poll_together(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        let first = ready!(self.poll_piece(context));
        if !self.is_gathered {
            return Poll::Ready(first);
        }
        let first = match small(first) {
            Ok(small) => small,
            Err(other) => return Poll::Ready(other),
        };
        let mut together = first.to_vec();
        drop(first);
        while together.len() < ENOUGH && !self.body.is_end_stream() {
            let Poll::Ready(piece) = self.poll_piece(context) else {
                break;
            };
            match small(piece) {
                Ok(small) => together.extend_from_slice(&small),
                Err(other) => {
                    self.next = Some(Box::new(other));
                    break;
                }
            }
        }
        Poll::Ready(Some(Ok(Frame::data(together.into()))))
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(context));
        let is_over = !matches!(polled, Some(Ok(_)));
        // With the last byte and not with the next poll: nobody polls after the announced length.
        if is_over || self.body.is_end_stream() {
            self.seat = None;
        }
        Poll::Ready(polled)
    }
}

/// The data of a small piece; else the piece as it is.
fn small(piece: Piece) -> Result<Bytes, Piece> {
    match piece {
        Some(Ok(frame)) if frame.data_ref().is_some_and(|data| data.len() <= SMALL) => {
            frame.into_data().map_err(|frame| Some(Ok(frame)))
        }
        other => Err(other),
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        loop {
            let Some(unpacking) = &mut self.unpacking else {
                return self.poll_packed(context).map_err(ReplyError::from);
            };
            // However much comes out of little, others have their turn.
            ready!(poll_proceed(context)).made_progress();
            if let Some(piece) = unpacking.piece()? {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match ready!(self.poll_packed(context)) {
                Some(frame) => {
                    if let (Ok(data), Some(unpacking)) = (frame?.into_data(), &mut self.unpacking) {
                        unpacking.put(data);
                    }
                }
                None => {
                    if let Some(unpacking) = self.unpacking.take() {
                        unpacking.finish()?;
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.unpacking.is_none() && self.next.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.unpacking, &self.next) {
            (None, None) => self.body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}
