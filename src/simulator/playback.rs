//! The response body: plays a list of steps, each of which sends, waits or breaks.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::Sleep;

use super::{ledger::Caller, line::Breaker};

/// One thing a body does; after the last one it ends cleanly.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Send these bytes as one chunk.
    Send(Bytes),
    /// Send nothing for this long.
    Wait(Duration),
    /// Send nothing ever again.
    Hang,
    /// Break off: the connection is closed (HTTP/1) or the stream is reset (HTTP/2).
    Abort,
    /// Reset the TCP connection.
    Reset,
    /// Send these bytes again and again with this pause.
    Repeat(Bytes, Duration),
}

/// The answer was broken off on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the script broke the answer off")]
pub(super) struct BrokenOff;

#[derive(Debug)]
pub(super) struct Playback {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    flushed: bool,
    caller: Caller,
    breaker: Arc<Breaker>,
}

impl Playback {
    pub(super) fn new(steps: VecDeque<Step>, mut caller: Caller, breaker: Arc<Breaker>) -> Self {
        if steps.is_empty() {
            caller.served();
        }
        // The head may share a packet with the first bytes, but must not be lost in a break.
        let flushed = matches!(steps.front(), None | Some(Step::Send(_)));
        Self {
            steps,
            sleep: None,
            flushed,
            caller,
            breaker,
        }
    }

    fn break_off(&mut self) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.caller.served();
        self.steps.clear();
        Poll::Ready(Some(Err(BrokenOff)))
    }

    fn send(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.flushed = false;
        // A sized body is not polled again after its last byte, so the end has to be noticed here.
        if self.steps.is_empty() {
            self.caller.served();
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        if !this.flushed {
            // One pause between two steps makes hyper write out what it holds; otherwise it would
            // merge chunks, and lose those that come directly before a break.
            this.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if let Some(sleep) = &mut this.sleep {
                std::task::ready!(sleep.as_mut().poll(cx));
                this.sleep = None;
            }
            match this.steps.pop_front() {
                None => {
                    this.caller.served();
                    return Poll::Ready(None);
                }
                Some(Step::Send(bytes)) => return this.send(bytes),
                Some(Step::Wait(pause)) => this.sleep = Some(Box::pin(tokio::time::sleep(pause))),
                Some(Step::Hang) => {
                    this.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                Some(Step::Abort) => return this.break_off(),
                Some(Step::Reset) => {
                    this.breaker.reset();
                    return this.break_off();
                }
                Some(Step::Repeat(bytes, pause)) => {
                    this.steps.push_front(Step::Repeat(bytes.clone(), pause));
                    this.steps.push_front(Step::Wait(pause));
                    return this.send(bytes);
                }
            }
        }
    }
}
