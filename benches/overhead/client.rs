//! The clients of the proxies.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Proxy;
use super::cases::Case;
use super::provider::{MARK, acknowledgements};
use super::work::{Api, Kind};

/// A client with a connection.
pub(crate) struct Speaker(SendRequest<Full<Bytes>>);

impl Speaker {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Asks, and reads the answer to its end. `number`: under which the provider learns what has arrived.
    pub(crate) async fn ask(&mut self, kind: Kind, api: Api, key: Option<&str>, number: usize) {
        self.0.ready().await.unwrap();
        let request = request(kind, api, key, number);
        let (head, mut body) = self.0.send_request(request).await.unwrap().into_parts();
        assert!(head.status.is_success(), "{}", head.status);
        let (mut marks, mut last) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.unwrap().into_data() else {
                continue;
            };
            last.drain(..last.len().saturating_sub(MARK.len() - 1));
            last.extend_from_slice(&data);
            let new = memchr::memmem::find_iter(&last, MARK).count();
            marks += new;
            if kind == Kind::Single {
                acknowledgements(number).add_permits(new);
            }
        }
        let expected = kind.parts();
        assert_eq!(marks, expected, "{kind:?}: something is missing");
    }
}

fn request(kind: Kind, api: Api, key: Option<&str>, number: usize) -> Request<Full<Bytes>> {
    let is_streamed = !matches!(kind, Kind::Whole | Kind::Large);
    let length = if kind == Kind::Large { 1 << 20 } else { 900 };
    let prompt = format!(
        "kind={} number={number};{}",
        kind.name(),
        "x".repeat(length)
    );
    let (path, more) = match api {
        Api::Chat => ("/v1/chat/completions", ""),
        Api::Messages => ("/v1/messages", "\"max_tokens\":1000,"),
    };
    let body = format!(
        "{{\"model\":\"gpt-4o\",{more}\"stream\":{is_streamed},\"messages\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}]}}"
    );
    let mut request = Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    request.body(Full::new(Bytes::from(body))).unwrap()
}

/// So many requests by the clients of this case.
pub(crate) async fn load(proxy: &Proxy, case: &Case, requests: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    let (kind, api, each) = (case.kind, case.speaker, requests / case.clients);
    for number in 0..case.clients {
        let (address, key) = (proxy.program.address, proxy.key.clone());
        tasks.spawn(async move {
            let mut speaker = Speaker::connect(address).await;
            for _ in 0..each {
                speaker.ask(kind, api, key.as_deref(), number).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
