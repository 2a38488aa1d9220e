//! What the proxy costs: latency, processor time and memory, beside a direct call and nginx in the same run.
//!
//! `cargo bench --bench overhead`; with `-- --quick` in a few seconds. Everything runs on loopback, and rounds
//! alternate between the ways, so that whatever disturbs the machine disturbs all alike. nginx is measured where it is
//! installed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that goes wrong should stop"
)]

mod program;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use self::program::{Program, in_thread};

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    rounds: usize,
    requests: usize,
    load: usize,
    streams: usize,
}

const FULL: Size = Size {
    rounds: 10,
    requests: 500,
    load: 160_000,
    streams: 6_000,
};
const QUICK: Size = Size {
    rounds: 3,
    requests: 200,
    load: 4_000,
    streams: 200,
};
const CONNECTIONS: usize = 16;
const EVENTS: usize = 50;

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(if is_quick { QUICK } else { FULL }));
}

async fn measure(size: Size) {
    let upstream = in_thread(serve_upstream);
    let folder = tempfile::tempdir().unwrap();
    let backstop = Program::backstop(folder.path(), upstream).await;
    let nginx = Program::nginx(folder.path(), upstream).await;
    let idle = backstop.resident_kib();

    let mut ways = vec![("direct", upstream), ("backstop", backstop.address)];
    ways.extend(nginx.as_ref().map(|nginx| ("nginx", nginx.address)));
    let latencies = latencies(&ways, size).await;
    println!("\nlatency, one connection        median       p99     added median");
    for (name, sorted) in &latencies {
        let (median, p99) = (sorted[sorted.len() / 2], sorted[sorted.len() * 99 / 100]);
        let added = median.saturating_sub(latencies[0].1[latencies[0].1.len() / 2]);
        println!(
            "  {name:<24} {:>9.1} µs {:>9.1} µs {:>9.1} µs",
            micros(median),
            micros(p99),
            micros(added)
        );
    }

    println!("\nprocessor time                 per request   per streamed event   requests/s");
    let mut programs = vec![("backstop", &backstop)];
    programs.extend(nginx.as_ref().map(|nginx| ("nginx", nginx)));
    let mut costs = Vec::new();
    for (name, program) in programs {
        let (request, rate) = cost(program, size.load, false).await;
        let event = cost(program, size.streams, true).await.0 / EVENTS as f64;
        println!("  {name:<24} {request:>12.1} µs {event:>12.2} µs {rate:>12.0}");
        costs.push((request, event));
    }
    match costs.as_slice() {
        [ours, theirs] => println!(
            "  backstop / nginx         {:>12.2}    {:>12.2}",
            ours.0 / theirs.0,
            ours.1 / theirs.1
        ),
        _ => println!("  nginx is not installed: nothing to compare with"),
    }
    println!(
        "\nmemory                         idle {:.1} MiB, after the load {:.1} MiB",
        idle as f64 / 1024.0,
        backstop.resident_kib() as f64 / 1024.0
    );
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// All latencies of each way, sorted; the ways take turns.
async fn latencies(
    ways: &[(&'static str, SocketAddr)],
    size: Size,
) -> Vec<(&'static str, Vec<Duration>)> {
    let mut results = Vec::new();
    let mut connections = Vec::new();
    for (name, address) in ways {
        let mut connection = connect(*address).await;
        for _ in 0..size.requests {
            ask(&mut connection, false).await;
        }
        connections.push(connection);
        results.push((*name, Vec::with_capacity(size.rounds * size.requests)));
    }
    for _ in 0..size.rounds {
        for (connection, (_, taken)) in connections.iter_mut().zip(&mut results) {
            for _ in 0..size.requests {
                let start = Instant::now();
                ask(connection, false).await;
                taken.push(start.elapsed());
            }
        }
    }
    for (_, taken) in &mut results {
        taken.sort_unstable();
    }
    results
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(connection: &mut SendRequest<Full<Bytes>>, is_streamed: bool) {
    let body = format!(
        "{{\"model\":\"gpt-4o\",\"stream\":{is_streamed},\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "x".repeat(900)
    );
    let request = Request::post("/v1/chat/completions")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    connection.ready().await.unwrap();
    let (head, body) = connection.send_request(request).await.unwrap().into_parts();
    let length = body.collect().await.unwrap().to_bytes().len();
    assert!(head.status.is_success());
    let expected = if is_streamed {
        event().len() * EVENTS + END.len()
    } else {
        ANSWER.len()
    };
    assert_eq!(length, expected);
}

/// Microseconds of processor time for each of so many requests on several connections, and how many were served in a
/// second.
async fn cost(program: &Program, requests: usize, is_streamed: bool) -> (f64, f64) {
    load(program.address, requests / 10, is_streamed).await;
    let (before, start) = (program.processor_time(), Instant::now());
    load(program.address, requests, is_streamed).await;
    let rate = requests as f64 / start.elapsed().as_secs_f64();
    let time = micros(program.processor_time() - before);
    (time / requests as f64, rate)
}

async fn load(address: SocketAddr, requests: usize, is_streamed: bool) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        tasks.spawn(async move {
            let mut connection = connect(address).await;
            for _ in 0..requests / CONNECTIONS {
                ask(&mut connection, is_streamed).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

const ANSWER: &str = concat!(
    r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":"#,
    r#"{"role":"assistant","content":"Sed ut perspiciatis unde omnis iste natus error sit voluptatem accusantium "#,
    r#"doloremque laudantium, totam rem aperiam, eaque ipsa quae ab illo inventore veritatis et quasi architecto "#,
    r#"beatae vitae dicta sunt explicabo. Nemo enim ipsam voluptatem quia voluptas sit aspernatur aut odit aut "#,
    r#"fugit, sed quia consequuntur magni dolores eos qui ratione voluptatem sequi nesciunt.","refusal":null},"#,
    r#""logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":90,"total_tokens":99}}"#
);

fn event() -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}},\"finish_reason\":null}}]}}\n\n",
        "word ".repeat(12)
    )
}

const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// A provider that costs next to nothing, on a thread of its own: the fairest direct call is the quickest.
async fn serve_upstream(bound: std::sync::mpsc::Sender<SocketAddr>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    bound.send(listener.local_addr().unwrap()).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

type AnswerBody = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>) -> Result<Response<AnswerBody>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if memchr::memmem::find(&body, b"\"stream\":true").is_none() {
        let response = Response::builder().header("content-type", "application/json");
        return Ok(response
            .body(Full::new(Bytes::from_static(ANSWER.as_bytes())).boxed())
            .unwrap());
    }
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        let event = Bytes::from(event());
        for _ in 0..EVENTS {
            if sender.send(event.clone()).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = sender.send(Bytes::from_static(END.as_bytes())).await;
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    Ok(response.body(Frames(receiver).boxed()).unwrap())
}

/// The frames of a streamed answer, as they are sent.
struct Frames(tokio::sync::mpsc::Receiver<Bytes>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
