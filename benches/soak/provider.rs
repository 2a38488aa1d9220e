//! A provider for a throng of clients. It writes by itself, on a thread of its own, and holds little for each.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

/// Stands once in every event, and nowhere else.
pub(crate) const EVENT: u8 = b'~';
/// Stands in the last one.
pub(crate) const LAST: u8 = b'^';
/// How long a long stream is, and a large body, in bytes.
pub(crate) const LONG: usize = 8 << 20;
pub(crate) const LARGE: usize = 2 << 20;

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
/// How many events of a long stream are in one write.
const BURST: usize = 64;

/// What is ordered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// A stream that stays open, with an event at each beat.
    Open,
    /// A long stream, as fast as it goes.
    Long,
    /// A large answer.
    Large,
}

impl Order {
    /// The body of a request for it, of about this size.
    pub(crate) fn body(self, size: usize) -> String {
        let (word, is_stream) = match self {
            Self::Open => ("open", true),
            Self::Long => ("long", true),
            Self::Large => ("large", false),
        };
        format!(
            "{{\"model\":\"m\",\"stream\":{is_stream},\"messages\":[{{\"role\":\"user\",\"content\":\"order={word};{}\"}}]}}",
            "x".repeat(size)
        )
    }

    fn read(body: &[u8]) -> Option<Self> {
        let at = memchr::memmem::find(body, b"order=")? + 6;
        match body.get(at..at + 4)? {
            b"open" => Some(Self::Open),
            b"long" => Some(Self::Long),
            b"larg" => Some(Self::Large),
            _ => None,
        }
    }
}

/// The provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    /// How many beats there were; `None`: the streams end.
    beats: watch::Sender<Option<u64>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let (sender, address) = tokio::sync::oneshot::channel();
        let (beats, for_streams) = watch::channel(Some(0));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
                let listener = socket.listen(4096).unwrap();
                sender.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    if let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(answer_all(stream, for_streams.clone()));
                    }
                }
            });
        });
        Self {
            address: address.await.unwrap(),
            beats,
        }
    }

    /// Every open stream gets an event.
    pub(crate) fn beat(&self) {
        self.beats
            .send_modify(|beats| *beats = beats.map(|beats| beats + 1));
    }

    /// Every open stream ends.
    pub(crate) fn end(&self) {
        self.beats.send_replace(None);
    }
}

async fn answer_all(mut stream: TcpStream, mut beats: watch::Receiver<Option<u64>>) {
    let _ = stream.set_nodelay(true);
    while let Some(order) = read_request(&mut stream).await {
        let answered = match order {
            Order::Open => open(&mut stream, &mut beats).await,
            Order::Long => long(&mut stream).await,
            Order::Large => large(&mut stream).await,
        };
        if answered.is_err() {
            return;
        }
    }
}

/// Reads a request; `None`: the connection has ended.
async fn read_request(stream: &mut TcpStream) -> Option<Order> {
    let mut start = Vec::with_capacity(2048);
    let end = loop {
        if let Some(end) = memchr::memmem::find(&start, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut start).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&start[..end]).to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ")?;
    let length: usize = length.split("\r\n").next()?.parse().ok()?;
    let mut order = Order::read(&start[end..]);
    let mut left = length.saturating_sub(start.len() - end);
    drop(start);
    while left > 0 {
        let mut piece = Vec::with_capacity(left.min(64 << 10));
        let count = stream.read_buf(&mut piece).await.ok()?;
        if count == 0 {
            return None;
        }
        order = order.or_else(|| Order::read(&piece));
        left -= count;
    }
    order
}

async fn open(
    stream: &mut TcpStream,
    beats: &mut watch::Receiver<Option<u64>>,
) -> std::io::Result<()> {
    let event = chunk(&event());
    stream
        .write_all(format!("{HEAD}{event}").as_bytes())
        .await?;
    let mut sent = 0;
    loop {
        let Ok(beat) = beats
            .wait_for(|beat| *beat != Some(sent))
            .await
            .map(|beat| *beat)
        else {
            return Ok(());
        };
        let Some(beat) = beat else {
            return stream.write_all(ending().as_bytes()).await;
        };
        while sent < beat {
            sent += 1;
            stream.write_all(event.as_bytes()).await?;
        }
    }
}

async fn long(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(HEAD.as_bytes()).await?;
    let burst = chunk(&event()).repeat(BURST);
    // A proxy may put chunks together: only what is in them counts.
    for _ in 0..=LONG / (BURST * event().len()) {
        stream.write_all(burst.as_bytes()).await?;
    }
    stream.write_all(ending().as_bytes()).await
}

async fn large(stream: &mut TcpStream) -> std::io::Result<()> {
    let answer = format!(
        "{{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"message\":\
         {{\"role\":\"assistant\",\"content\":\"{}\"}},\"finish_reason\":\"stop\"}}]}}",
        "x".repeat(LARGE)
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(answer.as_bytes()).await
}

fn event() -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\" word{}\"}},\"finish_reason\":null}}]}}\n\n",
        EVENT as char
    )
}

/// The last chunks of a stream.
fn ending() -> String {
    let last = format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\"{}\"}},\"finish_reason\":\"stop\"}}]}}\n\ndata: [DONE]\n\n",
        LAST as char
    );
    format!("{}0\r\n\r\n", chunk(&last))
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}
