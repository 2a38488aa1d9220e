//! The task of one HTTP/2 stream: cancelled once its client has blocked it for too long.
//!
//! A stream whose flow-control window is closed does not poll its body, so the body cannot notice the timeout. Dropping
//! the task resets the stream.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::{Sleep, sleep};

use super::activity::OpenRequest;
use crate::wire::bell::Doorkeeper;
use crate::wire::body::{Body, BodyError};
use crate::wire::caught::caught;

/// What the body of a stream waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum WaitsFor {
    /// The producer of the answer.
    #[default]
    Answer,
    /// The client: it has been given data since the task was last woken.
    Client,
    /// The client, still without progress.
    ClientStill,
}

tokio::task_local! {
    static WAITS_FOR: Cell<WaitsFor>;
}

/// Runs the tasks of streams.
#[derive(Clone, Debug)]
pub(super) struct StreamExecutor {
    /// How long a client may keep a window closed.
    pub(super) limit: Duration,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let watched = give_up_after(stream, self.limit);
        tokio::spawn(WAITS_FOR.scope(Cell::default(), watched));
    }
}

async fn give_up_after(stream: impl Future<Output = ()>, limit: Duration) {
    let mut stream = pin!(stream);
    let mut alarm = pin!(None::<Sleep>);
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        match WAITS_FOR.with(Cell::get) {
            WaitsFor::Answer => alarm.set(None),
            WaitsFor::Client => {
                WAITS_FOR.with(|now| now.set(WaitsFor::ClientStill));
                alarm.set(Some(sleep(limit)));
            }
            WaitsFor::ClientStill => {}
        }
        match alarm.as_mut().as_pin_mut() {
            Some(alarm) => alarm.poll(context),
            None => Poll::Pending,
        }
    })
    .await;
}

/// A response body on its way to a client.
#[derive(Debug)]
pub(super) struct ServedBody {
    body: Body,
    /// Over HTTP/1, where the task of the connection is woken for more than the body.
    doorkeeper: Option<Doorkeeper>,
    _open: OpenRequest,
}

impl ServedBody {
    pub(super) fn new(body: Body, open: OpenRequest, doorkeeper: Option<Doorkeeper>) -> Self {
        Self {
            body,
            doorkeeper,
            _open: open,
        }
    }
}

impl HttpBody for ServedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self {
            body, doorkeeper, ..
        } = &mut *self;
        let look = |context: &mut Context<'_>| {
            let polled = caught(|| Pin::new(body).poll_frame(context));
            polled.unwrap_or_else(|| {
                let error = BodyError("a bug of the proxy has ended it".to_owned());
                Poll::Ready(Some(Err(error)))
            })
        };
        let polled = match doorkeeper {
            Some(doorkeeper) => doorkeeper.poll(context, look),
            None => look(context),
        };
        let waits_for = match polled {
            Poll::Pending => WaitsFor::Answer,
            Poll::Ready(_) => WaitsFor::Client,
        };
        // HTTP/1 has no windows, and no task for each stream.
        let _ = WAITS_FOR.try_with(|now| now.set(waits_for));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
