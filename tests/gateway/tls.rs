//! TLS in both directions, and HTTP/2 with and without it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::NoClientAuth;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::harness::{
    Setup, TestGateway, chat, chat_stream, chat_text, stream_text, two_upstreams, within,
};

const CHAT: &str = "/v1/chat/completions";

/// A certificate for 127.0.0.1 that vouches for itself, also as files.
pub(crate) struct Identity {
    folder: TempDir,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        Self::until(4096)
    }

    /// It expires when this year begins.
    pub(crate) fn until(year: i32) -> Self {
        let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let identity = Self {
            folder: tempfile::tempdir().unwrap(),
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        };
        std::fs::write(identity.certificate_file(), certificate.pem()).unwrap();
        std::fs::write(identity.key_file(), key.serialize_pem()).unwrap();
        identity
    }

    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// How a server presents it that speaks these protocols.
    pub(crate) fn server(&self, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        self.serve(protocols, Arc::new(NoClientAuth))
    }

    /// How a server presents it that wants a certificate of its clients.
    pub(crate) fn server_with(&self, verifier: Arc<dyn ClientCertVerifier>) -> Arc<ServerConfig> {
        self.serve(&[b"h2"], verifier)
    }

    fn serve(
        &self,
        protocols: &[&[u8]],
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![self.certificate.clone()],
                PrivatePkcs8KeyDer::from(self.key.clone()).into(),
            )
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// A client's settings that trust it alone.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Two upstreams, the first of which may be trusted by a file of its own.
fn upstreams(first: &Simulator, second: &Simulator, ca_file: Option<&Path>) -> String {
    let trust = ca_file.map_or_else(String::new, |path| {
        format!(", ca_file: \"{}\"", path.display())
    });
    two_upstreams(first, second).replace("first-key", &format!("first-key{trust}"))
}

#[tokio::test]
async fn an_upstream_behind_tls_is_asked_in_the_version_that_it_chooses() {
    let identity = Identity::new();
    let protocols: [(&[&[u8]], Version); 4] = [
        (&[b"h2", b"http/1.1"], Version::HTTP_2),
        (&[b"h2"], Version::HTTP_2),
        (&[b"http/1.1"], Version::HTTP_11),
        (&[], Version::HTTP_11),
    ];
    for (protocols, version) in protocols {
        let server = identity.server(protocols);
        let first = Simulator::start_tls("first", Script::healthy(), server)
            .await
            .unwrap();
        let second = Simulator::start("second", Script::healthy()).await.unwrap();
        let file = identity.certificate_file();
        let gateway = TestGateway::start(&upstreams(&first, &second, Some(&file))).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from first.");
        let answered = gateway.post(CHAT, &chat_stream()).await;
        let whole = ("Hello from first.".to_owned(), true);
        assert_eq!(stream_text(&answered.text()), whole);
        for request in first.received() {
            assert_eq!(request.version, version);
            assert_eq!(request.header("authorization"), Some("Bearer first-key"));
        }
        assert_eq!((first.received_count(), second.received_count()), (2, 0));
    }
}

/// An upstream of HTTP/2 whose streams take so long, of which it takes 100 at a time on a connection.
async fn of_many_streams(identity: &Identity, pause: Duration) -> Simulator {
    let script = Script::healthy().with_streams(100).with_token_delay(pause);
    Simulator::start_tls("first", script, identity.server(&[b"h2"]))
        .await
        .unwrap()
}

#[tokio::test]
async fn more_streams_than_one_connection_takes_do_not_wait_for_each_other() {
    let identity = Identity::new();
    let first = of_many_streams(&identity, Duration::from_secs(2)).await;
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let file = identity.certificate_file();
    let upstreams = upstreams(&first, &second, Some(&file));
    let gateway = TestGateway::start(&format!("{upstreams}timeouts: {{first_token: 3s}}\n")).await;
    let body = chat_stream();
    let asking = (0..130).map(|_| gateway.post(CHAT, &body));
    for answered in join_all(asking).await {
        assert_eq!(answered.trail(), ["first:ok"]);
        let whole = ("Hello from first.".to_owned(), true);
        assert_eq!(stream_text(&answered.text()), whole);
    }
    assert_eq!((first.received_count(), second.received_count()), (130, 0));
    let metrics = gateway.admin("/metrics").await.text();
    let closed = "backstop_upstream_state{model=\"\",upstream=\"first\"} 0";
    assert!(metrics.contains(closed), "{metrics}");
}

