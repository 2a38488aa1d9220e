//! A gateway to test, its event log, and a client for it. Nothing here sleeps: tests wait for events.

mod clock;
mod port;
mod setup;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop::config::Config;
use backstop::event::{Event, HealthChange, RequestReport, Sink};
use backstop::gateway::Gateway;
use backstop::simulator::{Script, Simulator};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) use self::clock::{RealPace, pass};
pub(crate) use self::port::Port;
pub(crate) use self::setup::Setup;

/// The longest wait in any test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// A running gateway on free ports, with its own client.
pub(crate) struct TestGateway {
    pub(crate) gateway: Gateway,
    pub(crate) events: EventLog,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// The response that the client received.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answered {
    /// The whole answer.
    async fn of(answer: http::Response<Incoming>) -> Self {
        let (head, body) = answer.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Which upstream answered, from the response's header.
    pub(crate) fn upstream(&self) -> &str {
        self.header("x-backstop-upstream")
    }

    /// The outcomes of all attempts, from the response's header: `["first:overloaded", "second:ok"]`.
    pub(crate) fn trail(&self) -> Vec<String> {
        self.header("x-backstop-attempts")
            .split(", ")
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let mut parts = entry.split(';');
                let upstream = parts.next().unwrap();
                let outcome = parts.next().unwrap().strip_prefix("outcome=").unwrap();
                format!("{upstream}:{outcome}")
            })
            .collect()
    }
}

impl Answered {
    /// The different outcomes of all attempts, in the order in which they came first: whoever failed in passing is asked
    /// again.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let mut outcomes = Vec::new();
        for outcome in self.trail() {
            if !outcomes.contains(&outcome) {
                outcomes.push(outcome);
            }
        }
        outcomes
    }
}

impl TestGateway {
    /// Starts a gateway with a configuration; its addresses are set to free ports.
    pub(crate) async fn start(yaml: &str) -> Self {
        // Most tests count what upstreams receive.
        let check = match yaml.contains("check_models:") {
            true => "",
            false => "check_models: false\n",
        };
        let text =
            format!("listen: 127.0.0.1:0\nadmin: {{listen: \"127.0.0.1:0\"}}\n{check}{yaml}");
        let config =
            Config::parse("test", &text, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
        Self::start_by(&config).await
    }

    /// The same with a configuration that has been read.
    pub(crate) async fn start_by(config: &Config) -> Self {
        clock::keep();
        let events = EventLog::default();
        let gateway = Gateway::start(config, vec![Box::new(events.clone())])
            .await
            .unwrap();
        Self {
            gateway,
            events,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Starts a gateway with two upstreams, `first` before `second`, for all models, and these further lines.
    pub(crate) async fn before(first: &Simulator, second: &Simulator, more: &str) -> Self {
        Self::start(&format!("{}{more}", two_upstreams(first, second))).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.address())
    }

    /// Posts a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.to_string())
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(Method::GET, path, &[], "").await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answered {
        let answer = self.open(method, path, headers, body).await;
        let whole = tokio::time::timeout(PATIENCE, Answered::of(answer)).await;
        whole.expect("a body in time")
    }

    /// Sends a request and returns the answer as it arrives.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let answer = self.open_at_leisure(method, path, headers, body);
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.expect("an answer in time")
    }

    /// The same, however long the answer takes on the clock of the test.
    pub(crate) async fn open_at_leisure(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        self.ask(method, self.url(path), headers, body).await
    }

    /// Posts a JSON body, and reads the whole answer while so much time passes.
    pub(crate) async fn post_and_pass(&self, path: &str, body: &Value, time: Duration) -> Answered {
        let headers = [("content-type", "application/json")];
        let answering = async {
            let answer = self.open_at_leisure(Method::POST, path, &headers, body.to_string());
            Answered::of(answer.await).await
        };
        tokio::join!(answering, pass(time)).0
    }

    /// Sends requests until health takes something out of rotation; returns how many. Every one is answered.
    pub(crate) async fn ask_until_out(&self, body: &Value) -> usize {
        for count in 1..=20 {
            let answered = self.post("/v1/chat/completions", body).await;
            assert_eq!(answered.status, 200, "{:?}", answered.body);
            if self.has_something_out() {
                return count;
            }
        }
        panic!("nothing went out of rotation: {:#?}", self.events.all())
    }

    /// Whether health has taken something out of rotation.
    pub(crate) fn has_something_out(&self) -> bool {
        let is_out =
            |event: &Event| matches!(event, Event::HealthChanged(HealthChange::Opened { .. }));
        self.events.all().iter().any(is_out)
    }

    /// The reasons for the attempts that have ended.
    pub(crate) fn phases(&self) -> Vec<&'static str> {
        let events = self.events.all();
        let phases = events.iter().filter_map(|event| match event {
            Event::AttemptFinished { report, .. } => Some(report.phase.label()),
            _ => None,
        });
        phases.collect()
    }

    /// The operators' page at a path.
    pub(crate) async fn admin(&self, path: &str) -> Answered {
        self.ask_admin(Method::GET, path, &[], "").await
    }

    /// Posts a question to the operators' address.
    pub(crate) async fn admin_post(&self, path: &str, body: &Value) -> Answered {
        let headers = [("content-type", "application/json")];
        self.ask_admin(Method::POST, path, &headers, body.to_string())
            .await
    }

