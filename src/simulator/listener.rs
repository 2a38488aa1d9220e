//! The port: accepts connections, closes on order and listens again on the same address.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{
    answer::answer,
    ledger::Ledger,
    line::{Breaker, Line},
};

/// Open or close the port, and say when it is done.
#[derive(Debug)]
pub(super) struct Order {
    refuse: bool,
    done: oneshot::Sender<()>,
}

impl Order {
    pub(super) fn new(refuse: bool) -> (Self, oneshot::Receiver<()>) {
        let (done, obeyed) = oneshot::channel();
        (Self { refuse, done }, obeyed)
    }
}

#[derive(Debug)]
enum Port {
    Open(TcpListener),
    /// Bound but not listening: connects are refused, yet nobody else can be given the port.
    Closed(Option<TcpSocket>),
}

/// Owns the port and every connection made to it.
pub(super) struct Listener {
    address: SocketAddr,
    port: Port,
    tls: Option<TlsAcceptor>,
    ledger: Arc<Ledger>,
    connections: JoinSet<()>,
}

impl Listener {
    pub(super) async fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        ledger: &Arc<Ledger>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            address: listener.local_addr()?,
            port: Port::Open(listener),
            tls,
            ledger: Arc::clone(ledger),
            connections: JoinSet::new(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves and obeys until the handle is gone.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            // The arms do not depend on each other, so any order is right.
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                tcp = accept(&self.port) => self.serve(tcp),
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        if order.refuse {
            self.close().await;
        } else if let Err(error) = self.open().await {
            tracing::error!(
                "the simulator cannot listen at {} again: {error}",
                self.address
            );
        }
        // The one who ordered may have stopped waiting.
        let _ = order.done.send(());
    }

    /// Refuses connects from now on and closes every connection.
    pub(super) async fn close(&mut self) {
        if matches!(self.port, Port::Open(_)) {
            // The listener has to go first: two sockets share a port only if none of them listens.
            self.port = Port::Closed(None);
            self.port = Port::Closed(bind(self.address).ok());
        }
        self.connections.shutdown().await;
    }

    async fn open(&mut self) -> io::Result<()> {
        if let Port::Closed(kept) = &mut self.port {
            let listener = match kept.take() {
                Some(socket) => socket.listen(BACKLOG)?,
                None => TcpListener::bind(self.address).await?,
            };
            self.port = Port::Open(listener);
        }
        Ok(())
    }

    fn serve(&mut self, tcp: TcpStream) {
        let breaker = Arc::new(Breaker::default());
        let line = Line::new(tcp, &breaker);
        let ledger = Arc::clone(&self.ledger);
        let tls = self.tls.clone();
        self.connections.spawn(async move {
            let talk = async {
                let Some(tls) = tls else {
                    return converse(line, &ledger, &breaker).await;
                };
                // A failed handshake is the caller's to notice.
                if let Ok(secured) = tls.accept(line).await {
                    converse(secured, &ledger, &breaker).await;
                }
            };
            // Biased, so that a cut connection sends nothing more.
            tokio::select! {
                biased;
                () = breaker.thrown() => {}
                () = talk => {}
            }
        });
    }
}

/// The next connection; never while the port is closed.
async fn accept(port: &Port) -> TcpStream {
    let Port::Open(listener) = port else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => return tcp,
            // Out of file descriptors, most likely: trying again at once would spin.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Closed connections linger in the kernel and would keep the port taken.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn converse<S>(stream: S, ledger: &Arc<Ledger>, breaker: &Arc<Breaker>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| answer(request, Arc::clone(ledger), Arc::clone(breaker)));
    let mut server = auto::Builder::new(TokioExecutor::new());
    if let Some(most) = ledger.streams() {
        server.http2().max_concurrent_streams(most);
    }
    // How a connection ends is the script's business; the caller sees it, and there is nobody to tell.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

const BACKLOG: u32 = 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
