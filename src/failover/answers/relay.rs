//! Relaying a WebSocket: bytes both ways until one side ends it.
//!
//! Frames pass byte for byte. Only their heads are read, to know where they end and whether the conversation was
//! closed. An upstream that is lost before that cannot be replaced, because only it knows the conversation so far. So
//! the client gets Close 1012, connect again, if a frame can be put in; else its connection is cut. No timer watches
//! the silence: the protocol has pings of its own, which pass like everything else, and TCP keepalive finds peers
//! that are gone. But a side that takes nothing of the data that waits for it is given up: the server watches the client,
//! this module the upstream.

use std::io;
use std::ops::Range;
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, copy, sink, split,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::interruption::CONNECTION_LOST;
use crate::failover::attempts::ending::Opened;
use crate::failover::attempts::in_flight::InFlightAttempt;
use crate::outcome::Outcome;
use crate::upstream::Seat;
use crate::wire::websocket::{Frames, close_frame};

const BUFFER: usize = 16 << 10;
/// How long one side may still send or receive when the other one has gone.
const LAST_WORDS: Duration = Duration::from_millis(40);
/// How long a client may take to read our Close frame and to hang up. It is shorter than the server waits.
const FAREWELL: Duration = Duration::from_millis(400);
/// How long a side may take to answer a Close frame, or to hang up.
const AFTERMATH: Duration = Duration::from_secs(10);

/// "Service restart": the client may connect again at once.
const RESTART: u16 = 1012;
/// "Try again later".
const LATER: u16 = 1013;
/// "Policy violation": connecting again in the same way would not help.
const POLICY: u16 = 1008;
const REASON: &str = "the upstream was lost, connect again";
const REASON_OF_DRAIN: &str = "the proxy is stopping, connect again";
const REASON_OF_KEY: &str = "this API key is accepted no more; ask for a new one";

/// A WebSocket at an upstream, before the client's connection is attached.
#[derive(Debug)]
pub struct Relay {
    upstream: Upgraded,
    attempt: Box<InFlightAttempt>,
    /// How long the upstream may take nothing.
    patience: Duration,
    _seat: Option<Seat>,
}

/// How a relay ended for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayEnd {
    /// With a Close frame from either side.
    Closed,
    /// The upstream was lost.
    Failed,
    /// We had to stop.
    Stopped(Stop),
    /// The client hung up without a Close frame.
    ClientGone,
}

/// Why we end it ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The grace time of a drain is over.
    Draining,
    /// The client's key is accepted no more.
    Revoked,
}

impl Stop {
    fn close_frame(self) -> Vec<u8> {
        match self {
            Self::Draining => close_frame(RESTART, REASON_OF_DRAIN),
            Self::Revoked => close_frame(POLICY, REASON_OF_KEY),
        }
    }
}

/// Why the relay ends.
enum End {
    Closed,
    UpstreamLost(Option<io::Error>),
    ClientGone,
    Stopped(Stop),
}

impl Relay {
    pub(super) fn new(opened: Opened, mut attempt: Box<InFlightAttempt>) -> Self {
        attempt.settled();
        Self {
            upstream: opened.connection,
            attempt,
            patience: opened.patience,
            _seat: opened.seat,
        }
    }

    /// Relays until it is over, or until `stop`.
    pub async fn run(self, client: Upgraded, stop: impl Future<Output = Stop>) -> RelayEnd {
        let (from_upstream, to_upstream) = split(TokioIo::new(self.upstream));
        let (from_client, to_client) = split(TokioIo::new(client));
        let mut down = Direction::new(from_upstream, to_client, None);
        let mut up = Direction::new(from_client, to_upstream, Some(self.patience));
        let end = match converse(&mut down, &mut up, stop).await {
            _ if down.frames.has_closed() || up.frames.has_closed() => End::Closed,
            end => end,
        };
        let (outcome, detail) = match &end {
            End::UpstreamLost(error) => (Outcome::StreamBroken, Some(detail_of(error.as_ref()))),
            _ => (Outcome::Success, None),
        };
        self.attempt.end(outcome, detail);
        match end {
            End::Closed => {
                tokio::join!(
                    hang_up(up.from, down.to, FAREWELL),
                    hang_up(down.from, up.to, LAST_WORDS),
                );
                RelayEnd::Closed
            }
            End::ClientGone => {
                hang_up(down.from, up.to, LAST_WORDS).await;
                RelayEnd::ClientGone
            }
            End::UpstreamLost(error) => {
                drop((down.from, up.to));
                let is_silent = error.as_ref().is_some_and(is_silence);
                let code = if is_silent { LATER } else { RESTART };
                part(up.from, down.to, &down.frames, close_frame(code, REASON)).await;
                RelayEnd::Failed
            }
            End::Stopped(stop) => {
                drop((down.from, up.to));
                part(up.from, down.to, &down.frames, stop.close_frame()).await;
                RelayEnd::Stopped(stop)
            }
        }
    }
}

