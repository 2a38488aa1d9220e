//! Accepts connections, with or without TLS, HTTP/1.1 or HTTP/2, within limits, until it drains.
//!
//! A response may upgrade its connection to another protocol (`wire::upgrade`); until that protocol ends, the
//! connection counts and is drained like any other.
//!
//! *Invariant:* only this module accepts connections; the request handler is a parameter.

mod activity;
mod beginning;
mod client_stream;
mod connection;
mod connections;
mod door;
mod handler;
mod lifetime;
mod limits;
mod pressure;
mod stream_task;
mod transport;
mod valve;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

pub use limits::ConnectionLimits;

use self::activity::Activity;
use self::connection::Connection;
use self::connections::{Connections, room};
use self::door::Door;
use self::handler::Handler;
use self::pressure::Pressure;
use crate::wire::upgrade::{Handled, Shutdown};

/// How long open connections may take to close once the grace time is over.
const GOODBYE: Duration = Duration::from_millis(500);
/// How long those who have begun to connect may take: a round trip, and less than the second after which others ask again.
const HANDSHAKES: Duration = Duration::from_millis(300);
/// How long a connection that waited in the queue may wait for a slot once the door is closed.
const ROOM: Duration = Duration::from_secs(1);

/// Who else gets the connections that arrive at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Nothing,
    /// Whoever listens there, too, on a socket of its own (`SO_REUSEPORT`).
    Port,
    /// Whoever has the same socket: it stays open, with those who wait there, when this process ends.
    Socket,
}

/// A bound address, ready to serve.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    sharing: Sharing,
    tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    limits: ConnectionLimits,
}

impl Server {
    /// Serves on a bound listener. Each connection uses the TLS settings of the moment in which it is accepted.
    pub fn new(
        listener: TcpListener,
        sharing: Sharing,
        tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
        limits: ConnectionLimits,
    ) -> Self {
        Self {
            listener,
            sharing,
            tls,
            limits,
        }
    }

    /// Serves until `stop` becomes true. Then it accepts nothing more but what waits already, lets open requests finish,
    /// and closes what is left after the grace time. The handler gets each request with the signal that the grace time is
    /// over.
    pub async fn serve<H, F>(self, handler: H, stop: watch::Receiver<bool>)
    where
        H: Fn(Request<Incoming>, Shutdown) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        self.serve_by(handler::handler(handler), stop).await;
    }

    async fn serve_by(self, handler: Handler, mut stop: watch::Receiver<bool>) {
        let mut door = Door::new(self.listener);
        let pressure = Arc::new(Pressure::default());
        let mut watching = JoinSet::new();
        watching.spawn(Arc::clone(&pressure).watch(self.limits.queueing));
        let mut house = House {
            pressure,
            slots: Arc::new(Semaphore::new(self.limits.connections)),
            tls: self.tls,
            limits: self.limits,
            connections: Connections::default(),
            stop: stop.clone(),
            cut: watch::Sender::new(false),
            handler,
        };
        let stopped = async {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let mut last = house.receive_until(&mut door, stopped).await;
        if self.sharing == Sharing::Port && door.let_nobody_new_in() {
            house.receive(last.take()).await;
            last = house.receive_until(&mut door, sleep(HANDSHAKES)).await;
        }
        house.receive(last).await;
        if self.sharing != Sharing::Socket {
            for stream in door.waiting() {
                house.receive(Some(stream)).await;
            }
        }
        house.empty().await;
    }
}

/// Everything that connections need, and all that are open.
struct House {
    slots: Arc<Semaphore>,
    tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    limits: ConnectionLimits,
    connections: Connections,
    /// Becomes true when open requests are to be the last ones.
    stop: watch::Receiver<bool>,
    /// Set when the grace time is over.
    cut: watch::Sender<bool>,
    handler: Handler,
    /// How long requests wait for the processor.
    pressure: Arc<Pressure>,
}

impl House {
    /// Receives connections. Returns one that was accepted, but found no room.
    async fn receive_until(
        &mut self,
        door: &mut Door,
        end: impl Future<Output = ()>,
    ) -> Option<TcpStream> {
        let mut end = pin!(end);
        let mut accepted = None;
        loop {
            tokio::select! {
                // The end comes first, so that a flood of connections cannot delay it.
                biased;
                () = &mut end => return accepted,
                Some(ended) = self.connections.tasks.join_next_with_id() => self.connections.remove(ended),
                stream = door.accept(), if accepted.is_none() => accepted = stream,
                Ok(slot) = room(&self.slots, &self.connections.activities), if accepted.is_some() => {
                    if let Some(stream) = accepted.take() {
                        self.serve(stream, slot);
                    }
                }
            }
        }
    }

    /// Receives one of those who waited.
    async fn receive(&mut self, stream: Option<TcpStream>) {
        let Some(stream) = stream else { return };
        let slot = room(&self.slots, &self.connections.activities);
        if let Ok(Ok(slot)) = timeout(ROOM, slot).await {
            self.serve(stream, slot);
        }
    }

    fn serve(&mut self, stream: TcpStream, slot: OwnedSemaphorePermit) {
        let activity = Activity::new(Arc::clone(&self.pressure));
        let connection = Connection {
            stream,
            tls: self
                .tls
                .as_ref()
                .map(|tls| TlsAcceptor::from(tls.load_full())),
            limits: self.limits.clone(),
            activity: Arc::clone(&activity),
            stop: self.stop.clone(),
            shutdown: self.cut.subscribe(),
            handler: Arc::clone(&self.handler),
        };
        self.connections.add(activity, async move {
            connection.serve().await;
            drop(slot);
        });
    }

    /// Waits until all connections have ended, and ends those that are left after the grace time.
    async fn empty(mut self) {
        let connections = &mut self.connections;
        if timeout(self.limits.drain, connections.all_end())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = connections.tasks.len(),
                "the grace time is over: cutting {} connections that are still busy",
                connections.tasks.len()
            );
            self.cut.send_replace(true);
            let _ = timeout(GOODBYE, connections.all_end()).await;
        }
        connections.tasks.shutdown().await;
    }
}
