//! Accepts connections, with or without TLS, HTTP/1.1 or HTTP/2, within limits, until it drains.
//!
//! A server may use several runtimes, each with a thread of its own. All of them accept from the same queue, so that whoever
//! has time takes the next connection; from then on the connection and its requests stay in one runtime.
//!
//! A response may upgrade its connection to another protocol (`wire::upgrade`); until that protocol ends, the
//! connection counts and is drained like any other.
//!
//! *Invariant:* only this module accepts connections; the request handler is a parameter.

mod activity;
mod arrival;
mod beginning;
mod client_stream;
mod common;
mod connection;
mod door;
mod handler;
mod lifetime;
mod limits;
mod plain;
mod pressure;
mod slots;
mod stream_task;
mod transport;
mod valve;
mod worker;

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::Request;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use door::Sharing;
pub use limits::ConnectionLimits;

use self::common::Common;
use self::handler::Handler;
use self::pressure::{Pressure, Refusals};
use self::slots::Slots;
use self::worker::Worker;
use crate::wire::request_body::RequestBody;
use crate::wire::upgrade::{Handled, Shutdown};

/// A bound address, ready to serve.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    sharing: Sharing,
    tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    limits: ConnectionLimits,
    /// Where it serves; nowhere: in the runtime that calls it.
    runtimes: Vec<Handle>,
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
            runtimes: Vec::new(),
        }
    }

    /// Serves in these runtimes, each of which should have one thread, in place of the one that calls it.
    pub fn on(mut self, runtimes: Vec<Handle>) -> Self {
        self.runtimes = runtimes;
        self
    }

    /// Serves until `stop` becomes true. Then it accepts nothing more but what waits already, lets open requests finish,
    /// and closes what is left after the grace time. The handler gets each request with the signal that the grace time is
    /// over.
    pub async fn serve<H, F>(self, handler: H, stop: watch::Receiver<bool>)
    where
        H: Fn(Request<RequestBody>, Shutdown) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        self.serve_by(handler::handler(handler), stop).await;
    }

    async fn serve_by(self, handler: Handler, stop: watch::Receiver<bool>) {
        let mut listeners = Vec::new();
        for runtime in &self.runtimes {
            match self.listener_in(runtime) {
                Ok(listener) => listeners.push((listener, runtime)),
                Err(error) => tracing::error!("a thread serves no clients: {error}"),
            }
        }
        let slots = Slots::new(self.limits.connections);
        let refusals = Arc::new(Refusals::default());
        let worker = || {
            let cut = watch::Sender::new(false);
            let common = Common {
                limits: self.limits.clone(),
                stop: stop.clone(),
                shutdown: cut.subscribe(),
                handler: Arc::clone(&handler),
                pressure: Pressure::bounded(self.limits.queueing, &refusals),
            };
            Worker {
                sharing: self.sharing,
                tls: self.tls.clone(),
                slots: Arc::clone(&slots),
                connections: JoinSet::new(),
                cut,
                common: Arc::new(common),
            }
        };
        let mut telling = JoinSet::new();
        if !self.limits.queueing.is_zero() {
            telling.spawn(Arc::clone(&refusals).tell());
        }
        let mut serving = JoinSet::new();
        if listeners.is_empty() {
            serving.spawn(worker().serve(self.listener));
        }
        for (listener, runtime) in listeners {
            serving.spawn_on(worker().serve(listener), runtime);
        }
        // Where one has ended by a bug, those who connect there would wait forever: then all end.
        while let Some(Ok(())) = serving.join_next().await {}
    }

    /// A listener with the same queue, in another runtime.
    fn listener_in(&self, runtime: &Handle) -> io::Result<TcpListener> {
        let _entered = runtime.enter();
        TcpListener::from_std(SockRef::from(&self.listener).try_clone()?.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::future::pending;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    use std::thread;
    use std::time::Duration;

    use http::{Request, Response};
    use tokio::net::TcpSocket;
    use tokio::runtime::{Builder, Handle, Runtime};
    use tokio::sync::watch;
    use tokio::task::JoinHandle;

    use super::{ConnectionLimits, Handled, RequestBody, Server, Sharing, Shutdown};
    use crate::wire::body;
    use crate::wire::overload::Overloaded;

    fn runtime() -> Runtime {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    }

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            connections: 1000,
            headers: 8192,
            idle: Duration::from_secs(60),
            queueing: Duration::ZERO,
            write: Duration::from_secs(60),
            drain: Duration::from_secs(60),
        }
    }

    /// A connection over which something is asked.
    fn asking(address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).unwrap();
        stream
    }

    /// The answer.
    fn ask(address: SocketAddr) -> String {
        answer(asking(address))
    }

    fn answer(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split("\r\n\r\n").nth(1).unwrap().to_owned()
    }

    /// Starts a server in two runtimes; its caller, the runtimes, its address, and what stops it.
    fn started<H, F>(handler: H, limits: ConnectionLimits) -> Started
    where
        H: Fn(Request<RequestBody>, Shutdown) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let (own, runtimes) = (runtime(), [runtime(), runtime()]);
        // All may come before the first one is accepted.
        let listener = own.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(1024).unwrap()
        });
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let handles = runtimes.iter().map(|runtime| runtime.handle().clone());
        let handles = handles.collect();
        let serving = own.spawn(async move {
            let server = Server::new(listener, Sharing::Nothing, None, limits);
            server.on(handles).serve(handler, stopping).await;
        });
        Started {
            own,
            runtimes,
            address,
            stop,
            serving,
        }
    }

    struct Started {
        own: Runtime,
        runtimes: [Runtime; 2],
        address: SocketAddr,
        stop: watch::Sender<bool>,
        serving: JoinHandle<()>,
    }

    #[test]
    fn whoever_has_time_takes_the_next_connection_and_all_stop_together() {
        let (release, released) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        // The first request keeps its thread busy.
        let first = Arc::new(Mutex::new(Some((begun, released))));
        let handler = move |_, _| {
            let first = first.lock().unwrap().take();
            async move {
                if let Some((begun, released)) = first {
                    begun.send(()).unwrap();
                    released.recv().unwrap();
                }
                Response::new(body::full(Handle::current().id().to_string())).into()
            }
        };
        let server = started(handler, limits());
        let address = server.address;
        let busy = thread::spawn(move || ask(address));
        has_begun.recv().unwrap();
        let free = ask(address);
        server.stop.send_replace(true);
        release.send(()).unwrap();
        let mut seen = [free, busy.join().unwrap()];
        seen.sort();
        let mut ids = server
            .runtimes
            .map(|runtime| runtime.handle().id().to_string());
        ids.sort();
        assert_eq!(seen, ids);
        server.own.block_on(server.serving).unwrap();
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn what_is_busy_in_any_runtime_is_cut_when_the_grace_time_is_over() {
        let (begun, has_begun) = mpsc::channel();
        let handler = move |_, _| {
            begun.send(Handle::current().id()).unwrap();
            pending()
        };
        let at_once = ConnectionLimits {
            drain: Duration::ZERO,
            ..limits()
        };
        let server = started(handler, at_once);
        let address = server.address;
        let mut busy = Vec::new();
        let mut seen = HashSet::new();
        // Chance decides who accepts.
        while seen.len() < 2 && busy.len() < 1000 {
            busy.push(asking(address));
            seen.insert(has_begun.recv().unwrap());
        }
        assert_eq!(seen.len(), 2);
        server.stop.send_replace(true);
        server.own.block_on(server.serving).unwrap();
        for mut one in busy {
            let mut rest = Vec::new();
            assert_eq!(one.read_to_end(&mut rest).unwrap_or(0), 0);
        }
    }

    /// All come while the first ones keep their threads busy, and each takes its thread for a while.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "it stands for work")]
    fn while_requests_queue_for_the_processor_some_are_marked_and_all_are_answered() {
        for (queueing, may_refuse) in [(40, true), (0, false)] {
            let have_come = Arc::new(AtomicBool::new(false));
            let come = Arc::clone(&have_come);
            let handler = move |request: Request<RequestBody>, _| {
                let come = Arc::clone(&come);
                async move {
                    let is_refused = request.extensions().get::<Overloaded>().is_some();
                    while !come.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    if !is_refused {
                        thread::sleep(Duration::from_millis(2));
                    }
                    Response::new(body::full(is_refused.to_string())).into()
                }
            };
            let bounded = ConnectionLimits {
                queueing: Duration::from_millis(queueing),
                ..limits()
            };
            let server = started(handler, bounded);
            let all: Vec<_> = (0..800).map(|_| asking(server.address)).collect();
            have_come.store(true, Ordering::SeqCst);
            let answers: Vec<_> = all.into_iter().map(answer).collect();
            let refused = answers.iter().filter(|answer| *answer == "true").count();
            assert_eq!(refused > 0, may_refuse, "{refused}");
            assert!(refused < 800, "{refused}");
            // It ends with the queue.
            assert!((0..10_000).any(|_| ask(server.address) == "false"));
            server.stop.send_replace(true);
            server.own.block_on(server.serving).unwrap();
        }
    }
}