type Side = TokioIo<Upgraded>;

/// One of the two directions, and how far it has got.
struct Direction {
    from: ReadHalf<Side>,
    to: WriteHalf<Side>,
    /// The frames that have gone out.
    frames: Frames,
    buffer: Vec<u8>,
    /// The part of the buffer that is still to be written.
    ready: Range<usize>,
    /// How long the sink may take nothing, if that is watched here.
    patience: Option<Duration>,
}

/// Which end of a direction is gone.
enum Gone {
    Source(Option<io::Error>),
    Sink(io::Error),
}

impl Direction {
    fn new(from: ReadHalf<Side>, to: WriteHalf<Side>, patience: Option<Duration>) -> Self {
        Self {
            from,
            to,
            frames: Frames::default(),
            buffer: vec![0; BUFFER],
            ready: 0..0,
            patience,
        }
    }

    /// Passes bytes on until one end is gone. If it is dropped, it can start again where it stopped. `closed` gets a
    /// permit when the Close frame of this direction has gone out.
    async fn pass(&mut self, closed: &Semaphore) -> Gone {
        loop {
            let had_closed = self.frames.has_closed();
            if let Err(error) = self.write().await {
                return Gone::Sink(error);
            }
            if self.frames.has_closed() && !had_closed {
                closed.add_permits(1);
            }
            match self.from.read(&mut self.buffer).await {
                Ok(0) => return Gone::Source(None),
                Ok(count) => self.ready = 0..count,
                Err(error) => return Gone::Source(Some(error)),
            }
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        while !self.ready.is_empty() {
            let bytes = &self.buffer[self.ready.clone()];
            let writing = self.to.write(bytes);
            let count = match self.patience {
                Some(patience) => timeout(patience, writing).await??,
                None => writing.await?,
            };
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.frames.pass(&bytes[..count]);
            self.ready.start += count;
        }
        self.to.flush().await
    }
}

/// Passes bytes in both directions until it is over.
async fn converse(
    down: &mut Direction,
    up: &mut Direction,
    stop: impl Future<Output = Stop>,
) -> End {
    let closed = Semaphore::new(0);
    let (gone, is_down) = tokio::select! {
        gone = down.pass(&closed) => (gone, true),
        gone = up.pass(&closed) => (gone, false),
        stop = stop => return End::Stopped(stop),
        () = goodbyes(&closed) => return End::Closed,
    };
    // A side that takes no more bytes may have sent the reason.
    let (end, other) = match (gone, is_down) {
        (Gone::Source(error), true) => return End::UpstreamLost(error),
        (Gone::Source(_), false) => return End::ClientGone,
        (Gone::Sink(_), true) => (End::ClientGone, up),
        // An upstream may stop reading because the client does not read its words.
        (Gone::Sink(error), false) if is_silence(&error) && !down.ready.is_empty() => {
            return End::ClientGone;
        }
        (Gone::Sink(error), false) => (End::UpstreamLost(Some(error)), down),
    };
    let _ = timeout(LAST_WORDS, other.pass(&closed)).await;
    end
}

/// Waits until both sides have sent a Close frame, or one of them has and the other has had enough time.
async fn goodbyes(closed: &Semaphore) {
    let _first = closed.acquire().await;
    let _ = timeout(AFTERMATH, closed.acquire()).await;
}

/// Sends a Close frame if one can be put in, and hangs up.
async fn part(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    frames: &Frames,
    goodbye: Vec<u8>,
) {
    if !frames.is_between() {
        return;
    }
    if let Ok(Ok(())) = timeout(FAREWELL, to.write_all(&goodbye)).await {
        hang_up(from, to, FAREWELL).await;
    }
}

/// Sends nothing more, and reads what still comes for a while: if the connection were closed at once, the last bytes
/// might not arrive.
async fn hang_up(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    patience: Duration,
) {
    let ending = async {
        to.shutdown().await?;
        copy(&mut from, &mut sink()).await
    };
    let _ = timeout(patience, ending).await;
}

/// Whether a connection was given up because nothing came or went any more.
fn is_silence(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

fn detail_of(error: Option<&io::Error>) -> String {
    match error {
        None => "the upstream hung up without a Close frame".to_owned(),
        Some(error) => format!("{CONNECTION_LOST}: {error}"),
    }
}
