//! A real browser with a page that tries everything that a page can: requests of pages that are not listed reach no
//! upstream.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{RealPace, TestGateway};

/// A browser takes long to start where many start.
const PATIENCE: Duration = Duration::from_secs(120);
const PAGE: &str = include_str!("../browser/page.html");
/// The page's requests to the clients' address, all of which would reach an upstream.
const TRIES: [&str; 14] = [
    "simple",
    "json",
    "stream",
    "unread",
    "wrong",
    "remove",
    "get",
    "unread_get",
    "events",
    "socket",
    "image",
    "script",
    "frame",
    "form",
];
const AT_OPERATORS: [&str; 3] = ["metrics", "explain", "explain_json"];

/// A site with that page. Used as a proxy, it is what a name resolves to, and then does no more: all that is not its own
/// goes to the gateway under that name.
struct Site {
    address: SocketAddr,
    results: mpsc::UnboundedReceiver<Value>,
    task: JoinHandle<()>,
}

impl Site {
    async fn start(rebound_to: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, results) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let sender = sender.clone();
                let service =
                    service_fn(move |request| answer(request, rebound_to, sender.clone()));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(tcp), service),
                );
            }
        });
        Self {
            address,
            results,
            task,
        }
    }

    /// The origin of its page under this name.
    fn origin(&self, name: &str) -> String {
        format!("http://{name}:{}", self.address.port())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    mut request: Request<Incoming>,
    rebound_to: Option<SocketAddr>,
    results: mpsc::UnboundedSender<Value>,
) -> Result<Response<Full<Bytes>>, hyper_util::client::legacy::Error> {
    let (mut status, mut body) = (200, Bytes::new());
    match (request.uri().path(), rebound_to) {
        ("/page", _) => body = PAGE.into(),
        ("/result", _) => {
            let told = request.into_body().collect().await.unwrap().to_bytes();
            results
                .send(serde_json::from_slice(&told).unwrap())
                .unwrap();
        }
        (_, Some(gateway)) if request.method() != http::Method::CONNECT => {
            let path = request.uri().path_and_query().unwrap().to_string();
            *request.uri_mut() = format!("http://{gateway}{path}").parse::<Uri>().unwrap();
            let client = Client::builder(TokioExecutor::new()).build_http();
            let (head, rest) = client.request(request).await?.into_parts();
            status = head.status.as_u16();
            body = rest.collect().await.unwrap().to_bytes();
        }
        _ => status = 404,
    }
    let answer = Response::builder()
        .status(status)
        .header("content-type", "text/html");
    Ok(answer.body(Full::new(body)).unwrap())
}

/// Opens a page; what became of its tries comes back.
async fn browse(site: &mut Site, url: &str, flags: &[String]) -> Value {
    let _pace = RealPace::keep();
    let profile = tempfile::tempdir().unwrap();
    let mut chromium = Command::new("chromium");
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(flags)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut browser = chromium.spawn().unwrap_or_else(|error| {
        panic!("chromium: {error}; these tests need it: apt-get install chromium")
    });
    let result = tokio::select! {
        result = timeout(PATIENCE, site.results.recv()) => result.expect("in time").unwrap(),
        ended = browser.wait() => panic!("chromium is gone: {ended:?}"),
    };
    browser.kill().await.unwrap();
    result
}

fn resolving(name: &str) -> [String; 1] {
    [format!("--host-resolver-rules=MAP {name} 127.0.0.1")]
}

async fn upstreams() -> (Simulator, Simulator) {
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    (first, second)
}

fn page_for(gateway: &TestGateway, host: &str) -> String {
    let port = gateway.gateway.address().port();
    let admin = gateway.gateway.admin_address();
    format!("/page?proxy=http://{host}:{port}&admin=http://{admin}")
}

fn is_success(result: &Value) -> bool {
    result["status"] == 200 || result == "open"
}

/// Names, ports and schemes make other origins; none of these origins is listed.
#[tokio::test]
async fn a_page_of_another_origin_reaches_no_upstream() {
    let mut site = Site::start(None).await;
    let (first, second) = upstreams().await;
    let gateway = TestGateway::before(&first, &second, "cors: [\"http://app.example\"]\n").await;
    for (page, host) in [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("evil.example", "127.0.0.1"),
        ("evil.example", "localhost"),
    ] {
        let url = site.origin(page) + &page_for(&gateway, host);
        let results = browse(&mut site, &url, &resolving("evil.example")).await;
        for name in TRIES.iter().chain(&AT_OPERATORS) {
            assert!(!is_success(&results[*name]), "{page} {name}: {results:#}");
        }
        let received = first.received();
        assert!(received.is_empty(), "{page} {host}: {received:#?}");
    }
    assert_eq!(second.received_count(), 0);
}

