//! One thread's part of a server: it accepts connections, and serves those that it has accepted.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::arrival::Arrival;
use super::common::Common;
use super::connection::Connection;
use super::door::{Door, Sharing};
use super::slots::Slots;

/// How long open connections may take to close once the grace time is over.
const GOODBYE: Duration = Duration::from_millis(500);
/// How long those who have begun to connect may take: a round trip, and less than the second after which others ask again.
const HANDSHAKES: Duration = Duration::from_millis(300);
/// How long connections that waited in the queue may wait for slots once the door is closed, all together.
const WAIT: Duration = Duration::from_secs(1);

/// Everything that connections need, and all that are open in one runtime.
pub(super) struct Worker {
    pub(super) sharing: Sharing,
    pub(super) tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    pub(super) slots: Arc<Slots>,
    /// When this is dropped, all connections are closed.
    pub(super) connections: JoinSet<()>,
    /// Set when the grace time is over.
    pub(super) cut: watch::Sender<bool>,
    pub(super) common: Arc<Common>,
}

impl Worker {
    /// Serves until the server stops, and until all its connections have ended.
    pub(super) async fn serve(mut self, listener: TcpListener) {
        let mut door = Door::new(listener);
        let mut stop = self.common.stop.clone();
        let stopped = async {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let mut last = self.receive_until(&mut door, stopped).await;
        if self.sharing == Sharing::Port && door.let_nobody_new_in() {
            self.receive(last.take(), Instant::now() + WAIT).await;
            last = self.receive_until(&mut door, sleep(HANDSHAKES)).await;
        }
        let until = Instant::now() + WAIT;
        self.receive(last, until).await;
        if self.sharing != Sharing::Socket {
            for stream in door.waiting() {
                self.receive(Some(stream), until).await;
            }
        }
        self.empty().await;
    }

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
                Some(_) = self.connections.join_next() => {}
                stream = door.accept(), if accepted.is_none() => accepted = stream,
                permit = self.slots.acquire(), if accepted.is_some() => {
                    if let Some(stream) = accepted.take() {
                        self.connect(stream, permit);
                    }
                }
            }
        }
    }

    /// Receives one of those who waited, if there is a slot by then.
    async fn receive(&mut self, stream: Option<TcpStream>, until: Instant) {
        let Some(stream) = stream else { return };
        if let Ok(permit) = timeout_at(until, self.slots.acquire()).await {
            self.connect(stream, permit);
        }
    }

    fn connect(&mut self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let activity = Activity::new();
        let slot = self.slots.enter(permit, Arc::clone(&activity));
        let connection = Connection {
            arrival: self.common.pressure.as_ref().map(|_| Arrival::new()),
            stream,
            tls: self
                .tls
                .as_ref()
                .map(|tls| TlsAcceptor::from(tls.load_full())),
            activity,
            common: Arc::clone(&self.common),
        };
        self.connections.spawn(connection.serve(slot));
    }

    /// Waits until all connections have ended, and ends those that are left after the grace time.
    async fn empty(mut self) {
        let connections = &mut self.connections;
        let all_end = async |connections: &mut JoinSet<()>| {
            while connections.join_next().await.is_some() {}
        };
        if timeout(self.common.limits.drain, all_end(connections))
            .await
            .is_err()
        {
            if let Some(left) = self.slots.left() {
                tracing::warn!(
                    connections = left,
                    "the grace time is over: cutting {left} connections that are still busy"
                );
            }
            self.cut.send_replace(true);
            let _ = timeout(GOODBYE, all_end(connections)).await;
        }
        connections.shutdown().await;
    }
}
