//! `GET /api/live`: the status as server-sent events, whenever something changes.
//!
//! Finished requests are told in ticks of a second, changes of health at once, and if nothing happens, the status comes
//! every few seconds: whoever hears nothing for longer has lost the connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::respond;
use crate::wire::body::{Body, BodyError};

/// The most listeners at a time.
const MOST: usize = 32;
/// How often finished requests are told.
const TICK: Duration = Duration::from_secs(1);
/// The longest silence.
const SILENCE: Duration = Duration::from_secs(5);
/// A listener that takes nothing for so long is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells listeners what changes.
#[derive(Clone, Debug)]
pub struct Live {
    seats: Arc<Semaphore>,
    /// Ends all listening once it is true: the process is about to end.
    ending: watch::Receiver<bool>,
}

/// What there is to be told.
pub(super) trait Source: Send + 'static {
    /// The status as it is now.
    fn status(&self) -> impl Future<Output = Value> + Send;
    /// Another number for other figures.
    fn version(&self) -> u64;
    /// Waits for something that nobody should wait for.
    fn news(&mut self) -> impl Future<Output = ()> + Send;
}

impl Live {
    /// Tells until `ending` is true.
    pub fn new(ending: watch::Receiver<bool>) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(MOST)),
            ending,
        }
    }

    /// One more listener, if there is room.
    pub(super) fn listen(&self, source: impl Source) -> Response<Body> {
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            return full();
        };
        let (sender, events) = mpsc::channel(1);
        let mut ending = self.ending.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tell(source, &sender) => {}
                () = sender.closed() => {}
                _ = ending.wait_for(|is_ending| *is_ending) => {}
            }
            drop(seat);
        });
        let body = Listening(events).boxed_unsync();
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        let events = HeaderValue::from_static("text/event-stream");
        headers.insert(http::header::CONTENT_TYPE, events);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Without it, a proxy in front may keep events back.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }
}

fn full() -> Response<Body> {
    let message = format!("{MOST} listeners are the most; ask /api/status instead");
    let mut response = respond::error(StatusCode::SERVICE_UNAVAILABLE, &message);
    let later = HeaderValue::from_static("10");
    response.headers_mut().insert(RETRY_AFTER, later);
    response
}

/// Sends events until the listener takes none.
async fn tell(mut source: impl Source, events: &mpsc::Sender<Bytes>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let version = source.version();
                let is_news = last.is_none_or(|(known, at): (u64, Instant)| {
                    known != version || at.elapsed() >= SILENCE
                });
                if !is_news {
                    continue;
                }
            }
            () = source.news() => {}
        }
        last = Some((source.version(), Instant::now()));
        let event = format!("event: status\ndata: {}\n\n", source.status().await);
        let sent = timeout(PATIENCE, events.send(event.into())).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// A body of events.
struct Listening(mpsc::Receiver<Bytes>);

impl HttpBody for Listening {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = self.0.poll_recv(context);
        next.map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use serde_json::{Value, json};
    use tokio::sync::mpsc;
    use tokio::time::{Instant, timeout};

    use super::{PATIENCE, SILENCE, Source, TICK, tell};

    #[derive(Clone, Default)]
    struct Counted(Arc<AtomicU64>);

    impl Source for Counted {
        async fn status(&self) -> Value {
            json!({ "number": self.version() })
        }

        fn version(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        async fn news(&mut self) {
            pending::<()>().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn figures_come_within_a_tick_and_silence_has_an_end() {
        let source = Counted::default();
        let (sender, mut events) = mpsc::channel(1);
        let teller = source.clone();
        tokio::spawn(async move { tell(teller, &sender).await });
        let first = events.recv().await.unwrap();
        assert_eq!(first, "event: status\ndata: {\"number\":0}\n\n");

        source.0.fetch_add(1, Ordering::Relaxed);
        let changed = timeout(2 * TICK, events.recv()).await.unwrap().unwrap();
        assert_eq!(changed, "event: status\ndata: {\"number\":1}\n\n");
        let quiet_since = Instant::now();
        events.recv().await.unwrap();
        assert_eq!(quiet_since.elapsed(), SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_takes_nothing_is_dropped() {
        let (sender, events) = mpsc::channel(1);
        let started = Instant::now();
        tell(Counted::default(), &sender).await;
        let took = started.elapsed();
        assert!(
            took >= PATIENCE && took < PATIENCE + 2 * SILENCE,
            "{took:?}"
        );
        assert!(Duration::ZERO < took);
        drop(events);
    }
}
