//! WebSockets with TLS on both sides, and over HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

use crate::harness::{Setup, TestGateway, within};
use crate::tls::Identity;

/// A provider that prefers HTTP/2, and sends one message back; returns the negotiated protocol.
async fn provider(identity: &Identity) -> (SocketAddr, JoinHandle<Option<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(identity.server(&[b"h2", b"http/1.1"]));
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let tls = acceptor.accept(tcp).await.unwrap();
        let protocol = tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        let mut stream = accept_async(tls).await.unwrap();
        let told = stream.next().await.unwrap().unwrap();
        stream.send(told).await.unwrap();
        stream.close(None).await.unwrap();
        while let Some(Ok(_)) = stream.next().await {}
        protocol
    });
    (address, task)
}

async fn gateway(identity: &Identity, provider: SocketAddr) -> TestGateway {
    let cert = identity.certificate_file();
    let (cert, key) = (cert.display(), identity.key_file());
    let base_url = format!("https://{provider}/v1");
    let trust = format!("provider: openai-compatible, ca_file: \"{cert}\"");
    let tls = format!("tls: {{cert: \"{cert}\", key: \"{}\"}}", key.display());
    Setup::new()
        .upstream_at("only", &base_url, &trust)
        .lines(&tls)
        .start()
        .await
}

/// A connection to the gateway that offers this protocol.
async fn connect(
    identity: &Identity,
    gateway: &TestGateway,
    protocol: &[u8],
) -> TlsStream<TcpStream> {
    let mut settings = identity.client();
    settings.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(gateway.gateway.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connecting = TlsConnector::from(Arc::new(settings)).connect(name, tcp);
    within(connecting).await.unwrap()
}

#[tokio::test]
async fn a_websocket_is_asked_for_over_http_1_even_where_the_provider_prefers_http_2() {
    let identity = Identity::new();
    let (address, provider) = provider(&identity).await;
    let gateway = gateway(&identity, address).await;
    let tls = connect(&identity, &gateway, b"http/1.1").await;
    let url = format!("wss://{}/v1/realtime", gateway.gateway.address());
    let connecting = Box::pin(client_async(url, tls));
    let (mut stream, answered) = within(connecting).await.unwrap();
    assert_eq!(answered.status(), 101);
    let message = Message::binary(vec![7; 100_000]);
    within(stream.send(message.clone())).await.unwrap();
    let told = within(stream.next()).await.unwrap().unwrap();
    assert_eq!(told, message);
    let told = within(stream.next()).await.unwrap().unwrap();
    assert_eq!(told, Message::Close(None));
    assert!(within(stream.next()).await.is_none());
    assert_eq!(
        within(provider).await.unwrap().as_deref(),
        Some(&b"http/1.1"[..])
    );
}

#[tokio::test]
async fn over_http_2_no_other_protocol_is_offered_and_a_tunnel_is_refused() {
    let identity = Identity::new();
    let (address, _provider) = provider(&identity).await;
    let gateway = gateway(&identity, address).await;
    let tls = connect(&identity, &gateway, b"h2").await;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
        .await
        .unwrap();
    tokio::spawn(connection);
    let ask = |protocol: Option<&'static str>| {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = format!("https://{}/v1/realtime", gateway.gateway.address())
            .parse()
            .unwrap();
        if let Some(protocol) = protocol {
            let protocol = Protocol::from_static(protocol);
            request.extensions_mut().insert(protocol);
        } else {
            *request.uri_mut() = "example.com:443".parse().unwrap();
        }
        request
    };
    let answered = within(sender.send_request(ask(None))).await.unwrap();
    assert_eq!(answered.status(), 405);
    let body = answered.into_body().collect().await.unwrap().to_bytes();
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(error["error"]["code"], "method_not_allowed");

    // Clients that look at the settings, as they must, know that they need HTTP/1.1 for it.
    let asked = within(sender.send_request(ask(Some("websocket")))).await;
    assert!(asked.is_err(), "{asked:?}");
}
