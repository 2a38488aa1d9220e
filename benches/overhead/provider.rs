//! A provider that costs next to nothing. It writes by itself, so that it decides what one write holds.

use std::net::SocketAddr;
use std::sync::OnceLock;

use memchr::memmem::find;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

/// How many clients ask at once, each over a connection of its own.
pub(crate) const CONNECTIONS: usize = 16;
/// What stands once in every part of an answer, in any API.
pub(crate) const MARK: &[u8] = b"perspiciatis";
/// How many events a stream has whose events come alone.
pub(crate) const ALONE: usize = 256;
/// How many a stream has whose events come in bursts.
pub(crate) const IN_BURSTS: usize = 1024;
/// How many events are in one write.
const BURST: usize = 64;

const ANSWER: &str = concat!(
    r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":"#,
    r#"{"role":"assistant","content":"Sed ut perspiciatis unde omnis iste natus error sit voluptatem accusantium "#,
    r#"doloremque laudantium, totam rem aperiam, eaque ipsa quae ab illo inventore veritatis et quasi architecto "#,
    r#"beatae vitae dicta sunt explicabo. Nemo enim ipsam voluptatem quia voluptas sit aspernatur aut odit aut "#,
    r#"fugit, sed quia consequuntur magni dolores eos qui ratione voluptatem sequi nesciunt.","refusal":null},"#,
    r#""logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":90,"total_tokens":99}}"#
);
const END: &str = concat!(
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",",
    "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
);

/// What the client with this number has received, in events that come alone.
pub(crate) fn acknowledgements(number: usize) -> &'static Semaphore {
    static ALL: OnceLock<Vec<Semaphore>> = OnceLock::new();
    let all = ALL.get_or_init(|| (0..CONNECTIONS).map(|_| Semaphore::new(0)).collect());
    &all[number]
}

/// How many streams that stay open may end.
pub(crate) static RELEASED: Semaphore = Semaphore::const_new(0);

pub(crate) async fn serve(bound: std::sync::mpsc::Sender<SocketAddr>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(4096).unwrap();
    bound.send(listener.local_addr().unwrap()).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(answer_all(stream));
    }
}

async fn answer_all(mut stream: TcpStream) {
    let mut buffer = Vec::new();
    while let Some(prompt) = read_request(&mut stream, &mut buffer).await {
        if answer(&mut stream, &prompt).await.is_err() {
            return;
        }
    }
}

/// Reads a request; returns the beginning of its prompt, or `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    let head = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let length = text
        .split_once("content-length: ")
        .map_or("0", |(_, rest)| rest.split("\r\n").next().unwrap());
    let whole = head + length.parse::<usize>().unwrap();
    while buffer.len() < whole {
        if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
            return None;
        }
    }
    let body = &buffer[head..whole];
    let start = find(body, b"kind=").map_or(body.len(), |start| start + 5);
    let prompt = body[start..].split(|byte| *byte == b';').next();
    let prompt = String::from_utf8_lossy(prompt.unwrap_or_default()).into_owned();
    buffer.drain(..whole);
    Some(prompt)
}

async fn answer(stream: &mut TcpStream, prompt: &str) -> std::io::Result<()> {
    let (kind, number) = prompt.split_once(" number=").unwrap_or((prompt, "0"));
    if !matches!(kind, "single" | "burst" | "open") {
        let length = ANSWER.len();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
        let answer = format!("{head} {length}\r\n\r\n{ANSWER}");
        return stream.write_all(answer.as_bytes()).await;
    }
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let event = chunk(&event());
    match kind {
        "single" => {
            let acknowledged = acknowledgements(number.parse().unwrap());
            for _ in 0..ALONE {
                stream.write_all(event.as_bytes()).await?;
                acknowledged.acquire().await.unwrap().forget();
            }
        }
        "burst" => {
            let burst = event.repeat(BURST);
            for _ in 0..IN_BURSTS / BURST {
                stream.write_all(burst.as_bytes()).await?;
            }
        }
        _ => {
            stream.write_all(event.as_bytes()).await?;
            RELEASED.acquire().await.unwrap().forget();
        }
    }
    let end = format!("{}0\r\n\r\n", chunk(END));
    stream.write_all(end.as_bytes()).await
}

fn event() -> String {
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\
     \"choices\":[{\"index\":0,\"delta\":{\"content\":\" perspiciatis\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        .to_owned()
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}
