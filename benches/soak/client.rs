//! A client that asks one thing after the other, over one connection while that lasts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::board::{Board, Kind};
use crate::dialect::{BOUNDARY, Dialect, Ending};
use crate::wish::Wish;

/// Nothing more comes after so long a silence: the answer is lost. The whole of it may take longer, where a slow reader has little
/// of the processor.
const LOST: Duration = Duration::from_secs(90);

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    pub(crate) name: &'static str,
    pub(crate) model: &'static str,
    pub(crate) dialect: Dialect,
    pub(crate) streams: bool,
    pub(crate) words: usize,
    /// How many bytes the request has besides.
    pub(crate) history: usize,
    pub(crate) kind: Kind,
    /// Waits for so long before it reads more of an answer.
    pub(crate) reads_every: Duration,
    pub(crate) is_http2: bool,
}

enum Line {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Line {
    async fn open(address: SocketAddr, is_http2: bool) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("no connection: {error}");
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| told(&error))?;
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(stream);
        if is_http2 {
            let made = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, connection) = made.map_err(|error| told(&error))?;
            tokio::spawn(connection);
            return Ok(Self::Two(sender));
        }
        let (sender, connection) = http1::handshake(stream)
            .await
            .map_err(|error| told(&error))?;
        tokio::spawn(connection);
        Ok(Self::One(sender))
    }

    async fn is_ready(&mut self) -> bool {
        match self {
            Self::One(sender) => sender.ready().await.is_ok(),
            Self::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::One(sender) => sender.send_request(request).await,
            Self::Two(sender) => sender.send_request(request).await,
        }
    }
}

/// How a request ended for its client: the status and what became of the answer.
struct End {
    status: u16,
    result: &'static str,
}

/// Asks until it is told to stop. What must not be is put on the board.
pub(crate) async fn run(
    habit: Habit,
    address: SocketAddr,
    board: Arc<Board>,
    stop: tokio::sync::watch::Receiver<bool>,
) {
    let mut line = None;
    while !*stop.borrow() {
        let mut open = match line.take() {
            Some(open) => open,
            None => match Line::open(address, habit.is_http2).await {
                Ok(open) => open,
                Err(why) => {
                    board.wrong(why);
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        if !open.is_ready().await {
            continue;
        }
        let stays = ask(&habit, &mut open, &board).await;
        line = stays.then_some(open);
        sleep(Duration::from_millis(fastrand::u64(20..120))).await;
    }
}

/// Asks once; says whether the connection can be used again.
async fn ask(habit: &Habit, line: &mut Line, board: &Board) -> bool {
    let (number, stalled) = board.open();
    let wish = Wish {
        number,
        words: habit.words,
        kind: habit.kind,
    };
    let asked = async {
        let response = within(line.send(request(habit, &wish))).await?;
        let response = response.map_err(|error| format!("no answer: {error:?}"))?;
        read(habit, &wish, response, board).await
    };
    let ended = tokio::select! {
        ended = asked => ended,
        () = stalled.notified() => {
            // An HTTP/1.1 connection is closed by that, an HTTP/2 stream is reset.
            board.close(number, habit.name, "client_gone");
            return habit.is_http2;
        }
    };
    match ended {
        Ok(End { status, result }) => {
            board.close(number, habit.name, &format!("{status} {result}"));
            true
        }
        Err(why) => {
            board.close(number, habit.name, "lost");
            board.wrong(format!("request {number} ({}): {why}", habit.name));
            false
        }
    }
}

/// What a step comes to, unless it takes too long.
async fn within<T>(step: impl Future<Output = T>) -> Result<T, String> {
    let done = timeout(LOST, step).await;
    done.map_err(|_| "no end".to_owned())
}

fn request(habit: &Habit, wish: &Wish) -> Request<Full<Bytes>> {
    let body = habit
        .dialect
        .request(habit.model, wish, habit.streams, habit.history);
    let content_type = match habit.dialect {
        Dialect::Transcription => format!("multipart/form-data; boundary={BOUNDARY}"),
        Dialect::Chat | Dialect::Messages | Dialect::Responses => "application/json".to_owned(),
    };
    let path = habit.dialect.path();
    let mut request = Request::post(path).header("content-type", content_type);
    if habit.is_http2 {
        request = request.uri(format!("http://localhost{path}"));
    } else {
        request = request.header("host", "localhost");
    }
    request.body(Full::new(Bytes::from(body))).unwrap()
}

/// Reads the answer to its end, and compares it with the right one.
async fn read(
    habit: &Habit,
    wish: &Wish,
    response: Response<Incoming>,
    board: &Board,
) -> Result<End, String> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(frame) = within(body.frame()).await? {
        let frame = frame.map_err(|error| format!("{} cut off: {error:?}", head.status))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
        if !habit.reads_every.is_zero() {
            sleep(habit.reads_every).await;
        }
    }
    let status = head.status.as_u16();
    let result = if head.status != StatusCode::OK {
        let error: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
        if error.is_none_or(|error| error["error"].is_null()) {
            return Err(format!("{status} without an error in it"));
        }
        board.error(status, &excerpt(&bytes));
        "unanswered"
    } else if habit.streams {
        judged(habit.dialect.streamed(&bytes), wish)
            .map_err(|why| format!("{why} in {}", excerpt(&bytes)))?
    } else {
        let text = habit.dialect.text(&bytes);
        if text.as_ref() != Some(&wish.answer().concat()) {
            return Err(format!("a wrong answer: {}", excerpt(&bytes)));
        }
        "answered"
    };
    Ok(End { status, result })
}

fn judged((text, ending): (String, Ending), wish: &Wish) -> Result<&'static str, &'static str> {
    let right = wish.answer().concat();
    match ending {
        Ending::Whole if text == right => Ok("answered"),
        Ending::Error if right.starts_with(&text) => Ok("broken"),
        Ending::Whole | Ending::Error => Err("a wrong text"),
        Ending::None => Err("no right end"),
    }
}

/// The beginning and the end of an answer, for the report.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= 600 {
        return text.into_owned();
    }
    let part = |letters: &[char]| letters.iter().collect::<String>();
    let last = letters.len() - 300;
    format!("{} … {}", part(&letters[..300]), part(&letters[last..]))
}