#[tokio::test]
async fn an_upstream_whose_certificate_is_not_trusted_gets_no_request() {
    let server = Identity::new().server(&[b"h2", b"http/1.1"]);
    let first = Simulator::start_tls("first", Script::healthy(), server)
        .await
        .unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let other = Identity::new();
    let file = other.certificate_file();
    for ca_file in [None, Some(file.as_path())] {
        let gateway = TestGateway::start(&upstreams(&first, &second, ca_file)).await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "Hello from second.");
        assert_eq!(answered.trail(), ["first:tls_failed", "second:ok"]);
    }
    assert_eq!((first.received_count(), second.received_count()), (0, 2));
}

#[tokio::test]
async fn an_upstream_whose_certificate_has_expired_is_described_with_the_day() {
    let identity = Identity::until(2020);
    let first = Simulator::start_tls("first", Script::healthy(), identity.server(&[b"h2"]));
    let first = first.await.unwrap();
    let second = Simulator::start("second", Script::fault(Fault::status(500)));
    let second = second.await.unwrap();
    let file = identity.certificate_file();
    let gateway = TestGateway::start(&upstreams(&first, &second, Some(file.as_path()))).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.status, 503);
    let said = "its certificate expired at 2020-01-01T00:00:00Z";
    assert!(answered.text().contains(said), "{}", answered.text());
}

#[tokio::test]
async fn an_upstream_that_speaks_no_tls_where_it_should_fails_over() {
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let plain = format!("http://{}", first.address());
    let secure = format!("https://{}", first.address());
    let yaml = two_upstreams(&first, &second).replace(&plain, &secure);
    let gateway = TestGateway::start(&yaml).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(chat_text(&answered), "Hello from second.");
    assert_eq!(answered.trail(), ["first:tls_failed", "second:ok"]);
    assert_eq!(first.received_count(), 0);
}

/// A server that takes connections, and answers the first bytes with these, or with none at all.
async fn server(reply: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some(reply) = reply {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(reply).await;
            } else {
                held.push(stream);
            }
        }
    });
    address
}

/// The most frequent mistake in a `base_url`.
#[tokio::test]
async fn tls_where_there_is_none_and_none_where_there_is_are_called_so() {
    let alert: &[u8] = &[21, 3, 1, 0, 2, 2, 70];
    for (scheme, reply, said) in [
        (
            "https",
            None,
            "there is no TLS handshake in time; plain servers want http://",
        ),
        (
            "https",
            Some(&b""[..]),
            "it closes the connection in the TLS handshake; plain servers want http://",
        ),
        (
            "https",
            Some(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "it does not speak TLS at this port",
        ),
        (
            "http",
            Some(alert),
            "it does not speak HTTP at this port; servers with TLS want https://",
        ),
    ] {
        let url = format!("{scheme}://{}", server(reply).await);
        let setup = Setup::new().upstream_at("only", &url, "provider: openai-compatible");
        let gateway = setup.lines("timeouts: {connect: 300ms}").start().await;
        let once = [
            ("content-type", "application/json"),
            ("x-backstop-failover", "off"),
        ];
        let answered = gateway
            .send(Method::POST, CHAT, &once, chat().to_string())
            .await;
        assert!(
            answered.text().contains(said),
            "{said}: {}",
            answered.text()
        );
    }
}

/// Asks for a chat answer in one piece and for one in a stream; gives the HTTP version of the answers.
async fn ask_twice<C>(client: &Client<C, Full<Bytes>>, url: &str) -> Version
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let mut versions = Vec::new();
    for body in [chat(), chat_stream()] {
        let request = Request::post(url)
            .body(Full::from(body.to_string()))
            .unwrap();
        let response = within(client.request(request)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-backstop-upstream"], "first");
        versions.push(response.version());
        let body = within(response.into_body().collect()).await.unwrap();
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        assert!(text.contains("Hello"), "{text}");
    }
    assert_eq!(versions[0], versions[1]);
    versions[0]
}

/// The configuration by which clients are served over TLS.
fn listener_tls(identity: &Identity) -> String {
    format!(
        "tls: {{cert: \"{}\", key: \"{}\"}}\n",
        identity.certificate_file().display(),
        identity.key_file().display()
    )
}

fn https(tls: ClientConfig, is_h2: bool) -> Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only();
    let connector = if is_h2 {
        builder.enable_all_versions().build()
    } else {
        builder.enable_http1().build()
    };
    Client::builder(TokioExecutor::new()).build(connector)
}

