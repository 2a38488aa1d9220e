//! An upstream of HTTP/2 whose frames are written by hand, so that it can refuse streams as it likes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const ANSWER: &[u8] = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello from frames."},"finish_reason":"stop"}]}"#;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const REFUSED_STREAM: u32 = 7;

/// What it does with streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Each connection serves so many, and ends with a GOAWAY. What comes later is ignored, as nginx does it.
    GoAwayAfter(usize),
    /// The first so many of all connections together are refused.
    Refuse(usize),
}

/// A running upstream.
pub(crate) struct Frames {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    refused: AtomicUsize,
    answered: AtomicUsize,
}

impl Frames {
    pub(crate) async fn start(tls: Arc<ServerConfig>, manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let theirs = Arc::clone(&counts);
        let acceptor = TlsAcceptor::from(tls);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, counts) = (acceptor.clone(), Arc::clone(&theirs));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        counts.connections.fetch_add(1, Ordering::Relaxed);
                        let connection = Connection {
                            stream,
                            counts,
                            manner,
                        };
                        // The gateway may hang up at any time.
                        let _ = connection.serve().await;
                    }
                });
            }
        });
        Self { address, counts }
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> usize {
        self.counts.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self) -> usize {
        self.counts.answered.load(Ordering::Relaxed)
    }
}

struct Connection<S> {
    stream: S,
    counts: Arc<Counts>,
    manner: Manner,
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Connection<S> {
    async fn serve(mut self) -> std::io::Result<()> {
        let mut preface = [0; 24];
        self.stream.read_exact(&mut preface).await?;
        self.frame(SETTINGS, 0, 0, b"").await?;
        let mut served = 0;
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, b"").await?,
                PING if flags & ACK == 0 => self.frame(PING, ACK, 0, &payload).await?,
                HEADERS | DATA if flags & END_STREAM != 0 => {
                    if self.ignores(served) {
                        continue;
                    }
                    if self.is_refused() {
                        let reason = REFUSED_STREAM.to_be_bytes();
                        self.frame(RST_STREAM, 0, stream, &reason).await?;
                        continue;
                    }
                    served += 1;
                    self.answer(stream).await?;
                    if self.ignores(served) {
                        let last = [stream.to_be_bytes(), [0; 4]].concat();
                        self.frame(GOAWAY, 0, 0, &last).await?;
                    }
                }
                _ => {}
            }
        }
    }

    fn ignores(&self, served: usize) -> bool {
        matches!(self.manner, Manner::GoAwayAfter(most) if served >= most)
    }

    fn is_refused(&self) -> bool {
        let Manner::Refuse(count) = self.manner else {
            return false;
        };
        let refused = &self.counts.refused;
        let order = Ordering::Relaxed;
        let more = |so_far: usize| (so_far < count).then_some(so_far + 1);
        refused.fetch_update(order, order, more).is_ok()
    }

    async fn answer(&mut self, stream: u32) -> std::io::Result<()> {
        self.counts.answered.fetch_add(1, Ordering::Relaxed);
        // `:status: 200` and `content-type: application/json` (RFC 7541).
        let mut headers = vec![0x88, 0x0f, 0x10, 16];
        headers.extend_from_slice(b"application/json");
        self.frame(HEADERS, END_HEADERS, stream, &headers).await?;
        self.frame(DATA, END_STREAM, stream, ANSWER).await
    }

    async fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }
}
