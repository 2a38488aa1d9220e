//! When a connection ends: by itself, when the server stops, after an idle timeout, or to make room for another one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::activity::Activity;
use crate::wire::bell::{Bell, only_when_woken};

/// How long a client may take to notice that its connection is being closed, because it is idle or to make room.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long connections are served on when the server stops. A client over HTTP/1.1 cannot be told to send nothing more, so
/// its next answer says that it is the last one; a connection that is closed without that may meet a request on its way.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What ends a connection that does not end by itself.
#[derive(Clone, Debug)]
pub(super) struct Lifetime {
    pub(super) activity: Arc<Activity>,
    /// How long the connection may have no open request.
    pub(super) idle: Duration,
    /// How long a client may read nothing, also of the news that its idle connection is closed.
    pub(super) write: Duration,
    /// How long open requests may take to finish when the server stops.
    pub(super) drain: Duration,
    /// Becomes true when open requests are to be the last ones.
    pub(super) stop: watch::Receiver<bool>,
}

impl Lifetime {
    /// Waits for the beginning of a connection; `None`: it ends before that.
    pub(super) async fn beginning<T>(
        &mut self,
        beginning: impl Future<Output = io::Result<T>>,
    ) -> Option<T> {
        let last_call = async {
            let _ = self.stop.wait_for(|stop| *stop).await;
            sleep(LAST_CALL.min(self.drain / 2)).await;
        };
        tokio::select! {
            biased;
            begun = beginning => begun.ok(),
            () = last_call => None,
            () = self.activity.idle_for(self.idle) => None,
            () = self.activity.must_make_room() => None,
        }
    }

    /// Drives a connection to its end. Requests that are open when it is asked to end, by `ask`, are finished first.
    pub(super) async fn of<C: Future<Output = hyper::Result<()>>>(
        mut self,
        mut connection: Pin<Box<C>>,
        ask: impl FnOnce(Pin<&mut C>),
    ) -> hyper::Result<()> {
        let end = async {
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => None,
                () = self.activity.idle_for(self.idle) => Some(FAREWELL.min(self.write)),
                () = self.activity.must_make_room() => Some(FAREWELL),
            }
        };
        let patience = tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            // The connection is woken for each piece of an answer, and its end is none of them.
            patience = only_when_woken(Bell::new(), end) => patience,
        };
        if patience.is_none() {
            tokio::select! {
                biased;
                ended = connection.as_mut() => return ended,
                () = sleep(LAST_CALL.min(self.drain / 2)) => {}
            }
        }
        ask(connection.as_mut());
        let Some(patience) = patience else {
            return connection.await;
        };
        // A last request may have been on its way.
        self.activity.restart();
        tokio::select! {
            biased;
            ended = connection => ended,
            () = self.activity.idle_for(patience) => Ok(()),
        }
    }
}