/// DNS rebinding: a name that leads to the page first and to the gateway later makes both one origin.
#[tokio::test]
async fn a_name_that_leads_to_us_makes_no_page_ours() {
    let (first, second) = upstreams().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let admin = gateway.gateway.admin_address();
    for target in [gateway.gateway.address(), admin] {
        let mut site = Site::start(Some(target)).await;
        let proxy = [format!("--proxy-server=http://{}", site.address)];
        let origin = format!("http://evil.example:{}", target.port());
        let url = format!("{origin}/page?proxy={origin}&admin={origin}");
        let results = browse(&mut site, &url, &proxy).await;
        for name in TRIES.iter().chain(&AT_OPERATORS) {
            assert!(!is_success(&results[*name]), "{name}: {results:#}");
        }
        for name in ["simple", "json", "get", "metrics", "explain_json"] {
            assert_eq!(results[name]["status"], 403, "{name}: {results:#}");
            let told = results[name]["text"].as_str().unwrap();
            assert!(told.contains("evil.example"), "{told}");
        }
    }
    assert_eq!((first.received_count(), second.received_count()), (0, 0));
}

#[tokio::test]
async fn a_listed_page_is_served_and_can_read_all_of_it() {
    let mut site = Site::start(None).await;
    let (first, _) = upstreams().await;
    let voice = Voice::start().await;
    let origin = site.origin("app.example");
    let listed = format!("cors: [\"{origin}\"]\n");
    let gateway = TestGateway::start(&(voice.beside(&first) + &listed)).await;
    let url = origin + &page_for(&gateway, "127.0.0.1");
    let results = browse(&mut site, &url, &resolving("app.example")).await;
    for name in ["simple", "json", "stream"] {
        let result = &results[name];
        assert_eq!(result["status"], 200, "{name}: {results:#}");
        assert_eq!(result["by"], "first", "{name}: {result}");
        assert_eq!(result["id"], "req_", "{name}: {result}");
    }
    assert_eq!(results["socket"], "open", "{results:#}");
    // The page can read our own errors as well.
    assert_eq!(results["wrong"]["status"], 400, "{results:#}");
    assert!(results["wrong"]["text"].as_str().unwrap().contains("model"));
    // A request without an origin could come from any page.
    assert_eq!(results["image"], "error");
    for name in AT_OPERATORS {
        assert!(!is_success(&results[name]), "{name}: {results:#}");
    }
    let received = first.received();
    assert!(!received.is_empty());
    for request in received {
        assert_ne!(request.method, "OPTIONS", "{request:?}");
        for name in ["origin", "referer", "sec-fetch-site", "sec-ch-ua"] {
            assert_eq!(request.header(name), None, "{name}: {request:?}");
        }
    }
}

#[tokio::test]
async fn any_page_may_call_where_pages_need_a_key() {
    let mut site = Site::start(None).await;
    let (first, second) = upstreams().await;
    let clients = "cors: [\"*\"]\nclients: [{name: anna, key: key-of-anna}]\n";
    let gateway = TestGateway::before(&first, &second, clients).await;
    let page = site.origin("app.example") + &page_for(&gateway, "127.0.0.1");

    let results = browse(&mut site, &page, &resolving("app.example")).await;
    assert_eq!(results["json"]["status"], 401, "{results:#}");
    assert_eq!(first.received_count(), 0);

    let url = format!("{page}&key=key-of-anna");
    let results = browse(&mut site, &url, &resolving("app.example")).await;
    assert_eq!(results["json"]["status"], 200, "{results:#}");
    for name in AT_OPERATORS {
        assert!(!is_success(&results[name]), "{name}: {results:#}");
    }
    for request in first.received() {
        let sent = format!("{:?}", request.headers);
        assert!(!sent.contains("key-of-anna"), "{sent}");
    }
}

/// An upstream that accepts every WebSocket.
struct Voice {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Voice {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut open = Vec::new();
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                #[expect(clippy::result_large_err, reason = "the library's type")]
                let agreed = tokio_tungstenite::accept_hdr_async(
                    tcp,
                    |_: &Request<()>, mut response: Response<()>| {
                        let headers = response.headers_mut();
                        headers.insert("sec-websocket-protocol", "realtime".parse().unwrap());
                        Ok(response)
                    },
                );
                open.push(agreed.await.unwrap());
            }
        });
        Self { address, task }
    }

    /// A configuration with it for the model `voice`, and another upstream for all others.
    fn beside(&self, other: &Simulator) -> String {
        format!(
            "upstreams:\n\
             \x20 first: {{provider: openai-compatible, base_url: \"{}\"}}\n\
             \x20 voice: {{provider: openai-compatible, base_url: \"http://{}/v1\"}}\n\
             routes:\n\
             \x20 - {{models: [\"*\"], candidates: [{{upstream: first}}]}}\n\
             \x20 - {{models: [voice], candidates: [{{upstream: voice}}]}}\n",
            other.base_url(),
            self.address
        )
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.task.abort();
    }
}
