//! Accepts connections, with or without TLS, HTTP/1.1 or HTTP/2, within limits, until it drains.
//!
//! A response may upgrade its connection to another protocol (`wire::upgrade`); until that protocol ends, the
//! connection counts and is drained like any other.
//!
//! *Invariant:* only this module accepts connections; the request handler is a parameter.

mod activity;
mod client_stream;
mod connection;
mod connections;
mod door;
mod lifetime;
mod limits;
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

pub use limits::ConnectionLimits;

use self::activity::Activity;
use self::connection::Connection;
use self::connections::{Connections, room};
use self::door::Door;
use crate::wire::upgrade::{Handled, Shutdown};

/// How long open connections may take to close once the grace time is over.
const GOODBYE: Duration = Duration::from_millis(500);

/// A bound address, ready to serve.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    limits: ConnectionLimits,
}

impl Server {
    /// Serves on a bound listener. Each connection uses the TLS settings of the moment in which it is accepted.
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

    /// Serves until `stop` becomes true. Then it accepts nothing more, lets open requests finish, and closes what is
    /// left after the grace time. The handler gets each request with the signal that the grace time is over.
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
                // The stop signal comes first, so that a flood of connections cannot delay it.
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
                "the grace time is over: cutting {} connections that are still busy",
                connections.tasks.len()
            );
            cut.send_replace(true);
            let _ = timeout(GOODBYE, connections.all_end()).await;
        }
        connections.tasks.shutdown().await;
    }
}
