//! When a connection ends: by itself, when the server stops, after an idle timeout, or to make room for another one.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::activity::Activity;
use super::common::Common;
use crate::wire::bell::{Bell, only_when_woken};

/// How long a client may take to notice that its connection is being closed, because it is idle or to make room.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long connections are served on when the server stops. A client over HTTP/1.1 cannot be told to send nothing more, so
/// its next answer says that it is the last one; a connection that is closed without that may meet a request on its way.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What ends a connection that does not end by itself.
pub(super) struct Lifetime {
    pub(super) activity: Arc<Activity>,
    pub(super) common: Arc<Common>,
}

impl Lifetime {
    /// Waits for the beginning of a connection; `None`: it ends before that.
    pub(super) async fn beginning<T>(
        &self,
        beginning: impl Future<Output = io::Result<T>>,
    ) -> Option<T> {
        let last_call = async {
            self.stopped().await;
            sleep(self.last_call()).await;
        };
        tokio::select! {
            biased;
            begun = beginning => begun.ok(),
            () = last_call => None,
            () = self.activity.idle_for(self.common.limits.idle) => None,
            () = self.activity.must_make_room() => None,
        }
    }

    /// Drives a connection to its end. Requests that are open when it is asked to end, by `ask`, are finished first.
    pub(super) async fn of<C: Future<Output = hyper::Result<()>>>(
        self,
        mut connection: Pin<Box<C>>,
        ask: impl FnOnce(Pin<&mut C>),
    ) -> hyper::Result<()> {
        let limits = &self.common.limits;
        let end = pin!(async {
            tokio::select! {
                biased;
                () = self.stopped() => None,
                () = self.activity.idle_for(limits.idle) => Some(FAREWELL.min(limits.write)),
                () = self.activity.must_make_room() => Some(FAREWELL),
            }
        });
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
                () = sleep(self.last_call()) => {}
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
    /// Waits until open requests are to be the last ones.
    async fn stopped(&self) {
        let _ = self.common.stop.clone().wait_for(|stop| *stop).await;
    }

    fn last_call(&self) -> Duration {
        LAST_CALL.min(self.common.limits.drain / 2)
    }
}
