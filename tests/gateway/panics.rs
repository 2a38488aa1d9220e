//! A panic costs the request that met it, and nobody else anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backstop::config::Config;
use backstop::event::{Event, RequestReport, RequestResult, Sink};
use backstop::gateway::Gateway;
use backstop::simulator::{Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{EventLog, Setup, chat, chat_stream};
use crate::raw::Raw;

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// Whoever observes is called in the midst of serving. This observer panics once, at the end of an attempt.
#[derive(Clone, Default)]
struct Trap(Arc<AtomicBool>);

impl Trap {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Sink for Trap {
    fn record(&self, event: &Event) {
        if matches!(event, Event::AttemptFinished { .. }) && self.0.swap(false, Ordering::SeqCst) {
            panic!("on purpose, about `a secret`");
        }
    }
}

struct Scene {
    gateway: Gateway,
    events: EventLog,
    trap: Trap,
    upstream: Simulator,
}

impl Scene {
    /// There is one place for a request, and one seat at the upstream: both are needed again.
    async fn set(script: Script) -> Self {
        let upstream = Simulator::start("only", script).await.unwrap();
        let lines = "listen: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\n\
                     limits: {requests: 1}\ntimeouts: {keepalive: 100ms}\n";
        let keys = "provider: openai-compatible, api_key: only-key, concurrency: 1";
        let yaml = Setup::new().upstream_as(&upstream, keys).lines(lines);
        let config: Config = yaml.config().unwrap();
        let (events, trap) = (EventLog::default(), Trap::default());
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(events.clone()), Box::new(trap.clone())];
        Self {
            gateway: Gateway::start(&config, sinks).await.unwrap(),
            events,
            trap,
            upstream,
        }
    }

    async fn client(&self) -> Raw {
        Raw::open(self.gateway.address()).await
    }

    /// The request that panicked failed, and its upstream is not blamed.
    async fn ended(&self, result: RequestResult) {
        let report = |event: &Event| match event {
            Event::RequestFinished(report) => Some(report.clone()),
            _ => None,
        };
        let report: RequestReport = self.events.wait_for(report).await;
        assert_eq!(report.result, result);
        assert!(report.failed_by.is_empty(), "{:?}", report.failed_by);
        let changes = self.events.all();
        let is_change = |event: &Event| matches!(event, Event::HealthChanged(_));
        assert!(!changes.iter().any(is_change));
    }
}

fn last_json(text: &str) -> Value {
    let (_, body) = text.rsplit_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn it_is_an_error_in_the_words_of_the_clients_api() {
    let message = json!({"role": "user", "content": "hi"});
    let messages = json!({"model": "gpt-4o", "max_tokens": 9, "messages": [message]});
    for (path, body) in [(CHAT, chat()), (MESSAGES, messages)] {
        let scene = Scene::set(Script::healthy()).await;
        let mut client = scene.client().await;
        scene.trap.set();
        client.ask(path, &body.to_string()).await;
        let end = match path {
            CHAT => "}}",
            _ => "\"request_id\":\"",
        };
        let answer = client.until(end).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains("x-request-id: req_"), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
        let json = last_json(&answer);
        match path {
            CHAT => assert_eq!(json["error"]["code"], "internal_error"),
            _ => assert_eq!(json["type"], "error"),
        }
        scene.ended(RequestResult::Failed).await;

        // Neither the connection nor a place is lost.
        client.ask(path, &body.to_string()).await;
        let both = client.until("HTTP/1.1 200 ").await;
        assert!(both.contains("HTTP/1.1 200 "), "{both}");
        assert_eq!(scene.upstream.received().len(), 2);
        let mut operator = Raw::open(scene.gateway.admin_address()).await;
        let get = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        operator.say(get.as_bytes()).await;
        let metrics = operator.until_closed().await;
        let count = metrics
            .lines()
            .find_map(|line| line.strip_prefix("backstop_panics_total "));
        assert!(count.unwrap().parse::<f64>().unwrap() >= 1.0);
    }
}

#[tokio::test]
async fn a_stream_breaks_off_and_does_not_look_whole() {
    // The head goes out before the end comes.
    let slow = Script::healthy().with_token_delay(std::time::Duration::from_millis(50));
    let scene = Scene::set(slow).await;
    let mut client = scene.client().await;
    scene.trap.set();
    client.ask(CHAT, &chat_stream().to_string()).await;
    let text = client.until_closed().await;
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
    scene.ended(RequestResult::Broken).await;

    let mut client = scene.client().await;
    client.ask(CHAT, &chat_stream().to_string()).await;
    let text = client.until("[DONE]").await;
    assert!(text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn a_stream_that_has_only_shown_signs_of_life_ends_with_an_error() {
    let slow = Script::status(400).with_answer_delay(std::time::Duration::from_millis(500));
    let scene = Scene::set(slow).await;
    let mut client = scene.client().await;
    scene.trap.set();
    client.ask(CHAT, &chat_stream().to_string()).await;
    let text = client.until("0\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(text.contains("internal_error"), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
    scene.ended(RequestResult::Broken).await;
}

#[tokio::test]
async fn a_reload_fails_and_the_configuration_before_it_stays() {
    let scene = Scene::set(Script::healthy()).await;
    // No file can say so: more than a semaphore takes.
    let mut config: Config = Setup::new().upstream(&scene.upstream).config().unwrap();
    config.limits.requests = usize::MAX;
    let refused = scene.gateway.reload(Ok(config)).await.unwrap_err();
    assert!(refused.contains("a bug of the proxy"), "{refused}");
    let rejected = |event: &Event| match event {
        Event::ConfigRejected { reason } => Some(reason.clone()),
        _ => None,
    };
    assert_eq!(scene.events.wait_for(rejected).await, refused);
    let mut client = scene.client().await;
    client.ask(CHAT, &chat().to_string()).await;
    client.until("HTTP/1.1 200 ").await;
    // The next one is taken.
    let config = Setup::new().upstream(&scene.upstream).config();
    scene.gateway.reload(config).await.unwrap();
}
