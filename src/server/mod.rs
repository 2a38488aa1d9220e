//! Accepting connections, over TLS or not, HTTP/1.1 or HTTP/2, within limits, until told to drain.
//!
//! An answer may take its connection over for another protocol (`wire::upgrade`); until that is over, the connection
//! counts and is drained as any other.
//!
//! *Invariant:* only this module accepts connections; what answers a request is a parameter.

mod activity;
mod client_stream;
mod connection;
mod connections;
mod door;
mod lifetime;
mod stream_task;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Request;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::activity::Activity;
use self::connection::Connection;
use self::connections::{Connections, room};
use self::door::Door;
use crate::wire::upgrade::{Handled, Shutdown};

/// How long what is still open may take to say goodbye once the grace time is over.
const GOODBYE: Duration = Duration::from_millis(500);

/// What keeps one address and its connections within bounds.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// How many connections may be open; a further one takes the place of the one that has been idle for the longest
    /// time, or waits.
    pub connections: usize,
    /// The size of a request's head, in bytes.
    pub headers: usize,
    /// How long a connection may be without an open request.
    pub idle: Duration,
    /// How long a client may take nothing of what waits for it.
    pub write: Duration,
    /// How long open requests may take to finish once draining has begun.
    pub drain: Duration,
}

/// A bound address, ready to serve.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    limits: ConnectionLimits,
}

impl Server {
    /// Serves on a bound listener. Each connection takes the TLS settings that are there when it comes.
    pub fn new(
        listener: TcpListener,
        tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
        limits: ConnectionLimits,
    ) -> Self {
        Self {
            listener,
            tls,
            limits,
        }
    }

    /// Serves until `stop` turns true; then accepts nothing more, lets open requests finish, and cuts what is left
    /// after the grace time. The handler gets each request with what tells it that the grace time is over.
    pub async fn serve<H, F>(self, handler: H, mut stop: watch::Receiver<bool>)
    where
        H: Fn(Request<Incoming>, Shutdown) -> F + Clone + Send + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let mut door = Door::new(self.listener);
        let cut = watch::Sender::new(false);
        let stopping = stop.clone();
        let mut connections = Connections::default();
        let mut accepted = None;
        loop {
            tokio::select! {
                // Stopping comes first, so that a flood of connections cannot keep it from being seen.
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(ended) = connections.tasks.join_next_with_id() => connections.remove(ended),
                stream = door.accept(), if accepted.is_none() => accepted = stream,
                Ok(slot) = room(&slots, &connections.activities), if accepted.is_some() => {
                    let Some(stream) = accepted.take() else { continue };
                    let activity = Activity::new();
                    let connection = Connection {
                        stream,
                        tls: self.tls.as_ref().map(|tls| TlsAcceptor::from(tls.load_full())),
                        limits: self.limits.clone(),
                        activity: Arc::clone(&activity),
                        stop: stopping.clone(),
                        shutdown: cut.subscribe(),
                    };
                    let handler = handler.clone();
                    connections.add(activity, async move {
                        connection.serve(handler).await;
                        drop(slot);
                    });
                }
            }
        }
        drop((door, accepted));
        if timeout(self.limits.drain, connections.all_end())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = connections.tasks.len(),
                "the grace time is over: cutting the connections that are still busy"
            );
            cut.send_replace(true);
            let _ = timeout(GOODBYE, connections.all_end()).await;
        }
        connections.tasks.shutdown().await;
    }
}
