//! Ten thousand streams at once: `-- --streams 10000` opens them, and says what they take and what they leave.
//!
//! Three quarters come over HTTP/1.1, the others over HTTP/2. All get an event now and then, as from a model that thinks. In the
//! middle, some clients do not read what is sent to them, and others send and get large bodies. Nobody may fail.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::program::Program;
use crate::provider::{EVENT, LARGE, LAST, LONG, Order, Provider};

/// How many streams one HTTP/2 connection carries.
const SHARED: usize = 100;
/// How many streams are opened at a time. What a request takes until its answer begins is no part of an open stream; of many at
/// once it would be counted with them, because it stays between them.
const AT_A_TIME: usize = 20;
/// How many events everybody gets.
const ROUNDS: u64 = 5;
/// How many clients do not read, and how many send large bodies.
const FEW: usize = 50;
/// The longest time for anything that all do together.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long after the last stream the memory is read again.
const SETTLES: Duration = Duration::from_secs(60);
/// How much memory a stream may take while it is open, and how much of it may be left after all of them, in KiB.
const MOST: (u64, u64) = (36, 4);

/// What all clients count together.
#[derive(Debug, Default)]
struct Counts {
    events: AtomicU64,
    ended: AtomicU64,
}

impl Counts {
    fn saw(&self, bytes: &[u8]) {
        let events = memchr::memchr_iter(EVENT, bytes).count();
        self.events.fetch_add(events as u64, Ordering::Relaxed);
        if memchr::memchr(LAST, bytes).is_some() {
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Waits until so many events have come; how long that took.
    async fn reach(&self, events: u64) -> Duration {
        let start = Instant::now();
        while self.events() < events && start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5)).await;
        }
        start.elapsed()
    }
}

/// The report, and whether the rules are kept.
pub(crate) async fn throng(executable: &Path, streams: usize) -> (String, bool) {
    let provider = Provider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "check_models: false\nlimits: {{connections: 20000, requests: 20000, queueing: 0s}}\n\
         upstreams: {{one: {{provider: openai-compatible, base_url: \"http://{}/v1\", api_key: key}}}}\n\
         routes: [{{models: [\"*\"], candidates: [{{upstream: one}}]}}]\n",
        provider.address
    );
    let program = Program::start(executable, folder.path(), &yaml).await;
    // What the first stream of all takes is the program's: pages of its code.
    let first = open(program.address, 1, &Arc::default()).await;
    sleep(Duration::from_secs(1)).await;
    drop(first);
    sleep(Duration::from_secs(1)).await;
    let [idle, ..] = program.taken();
    let counts = Arc::new(Counts::default());
    let start = Instant::now();
    let mut clients = open(program.address, streams, &counts).await;
    let all = streams as u64;
    counts.reach(all).await;
    let (opened, opening) = (counts.events(), start.elapsed());
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        provider.beat();
        slowest = slowest.max(counts.reach(all * (round + 2)).await);
    }
    let [open, descriptors, _] = program.taken();
    let (large, peak) = large(&program).await;
    provider.beat();
    slowest = slowest.max(counts.reach(all * (ROUNDS + 2)).await);
    provider.end();
    let mut failed = 0;
    while let Some(ended) = clients.join_next().await {
        failed += u64::from(!ended.unwrap());
    }
    let (events, ended) = (counts.events(), counts.ended.load(Ordering::Relaxed));
    sleep(SETTLES).await;
    let [after, ..] = program.taken();
    let each = open.saturating_sub(idle) as f64 / streams as f64;
    let text = format!(
        "| | |\n|---|---:|\n| streams open at once | {opened} of {all}, within {opening:.1?} |\n\
         | file descriptors | {descriptors} |\n\
         | memory before | {idle} KiB |\n| memory, all open | {open} KiB: {each:.1} KiB each |\n\
         | with {FEW} who read nothing and {FEW} large bodies each way | {peak} KiB |\n\
         | memory {} s after all | {after} KiB |\n\
         | the slowest event for all | {slowest:.1?} |\n\
         | events that came | {events} of {} |\n| streams that ended well | {ended} of {all}; {failed} clients failed |\n\
         | large bodies and slow readers that failed | {large} |\n",
        SETTLES.as_secs(),
        all * (ROUNDS + 2),
    );
    let is_kept = opened == all
        && events == all * (ROUNDS + 2)
        && ended == all
        && failed + large == 0
        && open.saturating_sub(idle) <= MOST.0 * all
        && after.saturating_sub(idle) <= MOST.1 * all;
    (text, is_kept)
}

