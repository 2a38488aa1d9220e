//! The connections to one upstream: which one a request goes over, and how long they are kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::runtime::{Handle, Id};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::connector::{Connector, PING, Purpose, too_late};
use super::line::{ConnectError, Line, Wire};
use super::renewal::Renewal;
use super::single::Single;
use crate::wire::alarm::within;
use crate::wire::bell::Bell;
use crate::wire::upload::Upload;

/// How many requests are enough for one HTTP/2 connection. A server usually takes 100 at a time, and hardly ever fewer
/// (RFC 9113, section 6.5.2, recommends that); further ones would wait in the connection unseen, as if the upstream did
/// not answer. The rest up to 100 is left for requests that have ended here, but not yet at the server.
const ENOUGH: usize = 90;
/// Enough HTTP/2 connections for the default limit of concurrent requests.
const MOST_SHARED: usize = 24;
/// How many connections that may turn out to be HTTP/2 are opened at a time: the first one may do for all who wait.
const OPENING: usize = 4;
/// Idle connections are closed before providers and proxies usually close them, so that a request seldom gets a
/// connection that is closing.
const IDLE: Duration = Duration::from_secs(30);
/// How many idle HTTP/1.1 connections are kept. Each costs a file descriptor here and there, and some memory.
const MOST_IDLE: usize = 512;

/// How requests are put on a connection.
pub(super) enum Sender {
    Http1(Box<Single>),
    Http2(http2::SendRequest<Upload>),
}

/// A connection that has been chosen for a request.
pub(super) struct Chosen {
    pub(super) sender: Sender,
    pub(super) line: Arc<Line>,
    /// When it was chosen.
    pub(super) at: Instant,
}

impl Chosen {
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Whether the upstream may refuse a request because it is about to close the connection.
    pub(super) fn may_be_closing(&self) -> bool {
        self.is_http2() || self.line.has_answered()
    }
}

/// The connections to one upstream.
pub(super) struct Pool {
    pub(super) connector: Connector,
    kept: Mutex<Kept>,
    opening: Semaphore,
    /// Whether the next connection may be one that many requests share.
    may_share: AtomicBool,
    /// Rings when something happens on an idle HTTP/1.1 connection: it cannot be used any more.
    bell: Arc<Bell>,
    waker: Waker,
}

#[derive(Default)]
struct Kept {
    /// HTTP/1.1 connections without a request, the last used one at the end.
    single: Vec<Idle<Box<Single>>>,
    /// HTTP/2 connections.
    shared: Vec<Idle<http2::SendRequest<Upload>>>,
    renewal: Renewal,
    is_swept: bool,
}

struct Idle<S> {
    sender: S,
    line: Arc<Line>,
    used: Instant,
}

impl Pool {
    pub(super) fn new(connector: Connector) -> Self {
        let bell = Bell::new();
        Self {
            may_share: AtomicBool::new(connector.is_secure()),
            connector,
            kept: Mutex::default(),
            opening: Semaphore::new(OPENING),
            waker: Arc::clone(&bell).into(),
            bell,
        }
    }

    /// A connection for a request: one that is there, else a new one.
    pub(super) async fn choose(self: &Arc<Self>) -> Result<Chosen, ConnectError> {
        match self.kept() {
            Some(chosen) => Ok(chosen),
            // Boxed, because opening takes a lot of room, which every request would carry around.
            None => Box::pin(self.open_or_share()).await,
        }
    }

    async fn open_or_share(self: &Arc<Self>) -> Result<Chosen, ConnectError> {
        let until = self.connector.until();
        if !self.may_share.load(Ordering::Relaxed) {
            return self.open(until).await;
        }
        // It is never closed.
        let permit = within(until, self.opening.acquire()).await;
        let permit = permit.ok_or_else(too_late)?;
        if let Some(chosen) = self.kept() {
            return Ok(chosen);
        }
        if !self.may_share.load(Ordering::Relaxed) {
            drop(permit);
        }
        let chosen = self.open(until).await?;
        self.share(&chosen);
        Ok(chosen)
    }

    /// A new connection, which has to be there at that time. One for HTTP/2 is not shared until `share`.
    pub(super) async fn open(self: &Arc<Self>, until: Instant) -> Result<Chosen, ConnectError> {
        let line = Arc::new(Line::new(self.lock().renewal.generation()));
        let (wire, is_http2) = self
            .connector
            .open(Arc::clone(&line), Purpose::Requests, until)
            .await?;
        self.may_share.store(is_http2, Ordering::Relaxed);
        let sender = match is_http2 {
            true => Sender::Http2(self.http2(wire, &line).await?),
            false => Sender::Http1(Single::open(wire).await?),
        };
        let at = Instant::now();
        Ok(Chosen { sender, line, at })
    }