    /// Sends a request to the operators' address.
    pub(crate) async fn ask_admin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answered {
        Answered::of(self.open_admin(method, path, headers, body).await).await
    }
}

impl TestGateway {
    /// Sends a request to the operators' address and returns the answer as it arrives.
    pub(crate) async fn open_admin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let url = format!("http://{}{path}", self.gateway.admin_address());
        self.ask(method, url, headers, body).await
    }

    async fn ask(
        &self,
        method: Method,
        url: String,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.client.request(request).await.expect("an answer")
    }
}

/// Two healthy upstreams, `first` and `second`.
pub(crate) async fn simulators() -> (Simulator, Simulator) {
    let first = Simulator::start("first", Script::healthy()).await.unwrap();
    let second = Simulator::start("second", Script::healthy()).await.unwrap();
    (first, second)
}

/// Runs something that must not take long.
pub(crate) async fn within<T>(something: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, something)
        .await
        .expect("in time")
}

/// What any server answers to a GET: the status and the body.
pub(crate) async fn fetch(url: &str) -> (u16, Bytes) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let answer = within(client.get(url.parse().unwrap())).await.unwrap();
    let status = answer.status().as_u16();
    let body = within(answer.into_body().collect()).await.unwrap();
    (status, body.to_bytes())
}

/// Makes sure that an answer is an error of the gateway's own, in the form that OpenAI's SDKs read, and gives back
/// its `error` object.
pub(crate) fn refusal(answered: &Answered, status: u16, code: &str) -> Value {
    let error = answered.json()["error"].take();
    assert_eq!(answered.status, status, "{error}");
    assert_eq!(error["code"], code, "{error}");
    for field in ["message", "type"] {
        assert!(error[field].is_string(), "{field}: {error}");
    }
    assert!(error.get("param").is_some(), "param: {error}");
    assert_eq!(answered.header("content-type"), "application/json");
    assert!(answered.header("x-request-id").starts_with("req_"));
    error
}

/// The configuration of two upstreams for all models.
pub(crate) fn two_upstreams(first: &Simulator, second: &Simulator) -> String {
    let keys = |name| format!("provider: openai-compatible, api_key: {name}-key");
    Setup::new()
        .upstream_at("first", &first.base_url(), &keys("first"))
        .upstream_at("second", &second.base_url(), &keys("second"))
        .yaml()
}

/// A chat request.
pub(crate) fn chat() -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
}

/// A chat request for a stream.
pub(crate) fn chat_stream() -> Value {
    let mut body = chat();
    body["stream"] = true.into();
    body
}

/// The text of a chat answer.
pub(crate) fn chat_text(answered: &Answered) -> String {
    answered.json()["choices"][0]["message"]["content"]
        .as_str()
        .unwrap_or_else(|| panic!("no chat answer: {:?}", answered.body))
        .to_owned()
}

/// The text of a streamed chat answer, and whether it ended as it should.
pub(crate) fn stream_text(body: &str) -> (String, bool) {
    let mut text = String::new();
    let mut has_finish = false;
    for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(chunk) = serde_json::from_str::<Value>(data) else {
            continue;
        };
        text += chunk["choices"][0]["delta"]["content"]
            .as_str()
            .unwrap_or("");
        has_finish |= chunk["choices"][0]["finish_reason"].is_string();
    }
    (
        text,
        has_finish && body.trim_end().ends_with("data: [DONE]"),
    )
}

/// Everything the gateway reported, in order.
#[derive(Clone)]
pub(crate) struct EventLog {
    events: Arc<Mutex<Vec<Event>>>,
    count: watch::Sender<usize>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            events: Arc::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl Sink for EventLog {
    fn record(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
        self.count.send_modify(|count| *count += 1);
    }
}

impl EventLog {
    /// Waits until an event has been reported from which `wanted` makes a value, and returns the value.
    pub(crate) async fn wait_for<T>(&self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let mut count = self.count.subscribe();
        let waiting = async {
            loop {
                count.borrow_and_update();
                if let Some(found) = self.events.lock().unwrap().iter().find_map(&mut wanted) {
                    return found;
                }
                count.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("the event did not come: {:#?}", self.all()))
    }

    /// Waits until all that has been reported is as it should be.
    pub(crate) async fn wait_until(&self, is_so: impl Fn(&[Event]) -> bool) {
        let mut count = self.count.subscribe();
        let waiting = async {
            loop {
                count.borrow_and_update();
                if is_so(&self.events.lock().unwrap()) {
                    return;
                }
                count.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("that did not come: {:#?}", self.all()));
    }

    /// The report of the request that is finished after so many others.
    pub(crate) async fn finished(&self, behind: usize) -> RequestReport {
        // Each time that something happens, all events are looked at anew.
        let mut seen = Vec::new();
        self.wait_for(move |event| match event {
            Event::RequestFinished(report) => {
                if !seen.contains(&report.id) {
                    seen.push(report.id.clone());
                }
                let place = seen.iter().position(|id| *id == report.id);
                place
                    .filter(|place| *place >= behind)
                    .map(|_| report.clone())
            }
            _ => None,
        })
        .await
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }
}