#[tokio::test]
async fn clients_are_served_over_tls_in_either_version() {
    let identity = Identity::new();
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let gateway = TestGateway::before(&first, &second, &listener_tls(&identity)).await;
    let url = gateway.url(CHAT).replace("http:", "https:");
    for (is_h2, version) in [(true, Version::HTTP_2), (false, Version::HTTP_11)] {
        let client = https(identity.client(), is_h2);
        assert_eq!(ask_twice(&client, &url).await, version);
    }
    assert_eq!((first.received_count(), second.received_count()), (4, 0));

    // A server that the client does not trust is not accepted by mistake.
    let client = https(Identity::new().client(), true);
    let request = Request::get(&url).body(Full::default()).unwrap();
    assert!(within(client.request(request)).await.is_err());
    assert_eq!(first.received_count(), 4);
}

#[tokio::test]
async fn clients_that_speak_no_tls_where_they_should_learn_it() {
    let identity = Identity::new();
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let gateway = TestGateway::before(&first, &first, &listener_tls(&identity)).await;
    // The client has sent all of a large body before it reads the answer.
    for length in [0, 4 << 20] {
        let request = serde_json::json!({"model": "gpt-4o", "input": "x".repeat(length)});
        let answered = gateway.post(CHAT, &request).await;
        assert_eq!(answered.status, 400);
        let error = &answered.json()["error"];
        assert_eq!(error["code"], "tls_required");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("https://"), "{message}");
    }
    assert_eq!(first.received_count(), 0);
    let client = https(identity.client(), false);
    let url = gateway.url(CHAT).replace("http:", "https:");
    ask_twice(&client, &url).await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_a_reload() {
    let (old, new) = (Identity::new(), Identity::new());
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let yaml = format!("{}{}", two_upstreams(&first, &first), listener_tls(&old));
    let gateway = TestGateway::start(&yaml).await;
    let url = gateway.url(CHAT).replace("http:", "https:");
    std::fs::copy(new.certificate_file(), old.certificate_file()).unwrap();
    std::fs::copy(new.key_file(), old.key_file()).unwrap();
    ask_twice(&https(old.client(), true), &url).await;
    let config = backstop::config::Config::parse("test", &yaml, &|_| None);
    gateway.gateway.reload(Ok(config.unwrap())).await.unwrap();
    ask_twice(&https(new.client(), true), &url).await;
}

#[tokio::test]
async fn operators_see_when_the_certificate_expires_also_after_a_reload() {
    let (old, new) = (Identity::until(2020), Identity::until(2099));
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let yaml = format!("{}{}", two_upstreams(&first, &first), listener_tls(&old));
    let gateway = TestGateway::start(&yaml).await;
    let is_shown = async |at: &str| {
        let name = "backstop_certificate_expires_timestamp_seconds";
        let line = format!("{name}{{certificate=\"tls.cert\"}} {at}");
        while !gateway.admin("/metrics").await.text().contains(&line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(is_shown("1577836800")).await;
    std::fs::copy(new.certificate_file(), old.certificate_file()).unwrap();
    std::fs::copy(new.key_file(), old.key_file()).unwrap();
    let config = backstop::config::Config::parse("test", &yaml, &|_| None);
    gateway.gateway.reload(Ok(config.unwrap())).await.unwrap();
    within(is_shown("4070908800")).await;
}

#[tokio::test]
async fn a_connection_over_tls_that_asks_for_nothing_is_closed() {
    let identity = Identity::new();
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let lines = format!(
        "{}limits: {{idle_connection: 200ms}}\n",
        listener_tls(&identity)
    );
    let gateway = TestGateway::before(&first, &first, &lines).await;
    for protocols in [vec![b"h2".to_vec()], vec![b"http/1.1".to_vec()], vec![]] {
        let mut tls = identity.client();
        tls.alpn_protocols = protocols;
        let tcp = TcpStream::connect(gateway.gateway.address()).await.unwrap();
        let connecting = TlsConnector::from(Arc::new(tls))
            .connect(IpAddr::from(Ipv4Addr::LOCALHOST).into(), tcp);
        let mut stream = within(connecting).await.unwrap();
        let mut rest = Vec::new();
        // Closed without an alert is closed, too.
        let _ = within(stream.read_to_end(&mut rest)).await;
    }
    // Not even the handshake is awaited any longer.
    let mut tcp = TcpStream::connect(gateway.gateway.address()).await.unwrap();
    assert_eq!(within(tcp.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(first.received_count(), 0);
}

#[tokio::test]
async fn clients_without_tls_may_speak_http_2_if_they_know_that_we_do() {
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    let gateway = TestGateway::before(&first, &second, "").await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let version = ask_twice(&client, &gateway.url(CHAT)).await;
    assert_eq!(version, Version::HTTP_2);
    assert_eq!((first.received_count(), second.received_count()), (2, 0));
}
