//! Upstreams behind forward proxies.

use backstop::config::{Config, UpstreamId};
use backstop::event::Event;
use backstop::simulator::{Script, Simulator};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

use super::proxy::{Kind, Proxy};
use super::{CHAT, second};
use crate::harness::{Port, Setup, TestGateway, chat, chat_stream, chat_text, stream_text, within};
use crate::tls::Identity;

async fn secure(identity: &Identity) -> Simulator {
    let server = identity.server(&[b"h2", b"http/1.1"]);
    Simulator::start_tls("first", Script::healthy(), server)
        .await
        .unwrap()
}

fn keys(identity: &Identity, proxy: &str) -> String {
    format!(
        "provider: openai-compatible, api_key: first-key, ca_file: \"{}\", proxy: \"{proxy}\"",
        identity.certificate_file().display()
    )
}

#[tokio::test]
async fn a_secure_upstream_is_reached_through_a_tunnel() {
    let identity = Identity::new();
    for (kind, login) in [
        (Kind::Http, "http"),
        (Kind::Socks, "socks5"),
        (Kind::Socks, "socks5h"),
    ] {
        let (first, second) = (secure(&identity).await, second().await);
        let proxy = Proxy::start(kind).await;
        let url = format!("{login}://user:pass-word@{}", proxy.address);
        let setup = Setup::new().upstream_as(&first, &keys(&identity, &url));
        let gateway = setup.upstream(&second).start().await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from first.", "{answered:?}");
        let answered = gateway.post(CHAT, &chat_stream()).await;
        let whole = ("Hello from first.".to_owned(), true);
        assert_eq!(stream_text(&answered.text()), whole);
        // One tunnel for both.
        let [asked] = proxy.asked().try_into().unwrap();
        let there = first.address();
        match kind {
            Kind::Socks => assert_eq!(asked, "user pass-word 127.0.0.1"),
            _ => {
                assert!(
                    asked.starts_with(&format!("CONNECT {there} HTTP/1.1\r\n")),
                    "{asked}"
                );
                let login = "proxy-authorization: Basic dXNlcjpwYXNzLXdvcmQ=";
                assert!(asked.contains(login), "{asked}");
                assert!(!asked.contains("first-key"), "{asked}");
            }
        }
        for received in first.received() {
            assert_eq!(received.header("proxy-authorization"), None);
        }
    }
}

#[tokio::test]
async fn the_certificate_is_checked_through_a_tunnel_too() {
    let (identity, other) = (Identity::new(), Identity::new());
    let (first, second) = (secure(&identity).await, second().await);
    let proxy = Proxy::start(Kind::Http).await;
    let url = format!("http://{}", proxy.address);
    let setup = Setup::new().upstream_as(&first, &keys(&other, &url));
    let gateway = setup.upstream(&second).start().await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:tls_failed", "second:ok"]);
    assert_eq!(first.received_count(), 0);
}

