//! A tab of a real browser, driven through its `DevTools` protocol.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::RealPace;

/// A browser takes long to start where many start.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(50);

/// An open tab. It is closed when this is dropped.
pub(crate) struct Tab {
    socket: WebSocketStream<TcpStream>,
    session: String,
    last_id: u64,
    /// What the browser complained about: exceptions, and what its policy forbids.
    complaints: Vec<String>,
    _browser: Child,
    _profile: TempDir,
    _pace: RealPace,
}

impl Tab {
    /// Starts a browser with an empty tab.
    pub(crate) async fn start() -> Self {
        let pace = RealPace::keep();
        let profile = tempfile::tempdir().unwrap();
        let browser = start_browser(profile.path());
        let (port, path) = devtools(profile.path()).await;
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tokio_tungstenite::client_async(url, tcp).await.unwrap();
        let mut tab = Self {
            socket,
            session: String::new(),
            last_id: 0,
            complaints: Vec::new(),
            _browser: browser,
            _profile: profile,
            _pace: pace,
        };
        let target = tab.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = target.await["targetId"].take();
        let attach = json!({"targetId": target, "flatten": true});
        let attached = tab.call("Target.attachToTarget", attach).await;
        tab.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            tab.call(domain, json!({})).await;
        }
        tab
    }

    /// The same with this script in the page before its own.
    pub(crate) async fn prepare(&mut self, script: &str) {
        let script = json!({"source": script});
        self.call("Page.addScriptToEvaluateOnNewDocument", script)
            .await;
    }

    pub(crate) async fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url})).await;
    }

    /// How large the screen is, and whether it is a phone's; dark or light.
    pub(crate) async fn look(&mut self, width: u32, is_dark: bool) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
    }

    /// The value of an expression in the page.
    pub(crate) async fn value(&mut self, expression: &str) -> Value {
        let question =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", question).await;
        let failure = &answer["exceptionDetails"];
        assert!(failure.is_null(), "{expression}: {failure:#}");
        answer["result"]["value"].take()
    }

    /// The text that a reader of the page sees.
    pub(crate) async fn text(&mut self) -> String {
        let text = self.value("document.body?.innerText ?? ''").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows a text.
    pub(crate) async fn shows(&mut self, wanted: &str) {
        let wait = async {
            while !self.text().await.contains(wanted) {
                sleep(PAUSE).await;
            }
        };
        if timeout(PATIENCE, wait).await.is_err() {
            panic!("`{wanted}` is not shown: {}", self.text().await);
        }
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let wait = async {
            while self.value(expression).await != true {
                sleep(PAUSE).await;
            }
        };
        let waited = timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("never true: {expression}"));
    }

    /// A picture of the whole page, in a file.
    pub(crate) async fn picture(&mut self, file: &Path) {
        self.top(file, f64::MAX).await;
    }

    /// A picture of the page down to this height.
    pub(crate) async fn top(&mut self, file: &Path, height: f64) {
        let metrics = self.call("Page.getLayoutMetrics", json!({})).await;
        let size = &metrics["cssContentSize"];
        let height = size["height"].as_f64().unwrap().min(height);
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
        let wish = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.call("Page.captureScreenshot", wish).await;
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, unpacked(picture["data"].as_str().unwrap())).unwrap();
    }

    /// What the page's elements are for a screen reader: role and name of each.
    pub(crate) async fn spoken(&mut self) -> Vec<(String, String)> {
        self.call("Accessibility.enable", json!({})).await;
        let tree = self.call("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        let nodes = nodes.filter(|node| node["ignored"] != true);
        nodes
            .map(|node| (text(&node["role"]), text(&node["name"])))
            .collect()
    }

    /// Exceptions, and what the page's policy forbids.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut call = json!({"id": self.last_id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            call["sessionId"] = self.session.as_str().into();
        }
        let call = Message::text(call.to_string());
        self.socket.send(call).await.unwrap();
        loop {
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("in time");
            let Message::Text(text) = message.unwrap().unwrap() else {
                continue;
            };
            let mut said: Value = serde_json::from_str(&text).unwrap();
            if said["id"] == self.last_id {
                assert!(said["error"].is_null(), "{method}: {said:#}");
                return said["result"].take();
            }
            self.note(&said);
        }
    }

    fn note(&mut self, said: &Value) {
        let is_complaint = match said["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => said["params"]["entry"]["source"] == "security",
            _ => false,
        };
        if is_complaint {
            self.complaints.push(said["params"].to_string());
        }
    }
}

fn start_browser(profile: &Path) -> Child {
    let mut chromium = Command::new("chromium");
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("about:blank")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    chromium.spawn().unwrap_or_else(|error| {
        panic!("chromium: {error}; these tests need it: apt-get install chromium")
    })
}

/// Where the browser listens: it writes that into its folder.
async fn devtools(profile: &Path) -> (u16, String) {
    let file: PathBuf = profile.join("DevToolsActivePort");
    let reading = async {
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n')
                && path.starts_with('/')
            {
                return (port.parse().unwrap(), path.trim().to_owned());
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, reading).await.expect("a browser in time")
}

/// The bytes of a text in base64.
fn unpacked(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four
            .iter()
            .fold(0u32, |bits, byte| bits << 6 | u32::from(digit(*byte)));
        let bits = bits << (6 * (4 - four.len()) + 8);
        bytes.extend(&bits.to_be_bytes()[..four.len() - 1]);
    }
    bytes
}
