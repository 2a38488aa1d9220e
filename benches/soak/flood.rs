//! More requests than the program can handle: `-- --overload` measures what becomes of them.
//!
//! First a program that refuses nobody is asked by as many clients as it takes to find its capacity. Then one with a bounded
//! queue is asked by few clients, by a generator that sends five times as many requests a second whatever the answers are (an
//! open loop), by clients that ask again at once after a refusal, and by few again. The program has the first processor for itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::program::Program;

/// How long the upstream takes to answer.
const UPSTREAM: Duration = Duration::from_millis(20);
/// As many connections as the generator may open.
const CONNECTIONS: usize = 4000;
const FEW: usize = 4;
const MANY: usize = 256;
/// So many clients that ask again at once, whatever they are told.
const IMPATIENT: usize = 400;

/// What became of the requests of a while.
#[derive(Debug, Default)]
struct Round {
    /// How long the answers took, and the refusals.
    answered: Vec<Duration>,
    refused: Vec<Duration>,
    failed: u64,
    /// Requests for which the generator had no connection left.
    unsent: u64,
    length: Duration,
}

impl Round {
    fn add(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.refused.extend(other.refused);
        self.failed += other.failed;
        self.unsent += other.unsent;
    }

    fn note(&mut self, answer: Option<u16>, took: Duration) {
        match answer {
            Some(200) => self.answered.push(took),
            Some(503) => self.refused.push(took),
            Some(_) | None => self.failed += 1,
        }
    }

    fn row(&mut self, name: &str) -> String {
        self.answered.sort_unstable();
        self.refused.sort_unstable();
        let seconds = self.length.as_secs_f64();
        format!(
            "| {name} | {:.0} | {:.1} | {:.1} | {:.0} | {:.1} | {:.1} | {} | {} |",
            self.answered.len() as f64 / seconds,
            millis(&self.answered, 50),
            millis(&self.answered, 99),
            self.refused.len() as f64 / seconds,
            millis(&self.refused, 50),
            millis(&self.refused, 99),
            self.failed,
            self.unsent
        )
    }
}

fn millis(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |took| took.as_secs_f64() * 1e3)
}

/// Floods for so long; the report, and whether the rules are kept.
pub(crate) async fn flood(executable: &Path, length: Duration, words: usize) -> (String, bool) {
    let upstream = serve().await;
    let folder = tempfile::tempdir().unwrap();
    let yaml = |queueing: &str| {
        format!(
            "check_models: false\nlimits: {{connections: 20000, requests: 20000, queueing: {queueing}}}\n\
             upstreams: {{one: {{provider: openai-compatible, base_url: \"http://{upstream}/v1\", api_key: key}}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: one}}]}}]\n"
        )
    };
    let request: Arc<[u8]> = request(words).into();
    let second = Duration::from_secs(1);
    let program = Program::start_apart(executable, folder.path(), &yaml("0s")).await;
    closed(program.address, &request, MANY, second * 2).await;
    let mut busy = closed(program.address, &request, MANY, second * 5).await;
    drop(program);
    let capacity = busy.answered.len() as f64 / busy.length.as_secs_f64();
    let program = Program::start_apart(executable, folder.path(), &yaml("5ms")).await;
    let address = program.address;
    closed(address, &request, FEW, second * 2).await;
    let mut calm = closed(address, &request, FEW, second * 5).await;
    let before = program.processor_time();
    let mut flooded = open(address, &request, capacity * 5.0, length).await;
    let processor =
        (program.processor_time() - before).as_secs_f64() / flooded.length.as_secs_f64();
    let mut impatient = closed(address, &request, IMPATIENT, second * 5).await;
    sleep(second * 2).await;
    let mut after = closed(address, &request, FEW, second * 5).await;
    let mut text = String::from(
        "| | answered/s | median ms | p99 ms | refused/s | median ms | p99 ms | failed | unsent |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (name, round) in [
        ("capacity", &mut busy),
        ("few clients", &mut calm),
        ("five times capacity", &mut flooded),
        ("clients that never wait", &mut impatient),
        ("2 s later", &mut after),
    ] {
        text += &(round.row(name) + "\n");
    }
    text += &format!("\nIn the flood the program took {processor:.2} processors.\n");
    let is_kept = millis(&flooded.answered, 99)
        <= 2.0 * millis(&calm.answered, 99).max(UPSTREAM.as_secs_f64() * 1e3)
        && millis(&flooded.refused, 99) <= 50.0
        && after.refused.is_empty()
        && flooded.failed + impatient.failed + after.failed == 0
        && !flooded.answered.is_empty();
    (text, is_kept)
}