    async fn http2(
        self: &Arc<Self>,
        wire: Wire,
        line: &Arc<Line>,
    ) -> hyper::Result<http2::SendRequest<Upload>> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .adaptive_window(true)
            .handshake(TokioIo::new(wire))
            .await?;
        let (pool, line) = (Arc::downgrade(self), Arc::clone(line));
        tokio::spawn(async move {
            drop(connection.await);
            // Its channel holds on to a request that was put into it at this very moment, until its last sender goes.
            if let Some(pool) = pool.upgrade() {
                pool.retire(&line);
            }
        });
        Ok(sender)
    }

    /// Lets others use a new HTTP/2 connection.
    pub(super) fn share(self: &Arc<Self>, chosen: &Chosen) {
        if let Sender::Http2(sender) = &chosen.sender {
            let idle = Idle::new(sender.clone(), Arc::clone(&chosen.line), Instant::now());
            let mut kept = self.lock();
            if !sender.is_closed() {
                kept.shared.push(idle);
                self.sweep_later(&mut kept);
            }
        }
    }

    /// Keeps an HTTP/1.1 connection whose reply is complete, if the request is as well.
    pub(super) fn keep(self: &Arc<Self>, mut single: Box<Single>, line: Arc<Line>) {
        single.wakes(&self.waker);
        // Closed after the lock is released.
        let mut oldest = None;
        let now = Instant::now();
        let mut kept = self.lock();
        if single.is_idle() && kept.renewal.allows(&line, now) {
            if kept.single.len() == MOST_IDLE {
                oldest = Some(kept.single.remove(0));
            }
            kept.single.push(Idle::new(single, line, now));
            self.sweep_later(&mut kept);
        }
        drop(kept);
        close(oldest);
    }

    /// Takes a connection out, so that it gets no more requests.
    pub(super) fn retire(&self, line: &Arc<Line>) {
        let mut kept = self.lock();
        kept.shared.retain(|idle| !Arc::ptr_eq(&idle.line, line));
    }

    /// After a failure, further requests go over new connections. Running ones go on.
    pub(super) fn renew(&self) {
        let mut kept = self.lock();
        let now = Instant::now();
        kept.renewal.begin(now);
        let over = kept.sweep(now);
        drop(kept);
        close(over);
    }

    /// A connection that is there.
    fn kept(&self) -> Option<Chosen> {
        let mut over = Vec::new();
        let chosen = self.lock().choose(&mut over);
        close(over);
        chosen
    }

    /// Closes what has been idle for too long, for as long as anything is kept.
    fn sweep_later(self: &Arc<Self>, kept: &mut Kept) {
        if !kept.is_swept {
            kept.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self), Arc::clone(&self.bell)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: Weak<Pool>, bell: Arc<Bell>) {
    loop {
        let _ = timeout(IDLE / 3, bell.rung()).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut kept = pool.lock();
        let over = kept.sweep(Instant::now());
        let is_empty = kept.single.is_empty() && kept.shared.is_empty();
        kept.is_swept = !is_empty;
        drop(kept);
        close(over);
        if is_empty {
            return;
        }
    }
}

/// Idle connections end without a failure.
fn close(over: impl IntoIterator<Item = Idle<Box<Single>>>) {
    for idle in over {
        idle.sender.close();
    }
}

impl Kept {
    /// A connection for a request. `over`: what is found that is not to be used any more.
    fn choose(&mut self, over: &mut Vec<Idle<Box<Single>>>) -> Option<Chosen> {
        let (now, here) = (Instant::now(), Handle::current().id());
        while let Some(mut idle) = self.take_single(here) {
            let may_be_used = now < idle.used + IDLE && self.renewal.allows(&idle.line, now);
            if may_be_used && idle.sender.is_idle() {
                let sender = Sender::Http1(idle.sender);
                let line = idle.line;
                let at = now;
                return Some(Chosen { sender, line, at });
            }
            over.push(idle);
        }
        let index = self.shared_place(here, now)?;
        let idle = &mut self.shared[index];
        idle.used = now;
        Some(Chosen {
            sender: Sender::Http2(idle.sender.clone()),
            line: Arc::clone(&idle.line),
            at: now,
        })
    }

