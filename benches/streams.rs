//! Two thousand streams at once, each paced at one token a second: what a stream costs while it lasts.
//!
//! `cargo bench --bench streams`; with `-- --quick` fewer, in a few seconds. Every token carries the time at which the
//! upstream sent it, so that its delay can be told, and compared with a direct call and with nginx, where that is
//! installed, in the same run. All streams must bring all tokens and end well.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that goes wrong should stop"
)]

mod program;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};

use self::program::{Program, in_thread};

#[derive(Clone, Copy)]
struct Size {
    streams: usize,
    tokens: usize,
    rounds: usize,
}

const FULL: Size = Size {
    streams: 2000,
    tokens: 16,
    rounds: 3,
};
const QUICK: Size = Size {
    streams: 200,
    tokens: 6,
    rounds: 1,
};
/// All streams have begun by then, and none has ended until as long before the last token.
const RAMP: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_secs(1);

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let size = if is_quick { QUICK } else { FULL };
    let upstream = in_thread(move |bound| serve(bound, size.tokens));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(size, upstream));
}

async fn measure(size: Size, upstream: SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let backstop = Program::backstop(folder.path(), upstream).await;
    let nginx = Program::nginx(folder.path(), upstream).await;
    println!(
        "{} streams, {} tokens each, one a second\n\n                 delay of a token: median       p99   processor time a token   memory a stream",
        size.streams, size.tokens
    );
    for _ in 0..size.rounds {
        let direct = play(size, upstream, None).await;
        tell("direct", &direct, None);
        let ours = play(size, backstop.address, Some(&backstop)).await;
        tell("backstop", &ours, Some(&direct));
        if let Some(nginx) = &nginx {
            let theirs = play(size, nginx.address, Some(nginx)).await;
            tell("nginx", &theirs, Some(&direct));
            println!(
                "  backstop / nginx: processor time {:.2}",
                ours.processor_time / theirs.processor_time
            );
        }
    }
}

/// What one round showed.
struct Round {
    /// Sorted.
    delays: Vec<Duration>,
    /// Microseconds a token.
    processor_time: f64,
    /// KiB a stream.
    memory: f64,
}

fn tell(name: &str, round: &Round, direct: Option<&Round>) {
    let at = |round: &Round, share: usize| round.delays[round.delays.len() * share / 100];
    let added = direct.map_or_else(String::new, |direct| {
        let added = at(round, 50).saturating_sub(at(direct, 50));
        format!("   (added {:.0} µs)", micros(added))
    });
    println!(
        "  {name:<24} {:>12.0} µs {:>9.0} µs {:>18.1} µs {:>12.1} KiB{added}",
        micros(at(round, 50)),
        micros(at(round, 99)),
        round.processor_time,
        round.memory
    );
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Opens all streams, and measures while all of them are open.
async fn play(size: Size, address: SocketAddr, program: Option<&Program>) -> Round {
    let idle = program.map_or(0, Program::resident_kib);
    let is_measuring = Arc::new(AtomicBool::new(false));
    let tokens = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..size.streams {
        let (is_measuring, tokens) = (Arc::clone(&is_measuring), Arc::clone(&tokens));
        let begin = start + RAMP * number as u32 / size.streams as u32;
        tasks.spawn(async move {
            sleep_until(begin).await;
            read_stream(address, size.tokens, &is_measuring, &tokens).await
        });
    }
    sleep_until(start + RAMP + PACE).await;
    let time = || program.map_or(Duration::ZERO, Program::processor_time);
    let (time_before, tokens_before) = (time(), tokens.load(Ordering::Relaxed));
    is_measuring.store(true, Ordering::Relaxed);
    sleep(PACE * (size.tokens as u32 - 4)).await;
    is_measuring.store(false, Ordering::Relaxed);
    let passed = tokens.load(Ordering::Relaxed) - tokens_before;
    let processor_time = micros(time() - time_before) / passed as f64;
    let memory = program
        .map_or(0, Program::resident_kib)
        .saturating_sub(idle);
    let mut delays = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        delays.extend(ended.unwrap());
    }
    delays.sort_unstable();
    Round {
        delays,
        processor_time,
        memory: memory as f64 / size.streams as f64,
    }
}

/// Reads one stream to its end; says how long its tokens took while that was measured.
async fn read_stream(
    address: SocketAddr,
    expected: usize,
    is_measuring: &AtomicBool,
    tokens: &AtomicUsize,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::with_capacity(1024, stream).lines();
    let (mut seen, mut delays) = (0, Vec::new());
    while let Some(line) = lines.next_line().await.unwrap() {
        if line == "data: [DONE]" {
            assert_eq!(seen, expected, "tokens were lost");
            return delays;
        }
        if let Some((_, sent)) = line.split_once("\"content\":\"") {
            let now = clock();
            let sent: u64 = sent.split('"').next().unwrap().parse().unwrap();
            seen += 1;
            tokens.fetch_add(1, Ordering::Relaxed);
            if is_measuring.load(Ordering::Relaxed) {
                delays.push(Duration::from_nanos(now.saturating_sub(sent)));
            }
        }
    }
    panic!("a stream ended without its end");
}

/// Nanoseconds since the first look.
fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// A provider that sends one token a second.
async fn serve(bound: std::sync::mpsc::Sender<SocketAddr>, tokens: usize) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener: TcpListener = socket.listen(4096).unwrap();
    bound.send(listener.local_addr().unwrap()).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(answer(stream, tokens));
    }
}

/// Answers requests on one connection until it is closed.
async fn answer(mut stream: TcpStream, tokens: usize) {
    let mut buffer = vec![0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        let mut next = Instant::now();
        for _ in 0..tokens {
            sleep_until(next).await;
            next += PACE;
            let event = format!(
                "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\
                 \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}},\"finish_reason\":null}}]}}\n\n",
                clock()
            );
            if stream.write_all(chunk(&event).as_bytes()).await.is_err() {
                return;
            }
        }
        let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        if stream
            .write_all(format!("{}0\r\n\r\n", chunk(end)).as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}
