//! Simulated providers: real HTTP servers that answer like an OpenAI-compatible API, or fail as scripted.
//!
//! The demo and the tests use the same simulator. It is scripted by data: a [`Script`] has the text of the answer,
//! its speed, and the [`Fault`] that happens; [`Simulator::play`] changes the script from the next request on.
//! Everything received is kept for inspection.
//!
//! *Invariant:* the simulator imports no other module of ours, so it cannot share a mistake with the code that it
//! tests.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::{sync::mpsc, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

mod answer;
mod content;
mod events;
mod fault;
mod ledger;
mod line;
mod listener;
mod openai;
mod playback;
mod received;
mod refusal;
mod reply;
mod script;
mod sse;
#[cfg(test)]
mod tests;

pub use self::{
    fault::Fault,
    received::Received,
    script::{Continuing, Draw, Framing, Script},
};

use self::{
    ledger::Ledger,
    listener::{Listener, Order},
};

/// One running simulated provider; dropping it stops the server and closes its connections.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    secure: bool,
    ledger: Arc<Ledger>,
    orders: mpsc::Sender<Order>,
    server: AbortHandle,
}

impl Simulator {
    /// Starts a plain-text server (HTTP/1.1, or HTTP/2 by prior knowledge) on a free loopback port.
    ///
    /// # Errors
    ///
    /// Fails when no loopback port can be listened on.
    pub async fn start(name: &str, script: Script) -> io::Result<Self> {
        Self::launch(name, script, None).await
    }

    /// Starts a TLS server on a free loopback port; `tls` decides by ALPN which HTTP versions it offers.
    ///
    /// # Errors
    ///
    /// Fails when no loopback port can be listened on.
    pub async fn start_tls(
        name: &str,
        script: Script,
        tls: Arc<rustls::ServerConfig>,
    ) -> io::Result<Self> {
        Self::launch(name, script, Some(TlsAcceptor::from(tls))).await
    }

    async fn launch(name: &str, script: Script, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let refuse = script.refuses();
        let ledger = Arc::new(Ledger::new(name, script));
        let mut listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), tls, &ledger).await?;
        if refuse {
            listener.close().await;
        }
        let address = listener.address();
        let secure = listener.is_secure();
        let (orders, inbox) = mpsc::channel(1);
        let server = tokio::spawn(listener.run(inbox)).abort_handle();
        Ok(Self {
            address,
            secure,
            ledger,
            orders,
            server,
        })
    }

    /// The name it was started with, also sent as `x-simulator` with every answer.
    pub fn name(&self) -> &str {
        self.ledger.name()
    }

    /// The loopback address it listens on; it stays the same while connections are refused.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL an OpenAI client would be given, ending in `/v1`.
    pub fn base_url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}/v1", self.address)
    }

    /// Follows `script` from the next request on; returns once the port is open or closed accordingly.
    ///
    /// [`Fault::Refuse`] closes the listener and all connections; any later script listens again on
    /// the same port. Answers already under way keep the script they began with.
    pub async fn play(&self, script: Script) {
        let refuse = script.refuses();
        self.ledger.play(script);
        let (order, obeyed) = Order::new(refuse);
        if self.orders.send(order).await.is_ok() {
            // An error means that the server is gone, and with it the port.
            let _ = obeyed.await;
        }
    }

    /// All requests so far, in the order in which they were completely read.
    pub fn received(&self) -> Vec<Received> {
        self.ledger.received()
    }

    /// How many requests were completely read so far.
    pub fn received_count(&self) -> usize {
        self.ledger.received_count()
    }

    /// Waits until at least `count` requests in all have been received.
    pub async fn wait_received(&self, count: usize) {
        self.ledger.wait_received(count).await;
    }

    /// How many requests lost their caller before the answer was complete.
    pub fn abandoned(&self) -> usize {
        self.ledger.abandoned()
    }

    /// Waits until at least `count` requests in all have been abandoned by their caller.
    pub async fn wait_abandoned(&self, count: usize) {
        self.ledger.wait_abandoned(count).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The listener task owns the connections, so they end with it.
        self.server.abort();
    }
}