/// Opens streams, a quarter of them over HTTP/2. Each client says at its end whether all went well.
async fn open(address: SocketAddr, streams: usize, counts: &Arc<Counts>) -> JoinSet<bool> {
    let mut clients = JoinSet::new();
    let opening = Arc::new(Semaphore::new(AT_A_TIME));
    for _ in 0..streams / 4 / SHARED {
        let (counts, opening) = (Arc::clone(counts), Arc::clone(&opening));
        clients.spawn(async move { shared(address, counts, opening).await.is_some() });
    }
    for _ in 0..streams - streams / 4 / SHARED * SHARED {
        let (counts, opening) = (Arc::clone(counts), Arc::clone(&opening));
        clients.spawn(async move { single(address, counts, opening).await.is_some() });
    }
    clients
}

/// A stream over a connection of its own, to its end; `None`: it failed.
async fn single(address: SocketAddr, counts: Arc<Counts>, opening: Arc<Semaphore>) -> Option<()> {
    let permit = opening.acquire().await.ok()?;
    let mut stream = ask(address, Order::Open, 800).await?;
    let mut buffer = vec![0; 1024];
    let mut permit = Some(permit);
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        let bytes = &buffer[..count];
        counts.saw(bytes);
        if memchr::memchr(EVENT, bytes).is_some() {
            permit = None;
        }
        if count == 0 || memchr::memchr(LAST, bytes).is_some() {
            drop(permit);
            return (count > 0).then_some(());
        }
    }
}

/// As many streams as one HTTP/2 connection carries, to their ends.
async fn shared(address: SocketAddr, counts: Arc<Counts>, opening: Arc<Semaphore>) -> Option<()> {
    let stream = TcpStream::connect(address).await.ok()?;
    let stream = TokioIo::new(stream);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.ok()?;
    tokio::spawn(connection);
    let mut all = JoinSet::new();
    for _ in 0..SHARED {
        let (mut sender, counts) = (sender.clone(), Arc::clone(&counts));
        let opening = Arc::clone(&opening);
        all.spawn(async move {
            let mut permit = opening.acquire().await.ok();
            let request = Request::post(format!("http://{address}/v1/chat/completions"))
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(Order::Open.body(800))));
            let response = sender.send_request(request.ok()?).await.ok()?;
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame.ok()?.into_data() {
                    counts.saw(&data);
                    drop(permit.take());
                }
            }
            Some(())
        });
    }
    let mut ended = all.join_all().await.into_iter();
    ended.all(|ended| ended.is_some()).then_some(())
}

/// Sends a request over a new connection.
async fn ask(address: SocketAddr, order: Order, size: usize) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let body = order.body(size);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()?;
    Some(stream)
}

/// Some clients do not read what is sent to them, while others send and get large bodies; how many of both failed, and how
/// much memory was taken at most.
async fn large(program: &Program) -> (u64, u64) {
    let address = program.address;
    let (go, gone) = watch::channel(false);
    let mut slow = JoinSet::new();
    for _ in 0..FEW {
        let mut gone = gone.clone();
        slow.spawn(async move {
            let mut stream = ask(address, Order::Long, 800).await?;
            gone.wait_for(|is_due| *is_due).await.ok()?;
            (whole(&mut stream).await? >= LONG).then_some(())
        });
    }
    let mut bodies = JoinSet::new();
    for _ in 0..FEW {
        bodies.spawn(async move {
            let mut stream = ask(address, Order::Large, LARGE).await?;
            (whole(&mut stream).await? >= LARGE).then_some(())
        });
    }
    let mut peak = 0;
    let mut failed = 0;
    let start = Instant::now();
    while !bodies.is_empty() && start.elapsed() < PATIENCE {
        peak = peak.max(program.taken()[0]);
        while let Some(ended) = bodies.try_join_next() {
            failed += u64::from(ended.unwrap().is_none());
        }
        sleep(Duration::from_millis(20)).await;
    }
    failed += bodies.len() as u64;
    go.send_replace(true);
    let rest = timeout(PATIENCE, slow.join_all()).await.unwrap_or_default();
    let well = rest.iter().flatten().count();
    (failed + (FEW - well) as u64, peak)
}

/// How many bytes come until the connection ends, of an answer that is none of an error.
async fn whole(stream: &mut TcpStream) -> Option<usize> {
    let mut buffer = vec![0; 64 << 10];
    let (mut length, mut is_well) = (0, false);
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        is_well |= length == 0 && buffer.starts_with(b"HTTP/1.1 200");
        length += count;
        if count == 0 {
            return is_well.then_some(length);
        }
    }
}