/// A conversation of so many words in the API of Messages, which the upstream does not speak: to translate it takes the program
/// longer than it takes the generator to send it, on a processor of the same kind.
fn request(words: usize) -> Vec<u8> {
    let turn = |number: usize| {
        let role = if number.is_multiple_of(2) {
            "user"
        } else {
            "assistant"
        };
        serde_json::json!({"role": role, "content": [{"type": "text", "text": "word ".repeat(10)}]})
    };
    // It ends with the user's turn.
    let turns: Vec<_> = (0..=words / 20 * 2).map(turn).collect();
    let body = serde_json::json!({"model": "m", "max_tokens": 9, "messages": turns}).to_string();
    format!(
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// So many clients, each of which asks again as soon as it has its answer.
async fn closed(
    address: SocketAddr,
    request: &Arc<[u8]>,
    clients: usize,
    length: Duration,
) -> Round {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let request = Arc::clone(request);
        tasks.spawn(async move {
            let mut round = Round::default();
            let mut stream = None;
            while start.elapsed() < length {
                let sent = Instant::now();
                let answer = ask(address, &mut stream, &request).await;
                round.note(answer, sent.elapsed());
            }
            round
        });
    }
    let mut all = Round::default();
    while let Some(round) = tasks.join_next().await {
        all.add(round.unwrap());
    }
    all.length = start.elapsed();
    all
}

/// So many requests a second, whatever becomes of them, over whatever connection is free.
async fn open(address: SocketAddr, request: &Arc<[u8]>, rate: f64, length: Duration) -> Round {
    let start = Instant::now();
    let free: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let open = Arc::new(AtomicU64::new(0));
    let all = Arc::new(Mutex::new(Round::default()));
    let mut sent = 0_u64;
    let mut tasks = JoinSet::new();
    while start.elapsed() < length {
        let due = (start.elapsed().as_secs_f64() * rate) as u64;
        while sent < due {
            // The time at which it should be sent counts, not the one at which it is.
            let planned = start + Duration::from_secs_f64(sent as f64 / rate);
            sent += 1;
            if open.load(Ordering::Relaxed) >= CONNECTIONS as u64 {
                all.lock().await.unsent += 1;
                continue;
            }
            open.fetch_add(1, Ordering::Relaxed);
            let (request, free, open, all) = (
                Arc::clone(request),
                Arc::clone(&free),
                Arc::clone(&open),
                Arc::clone(&all),
            );
            tasks.spawn(async move {
                let mut stream = free.lock().await.pop();
                let answer = ask(address, &mut stream, &request).await;
                all.lock().await.note(answer, planned.elapsed());
                free.lock().await.extend(stream);
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
        while tasks.try_join_next().is_some() {}
        sleep(Duration::from_millis(1)).await;
    }
    let taken = start.elapsed();
    while tasks.join_next().await.is_some() {}
    let mut round = std::mem::take(&mut *all.lock().await);
    round.length = taken;
    round
}

/// Asks over this connection, or a new one; the status. The connection is left if it can be used again.
async fn ask(address: SocketAddr, stream: &mut Option<TcpStream>, request: &[u8]) -> Option<u16> {
    let mut open = match stream.take() {
        Some(open) => open,
        None => TcpStream::connect(address).await.ok()?,
    };
    let _ = open.set_nodelay(true);
    open.write_all(request).await.ok()?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        if open.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
        if let Some((status, closes)) = whole(&answer) {
            if !closes {
                *stream = Some(open);
            }
            return Some(status);
        }
    }
}

/// The status, and whether the connection closes, once the answer is whole.
fn whole(answer: &[u8]) -> Option<(u16, bool)> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let length: usize = field("content-length: ")?.parse().ok()?;
    let closes = field("connection: ") == Some("close");
    (answer.len() >= end + length).then_some((head[9..12].parse().ok()?, closes))
}

/// A provider that answers everybody after the same time, on a thread of its own.
async fn serve() -> SocketAddr {
    let (sender, address) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
    address.await.unwrap()
}

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#;

async fn answer(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let mut request = Vec::with_capacity(2048);
    while stream
        .read_buf(&mut request)
        .await
        .is_ok_and(|read| read > 0)
    {
        let Some(end) = memchr::memmem::find(&request, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if request.len() < end + 4 + length {
            continue;
        }
        request.clear();
        sleep_until(Instant::now() + UPSTREAM).await;
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