#[tokio::test]
async fn a_proxy_gets_requests_for_plain_urls_as_they_are() {
    let second = second().await;
    let proxy = Proxy::start(Kind::Http).await;
    let keys = format!(
        "provider: openai-compatible, proxy: \"user:pass@{}\"",
        proxy.address
    );
    let setup = Setup::new().upstream_at("first", "http://llm.invalid:8000/v1", &keys);
    let gateway = setup.upstream(&second).start().await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    let [asked] = proxy.asked().try_into().unwrap();
    let line = "POST http://llm.invalid:8000/v1/chat/completions HTTP/1.1\r\n";
    assert!(asked.starts_with(line), "{asked}");
    assert!(asked.contains("host: llm.invalid:8000\r\n"), "{asked}");
    assert!(
        asked.contains("proxy-authorization: Basic dXNlcjpwYXNz\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn a_websocket_goes_through_a_tunnel() {
    let identity = Identity::new();
    for is_secure in [true, false] {
        let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = provider.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(identity.server(&[b"http/1.1"]));
        let task = tokio::spawn(async move {
            let (tcp, _) = provider.accept().await.unwrap();
            match is_secure {
                true => echo(acceptor.accept(tcp).await.unwrap()).await,
                false => echo(tcp).await,
            }
        });
        let proxy = Proxy::start(Kind::Http).await;
        let scheme = if is_secure { "https" } else { "http" };
        let keys = keys(&identity, &format!("http://{}", proxy.address));
        let url = format!("{scheme}://{there}/v1");
        let gateway = Setup::new().upstream_at("first", &url, &keys).start().await;
        let address = gateway.gateway.address();
        let tcp = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/v1/realtime?model=m");
        let (mut socket, _) = within(client_async(url, tcp)).await.unwrap();
        socket.send(Message::text("hello")).await.unwrap();
        let told = within(socket.next()).await.unwrap().unwrap();
        assert_eq!(told, Message::text("hello"));
        drop(socket);
        within(task).await.unwrap();
        let [asked] = proxy.asked().try_into().unwrap();
        assert!(asked.starts_with(&format!("CONNECT {there} ")), "{asked}");
    }
}

/// A provider that sends one message back.
async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut socket = accept_async(stream).await.unwrap();
    let told = socket.next().await.unwrap().unwrap();
    socket.send(told).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_from_what_an_upstream_does() {
    let identity = Identity::new();
    let first = secure(&identity).await;
    let nobody = Port::reserve();
    for (proxy, outcome, detail) in [
        (
            Proxy::start(Kind::Refusing("407 Proxy Authentication Required"))
                .await
                .address,
            "first:proxy_failed",
            "wants another user and password: 407",
        ),
        (
            Proxy::start(Kind::Refusing("403 Forbidden")).await.address,
            "first:proxy_failed",
            "403 Forbidden",
        ),
        (
            Proxy::start(Kind::Refusing("502 Bad Gateway"))
                .await
                .address,
            "first:connect_failed",
            "502 Bad Gateway",
        ),
        (nobody.address(), "first:proxy_failed", "cannot be reached"),
    ] {
        let second = second().await;
        let url = format!("http://user:pass-word@{proxy}");
        let setup = Setup::new().upstream_as(&first, &keys(&identity, &url));
        let gateway = setup.upstream(&second).start().await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), [outcome, "second:ok"]);
        let told = told(&gateway).await;
        assert!(told.contains(detail), "{told}");
        assert!(
            told.contains(&format!("the proxy http://{proxy} ")),
            "{told}"
        );
        assert!(!told.contains("pass-word"), "{told}");
    }
    assert_eq!(first.received_count(), 0);
}

/// The detail of the first attempt.
async fn told(gateway: &TestGateway) -> String {
    let detail = |event: &Event| match event {
        Event::AttemptFinished { report, .. } => report.detail.clone(),
        _ => None,
    };
    gateway.events.wait_for(detail).await
}

#[test]
fn the_environment_names_proxies_for_all_but_this_machine() {
    let variable = |name: &str| match name {
        "https_proxy" => Some("http://user:secret-word@proxy.example:3128".to_owned()),
        "NO_PROXY" => Some(".house.example".to_owned()),
        _ => None,
    };
    let text = "
upstreams:
  far: {provider: openai, api_key: k}
  house: {provider: openai-compatible, base_url: \"https://llm.house.example/v1\"}
  here: {provider: openai-compatible, base_url: \"https://127.0.0.1:8000/v1\"}
  own: {provider: openai, api_key: k, proxy: \"socks5h://10.0.0.1\"}
  direct: {provider: openai, api_key: k, proxy: none}
routes: [{models: [\"*\"], candidates: [{upstream: far}]}]
";
    let config = Config::parse("test", text, &variable).unwrap();
    let through = |name: &str| {
        let proxy = config.proxy_for(&config.upstreams[&UpstreamId::from(name)]);
        proxy.map(|proxy| proxy.to_string())
    };
    assert_eq!(through("far").unwrap(), "http://proxy.example:3128");
    assert_eq!(through("own").unwrap(), "socks5h://10.0.0.1:1080");
    for direct in ["house", "here", "direct"] {
        assert_eq!(through(direct), None, "{direct}");
    }
    assert!(!format!("{config:?}").contains("secret-word"));

    let wrong = |name: &str| (name == "ALL_PROXY").then(|| "socks4://x:1".to_owned());
    let problems = Config::parse("test", text, &wrong).unwrap_err().to_string();
    assert!(problems.contains("ALL_PROXY"), "{problems}");
}
