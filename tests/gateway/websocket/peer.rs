//! Both ends of a relayed WebSocket, each controlled by the test.

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response as Handshake};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

use crate::harness::{Setup, TestGateway, within};

pub(super) type Stream = WebSocketStream<TcpStream>;

/// A provider that accepts every WebSocket, and leaves the conversation to the test.
pub(super) struct Provider {
    base_url: String,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    task: JoinHandle<()>,
}

/// The provider's end of a conversation.
pub(super) struct Accepted {
    pub(super) uri: String,
    pub(super) headers: HeaderMap,
    pub(super) stream: Stream,
}

/// The client's end.
pub(super) struct Client {
    pub(super) answered: Response<Option<Vec<u8>>>,
    pub(super) stream: Stream,
}

impl Provider {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (sender, accepted) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                if sender.send(accept(tcp).await).is_err() {
                    return;
                }
            }
        });
        Self {
            base_url,
            accepted,
            task,
        }
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The configuration of a gateway that has this provider alone, for all models, and these further lines.
    pub(super) fn alone(&self, more: &str) -> String {
        let keys = "provider: openai-compatible, api_key: only-key";
        Setup::new()
            .upstream_at("only", &self.base_url, keys)
            .lines(more)
            .yaml()
    }

    /// The next conversation.
    pub(super) async fn next(&mut self) -> Accepted {
        within(self.accepted.recv()).await.unwrap()
    }

    /// Whether no conversation has been requested.
    pub(super) fn is_unasked(&self) -> bool {
        self.accepted.is_empty()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(tcp: TcpStream) -> Accepted {
    let mut asked = None;
    // The type of the error is the library's.
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let answer = |request: &Request, mut response: Handshake| {
        asked = Some((request.uri().to_string(), request.headers().clone()));
        let protocols = request.headers().get("sec-websocket-protocol");
        if let Some(first) = protocols.and_then(|value| value.to_str().unwrap().split(", ").next())
        {
            let first = first.parse().unwrap();
            let headers = response.headers_mut();
            headers.insert("sec-websocket-protocol", first);
        }
        let headers = response.headers_mut();
        headers.insert("x-request-id", "req_theirs".parse().unwrap());
        if let Some(key) = request.headers().get("authorization") {
            headers.insert("x-echo", key.clone());
        }
        Ok(response)
    };
    let stream = accept_hdr_async(tcp, answer).await.unwrap();
    let (uri, headers) = asked.unwrap();
    Accepted {
        uri,
        headers,
        stream,
    }
}

impl Client {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.answered.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// Opens a conversation through the gateway.
pub(super) async fn connect(
    gateway: &TestGateway,
    path: &str,
    more: &[(&'static str, &str)],
) -> Client {
    try_connect(gateway, path, more)
        .await
        .unwrap_or_else(|error| panic!("{error:?}"))
}

/// The same where it may be rejected.
pub(super) async fn try_connect(
    gateway: &TestGateway,
    path: &str,
    more: &[(&'static str, &str)],
) -> Result<Client, Error> {
    let address = gateway.gateway.address();
    let mut request = format!("ws://{address}{path}")
        .into_client_request()
        .unwrap();
    for (name, value) in more {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let tcp = TcpStream::connect(address).await.unwrap();
    let (stream, answered) = within(client_async(request, tcp)).await?;
    Ok(Client { answered, stream })
}

/// Sends a message.
pub(super) async fn say(stream: &mut Stream, message: Message) {
    within(stream.send(message)).await.unwrap();
}

/// The next message; `None` at the end.
pub(super) async fn told(stream: &mut Stream) -> Option<Message> {
    within(stream.next())
        .await
        .map(|message| message.unwrap_or_else(|error| panic!("{error}")))
}

/// Everything that arrives until a proper end.
pub(super) async fn rest(stream: &mut Stream) -> Vec<Message> {
    let mut rest = Vec::new();
    while let Some(message) = told(stream).await {
        rest.push(message);
    }
    rest
}

/// Sends messages while it expects the same ones from the other side.
pub(super) async fn exchange(stream: Stream, count: usize, message: impl Fn(usize) -> Message) {
    let (mut to, mut from) = stream.split();
    let sending = async {
        for number in 0..count {
            to.send(message(number)).await.unwrap();
        }
    };
    let receiving = async {
        for number in 0..count {
            let told = from.next().await.unwrap().unwrap();
            assert_eq!(told, message(number));
        }
    };
    within(async { tokio::join!(sending, receiving) }).await;
}
