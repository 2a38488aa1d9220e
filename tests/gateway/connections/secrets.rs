//! Certificates of our own, and further headers.

use std::sync::Arc;

use backstop::config::Config;
use backstop::simulator::{Script, Simulator};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{copy, sink};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::http1::{Bytes, Turn};
use super::{CHAT, second};
use crate::harness::{Setup, chat, chat_text};
use crate::tls::{Identity, provider};

#[tokio::test]
async fn further_headers_go_with_every_request_and_stay_secret() {
    let error = "{\"error\":{\"message\":\"no tenant-secret-1\",\"type\":\"invalid\"}}";
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n";
    let reply = format!("{head}content-length: {}\r\n\r\n{error}", error.len());
    let reply = Turn::Say(reply.into_bytes().leak());
    let first = Bytes::start(&[Turn::Answer, reply]).await;
    let url = format!("http://{}/v1", first.address);
    let keys = "provider: openai-compatible, api_key: k, headers: {X-Tenant: tenant-secret-1, openai-organization: org}";
    let gateway = Setup::new().upstream_at("first", &url, keys).start().await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.status, 400);
    assert_eq!(answered.json()["error"]["message"], "no ***");
    for head in first.heads() {
        assert!(head.contains("x-tenant: tenant-secret-1\r\n"), "{head}");
        assert!(head.contains("openai-organization: org\r\n"), "{head}");
    }
}

/// Express says which path it lacks, and Squid's pages may say who asked.
#[tokio::test]
async fn what_is_secret_in_a_url_stays_so_if_it_is_repeated() {
    let echo = "no POST /path-secret-1/v1/x from user:proxy%2Fpass-1 (dXNlcjpwcm94eS9wYXNzLTE=)";
    for (status, body) in [
        (
            "400 Bad Request",
            format!("{{\"error\":{{\"message\":\"{echo}\"}}}}"),
        ),
        ("404 Not Found", echo.to_owned()),
        ("403 Forbidden", echo.to_owned()),
    ] {
        let head = format!("HTTP/1.1 {status}\r\nx-echo: {echo}\r\n");
        let reply = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        let reply = Turn::Say(reply.into_bytes().leak());
        let first = Bytes::start(&[reply; 20]).await;
        let more = format!(
            "provider: openai-compatible, api_key: k, proxy: \"http://user:proxy%2Fpass-1@{}\"",
            first.address
        );
        let url = "http://10.0.0.1/${NOWHERE:-path-secret-1}/v1";
        let gateway = Setup::new().upstream_at("first", url, &more).start().await;
        for path in [CHAT, "/v1/images/generations"] {
            let answered = gateway.post(path, &chat()).await;
            let shown = format!("{:?} {}", answered.headers, answered.text());
            assert!(shown.contains("***"), "{status} {path}: {shown}");
            for secret in ["path-secret-1", "pass-1", "dXNlcjp"] {
                assert!(!shown.contains(secret), "{status} {path}: {shown}");
            }
        }
        assert!(first.heads()[0].starts_with("POST http://10.0.0.1/path-secret-1/v1/"));
    }
}

#[test]
fn headers_that_are_not_to_be_given_are_told() {
    let text = "
upstreams:
  one:
    provider: openai
    api_key: k
    proxy: ftp://x
    client_cert: /nowhere/cert.pem
    headers: {Authorization: a, Host: b, Connection: c, \"not a name\": d, x-fine: e}
routes: [{models: [\"*\"], candidates: [{upstream: one}]}]
";
    let problems = Config::parse("test", text, &|_| None).unwrap_err();
    let mut paths: Vec<_> = problems
        .list
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    paths.sort_unstable();
    let expected = [
        "upstreams.one.client_cert",
        "upstreams.one.client_key",
        "upstreams.one.headers.Authorization",
        "upstreams.one.headers.Connection",
        "upstreams.one.headers.Host",
        "upstreams.one.headers.not a name",
        "upstreams.one.proxy",
    ];
    assert_eq!(paths, expected, "{problems}");
}

/// What `openssl req -x509` makes is marked as an authority.
#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_accepted_if_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cert.pem");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(&file, certificate.pem()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let first = Simulator::start_tls("first", Script::healthy(), Arc::new(server));
    let (first, second) = (first.await.unwrap(), second().await);
    let keys = format!(
        "provider: openai-compatible, ca_file: \"{}\"",
        file.display()
    );
    let setup = Setup::new().upstream_as(&first, &keys);
    let gateway = setup.upstream(&second).start().await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(chat_text(&answered), "Hello from first.");
}

#[tokio::test]
async fn an_upstream_that_wants_a_certificate_is_shown_ours() {
    let (theirs, ours) = (Identity::new(), Identity::new());
    let mut roots = RootCertStore::empty();
    roots.add(ours.certificate()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let server = theirs.server_with(verifier.build().unwrap());
    let first = Simulator::start_tls("first", Script::healthy(), server);
    let (first, second) = (first.await.unwrap(), second().await);
    let file = |path: std::path::PathBuf| path.display().to_string();
    let trusting = format!(
        "provider: openai-compatible, ca_file: \"{}\"",
        file(theirs.certificate_file())
    );
    let showing = format!(
        "{trusting}, client_cert: \"{}\", client_key: \"{}\"",
        file(ours.certificate_file()),
        file(ours.key_file())
    );
    for (keys, first_answers) in [(trusting, false), (showing, true)] {
        let setup = Setup::new().upstream_as(&first, &keys);
        let gateway = setup.upstream(&second).start().await;
        let answered = gateway.post(CHAT, &chat()).await;
        let expected = if first_answers {
            "Hello from first."
        } else {
            "Hello from second."
        };
        assert_eq!(chat_text(&answered), expected);
    }
    assert_eq!((first.received_count(), second.received_count()), (1, 1));
}

/// In TLS 1.3 the handshake is over for us before our certificate is judged, and the request is on its way.
#[tokio::test]
async fn an_upstream_that_refuses_our_certificate_counts_as_one_without_a_connection() {
    let theirs = Identity::new();
    let mut roots = RootCertStore::empty();
    roots.add(theirs.certificate()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let acceptor = TlsAcceptor::from(theirs.server_with(verifier.build().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("https://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let accepting = acceptor.accept(tcp).into_fallible();
            tokio::spawn(async move {
                // A connection that is closed before the request is read might take the alert along.
                if let Err((_, mut tcp)) = accepting.await {
                    let _ = copy(&mut tcp, &mut sink()).await;
                }
            });
        }
    });
    let keys = format!(
        "provider: openai-compatible, ca_file: \"{}\"",
        theirs.certificate_file().display()
    );
    let second = second().await;
    let setup = Setup::new().upstream_at("first", &base_url, &keys);
    let gateway = setup.upstream(&second).start().await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:tls_failed", "second:ok"]);
    assert_eq!(chat_text(&answered), "Hello from second.");
}