    /// Where an HTTP/2 connection for a request stands: one of its runtime before one of another, and a full one if there are
    /// enough of them.
    fn shared_place(&mut self, here: Id, now: Instant) -> Option<usize> {
        let Self {
            shared, renewal, ..
        } = self;
        shared.retain(|idle| !idle.sender.is_closed() && renewal.allows(&idle.line, now));
        let has_room = |idle: &&Idle<_>| idle.line.load() < ENOUGH;
        let free = shared.iter().enumerate().filter(|(_, idle)| has_room(idle));
        let free = free.min_by_key(|(_, idle)| idle.line.home != here);
        let is_full = shared.len() >= MOST_SHARED;
        let least = || (0..shared.len()).min_by_key(|&index| shared[index].line.load());
        free.map(|(index, _)| index)
            .or_else(|| is_full.then(least).flatten())
    }

    /// The last used HTTP/1.1 connection of a runtime; of any other, if it has none: to open one takes longer than to be
    /// woken by another thread.
    fn take_single(&mut self, home: Id) -> Option<Idle<Box<Single>>> {
        let is_own = |idle: &Idle<Box<Single>>| idle.line.home == home;
        match self.single.iter().rposition(is_own) {
            Some(index) => Some(self.single.remove(index)),
            None => self.single.pop(),
        }
    }

    /// Takes out what is not to be used any more; returns what is to be closed.
    fn sweep(&mut self, now: Instant) -> Vec<Idle<Box<Single>>> {
        let Self {
            single,
            shared,
            renewal,
            ..
        } = self;
        shared.retain(|idle| {
            let is_idle = idle.line.load() == 0 && now >= idle.used + IDLE;
            !idle.sender.is_closed() && !is_idle && renewal.allows(&idle.line, now)
        });
        let over = single.extract_if(.., |idle| {
            now >= idle.used + IDLE || !renewal.allows(&idle.line, now) || !idle.sender.is_idle()
        });
        over.collect()
    }
}

impl<S> Idle<S> {
    fn new(sender: S, line: Arc<Line>, used: Instant) -> Self {
        Self { sender, line, used }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::BodyExt;
    use tokio::runtime::{Builder, Runtime};
    use tokio::time::sleep;

    use super::{Connector, OPENING, Pool};
    use crate::upstream::network::client::Client;
    use crate::upstream::network::pooled_body::PooledBody;
    use crate::wire::tls;
    use crate::wire::upload::Upload;

    fn runtime() -> Runtime {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    }

    /// An upstream that answers with the number of the connection.
    fn upstream() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = |mut stream: TcpStream, number: usize| {
            let mut head = Vec::new();
            let mut byte = [0];
            while matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
                if head.ends_with(b"\r\n\r\n") {
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        };
        thread::spawn(move || {
            for number in 1..=2 {
                let (stream, _) = listener.accept().unwrap();
                thread::spawn(move || answer(stream, number));
            }
        });
        address
    }

    #[test]
    fn a_runtime_takes_its_own_connections_before_those_of_others() {
        let (here, there) = (runtime(), runtime());
        let url = format!("http://{}", upstream());
        let tls = tls::unused().unwrap();
        let connector = Connector::to(url.parse().unwrap(), tls, Duration::from_secs(60));
        let client = Client::new(connector);
        let ask = async |client: Client| {
            let request = Request::get(&url).body(Upload::from(Bytes::new())).unwrap();
            client.request(request, true).await.unwrap()
        };
        let read = async |reply: Response<PooledBody>| {
            reply.into_body().collect().await.unwrap().to_bytes()
        };
        let own = here.block_on(ask(client.clone()));
        let other = there.block_on(ask(client.clone()));
        assert_eq!(here.block_on(read(own)), "1");
        // The last one that was used.
        assert_eq!(there.block_on(read(other)), "2");
        let first = here.block_on(ask(client.clone()));
        let second = here.block_on(ask(client.clone()));
        assert_eq!(here.block_on(read(second)), "2", "there is no other");
        assert_eq!(here.block_on(read(first)), "1");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_missing_in_time_is_named_however_long_it_waited_for_its_turn() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", silent.local_addr().unwrap());
        let tls = tls::unused().unwrap();
        let connector = Connector::to(url.parse().unwrap(), tls, Duration::from_secs(10));
        let pool = Arc::new(Pool::new(connector));
        let others = pool.opening.acquire_many(OPENING as u32).await.unwrap();
        let opened = async {
            sleep(Duration::from_secs(5)).await;
            drop(others);
        };
        let (chosen, ()) = tokio::join!(pool.choose(), opened);
        let error = chosen.err().unwrap().to_string();
        assert!(error.contains("no TLS handshake in time"), "{error}");
    }
}
