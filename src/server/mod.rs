//! Accepting connections, over TLS or not, HTTP/1.1 or HTTP/2, within limits, until told to drain.
//!
//! An answer may take its connection over for another protocol (`wire::upgrade`); until that is over, the connection
//! counts and is drained as any other.
//!
//! *Invariant:* only this module accepts connections; what answers a request is a parameter.

mod connection;
mod door;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::connection::Connection;
use self::door::Door;
use crate::wire::body::Body;

/// How long those may take to say goodbye that speak another protocol than HTTP, once the grace time is over.
const GOODBYE: Duration = Duration::from_millis(500);

/// What keeps one address and its connections within bounds.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// How many connections may be open; further ones wait to be accepted.
    pub connections: usize,
    /// The size of a request's head, in bytes.
    pub headers: usize,
    /// How long a connection may take over the head of a request, its first or its next.
    pub idle: Duration,
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
    /// after the grace time.
    pub async fn serve<H, F>(self, handler: H, mut stop: watch::Receiver<bool>)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let mut door = Door::new(self.listener, self.limits.connections);
        let graceful = GracefulShutdown::new();
        let cut = Arc::new(watch::Sender::new(false));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                // Stopping comes first, so that a flood of connections cannot keep it from being seen.
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_) = connections.join_next() => {}
                accepted = door.accept() => {
                    let Some((stream, slot)) = accepted else { continue };
                    let connection = Connection {
                        stream,
                        tls: self.tls.as_ref().map(|tls| TlsAcceptor::from(tls.load_full())),
                        limits: self.limits.clone(),
                        watcher: graceful.watcher(),
                        cut: Arc::clone(&cut),
                    };
                    let handler = handler.clone();
                    connections.spawn(async move {
                        connection.serve(handler).await;
                        drop(slot);
                    });
                }
            }
        }
        drop(door);
        let finishing = async {
            graceful.shutdown().await;
            // Those that have left HTTP behind finish, too.
            while connections.join_next().await.is_some() {}
        };
        if timeout(self.limits.drain, finishing).await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "the grace time is over: cutting the connections that are still busy"
            );
            cut.send_replace(true);
            let _ = timeout(GOODBYE, cut.closed()).await;
        }
        connections.shutdown().await;
    }
}
