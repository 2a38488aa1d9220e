//! Providers with moods: they answer, fail, dawdle, break off, and are gone for a while.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::board::{Board, Kind};
use crate::dialect::Dialect;
use crate::wish::Wish;

/// How an upstream feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Every request gets this status.
    Fails(u16),
    /// Answers begin late, but in time.
    Slow,
    /// Answers begin too late.
    Hangs,
    /// Answers break off in the middle.
    Breaks,
    /// Its place is taken by a page of HTML.
    Html,
    /// Nobody listens.
    Down,
}

/// One provider.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) mood: watch::Sender<Mood>,
}

impl Upstream {
    /// Starts it, well.
    pub(crate) async fn start(name: &'static str, board: &Arc<Board>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, moods) = watch::channel(Mood::Well);
        let board = Arc::clone(board);
        tokio::spawn(serve(listener, moods, Provider { name, board }));
        Self {
            name,
            address,
            mood,
        }
    }
}

#[derive(Clone)]
struct Provider {
    name: &'static str,
    board: Arc<Board>,
}

async fn serve(first: TcpListener, mut moods: watch::Receiver<Mood>, provider: Provider) {
    let address = first.local_addr().unwrap();
    let mut listener = Some(first);
    loop {
        let open = match listener.take() {
            Some(open) => open,
            None => TcpListener::bind(address).await.unwrap(),
        };
        // Dropping them closes all.
        let mut connections = JoinSet::new();
        let for_connections = moods.clone();
        loop {
            tokio::select! {
                accepted = open.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    connections.spawn(connection(stream, for_connections.clone(), provider.clone()));
                }
                Some(_) = connections.join_next() => {}
                down = moods.wait_for(|mood| *mood == Mood::Down) => {
                    if down.is_err() { return }
                    break;
                }
            }
        }
        drop((open, connections));
        if moods.wait_for(|mood| *mood != Mood::Down).await.is_err() {
            return;
        }
    }
}

async fn connection(stream: TcpStream, moods: watch::Receiver<Mood>, provider: Provider) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (mood, provider) = (*moods.borrow(), provider.clone());
        async move { Ok::<_, Infallible>(answer(request, mood, &provider).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

type AnswerBody = BoxBody<Bytes, io::Error>;

async fn answer(
    request: Request<Incoming>,
    mood: Mood,
    provider: &Provider,
) -> Response<AnswerBody> {
    let dialect = Dialect::of(request.uri().path());
    let Ok(body) = request.into_body().collect().await else {
        return failure(400, "broken");
    };
    let body = body.to_bytes();
    let (Some(dialect), Some(wish)) = (dialect, Wish::find(&body)) else {
        return failure(404, "no such thing");
    };
    provider.board.received(provider.name);
    match mood {
        Mood::Fails(status) => return failure(status, "the upstream is in a bad mood"),
        // What is forwarded to an unknown path may be a page.
        Mood::Html if dialect == Dialect::Transcription => return failure(502, "no page"),
        Mood::Html => {
            let page = Response::builder().header("content-type", "text/html");
            return page.body(full("<html>sign in</html>")).unwrap();
        }
        Mood::Slow => sleep(Duration::from_millis(fastrand::u64(100..600))).await,
        Mood::Hangs => sleep(Duration::from_secs(8)).await,
        Mood::Well | Mood::Breaks | Mood::Down => {}
    }
    if wish.kind == Kind::LeavesEarly {
        provider.board.stalls(wish.number);
        // Until the connection is closed, with which this ends.
        sleep(Duration::from_secs(60)).await;
    }
    if memchr::memmem::find(&body, b"\"stream\":true").is_some() {
        return streamed(dialect, wish, mood, provider.clone());
    }
    if mood == Mood::Breaks {
        let (sender, receiver) = mpsc::channel(2);
        let whole = dialect.whole(&wish);
        let half = Bytes::copy_from_slice(&whole.as_bytes()[..whole.len() / 2]);
        let _ = sender.try_send(Ok(half));
        let _ = sender.try_send(Err(io::ErrorKind::BrokenPipe.into()));
        return with(receiver, "application/json");
    }
    provider.board.answered(wish.number);
    let json = Response::builder().header("content-type", "application/json");
    json.body(full(dialect.whole(&wish))).unwrap()
}

fn streamed(dialect: Dialect, wish: Wish, mood: Mood, provider: Provider) -> Response<AnswerBody> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let events = dialect.events(&wish);
        let half = events.len() / 2;
        for (index, event) in events.into_iter().enumerate() {
            if index == half && mood == Mood::Breaks {
                let _ = sender.send(Err(io::ErrorKind::BrokenPipe.into())).await;
                return;
            }
            if index == half && wish.kind == Kind::LeavesHalfway {
                provider.board.stalls(wish.number);
                sender.closed().await;
                return;
            }
            // Some come one by one, some at once.
            if wish.number.is_multiple_of(3) {
                sleep(Duration::from_millis(2)).await;
            }
            if sender.send(Ok(Bytes::from(event))).await.is_err() {
                return;
            }
        }
        provider.board.answered(wish.number);
    });
    with(receiver, "text/event-stream")
}

fn failure(status: u16, message: &str) -> Response<AnswerBody> {
    let error =
        serde_json::json!({"type": "error", "error": {"type": "api_error", "message": message}});
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("retry-after", "1");
    response.body(full(error.to_string())).unwrap()
}

fn full(text: impl Into<Bytes>) -> AnswerBody {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed()
}

fn with(receiver: mpsc::Receiver<io::Result<Bytes>>, content_type: &str) -> Response<AnswerBody> {
    let response = Response::builder().header("content-type", content_type);
    response.body(Frames(receiver).boxed()).unwrap()
}

/// The frames of an answer, as they are sent.
struct Frames(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = self.0.poll_recv(context);
        polled.map(|frame| frame.map(|bytes| bytes.map(Frame::data)))
    }
}
