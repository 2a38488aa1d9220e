//! Clients of a replica: so many requests a second, whether those before are answered or not.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::replica::Replica;

const CHAT: &str = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}"#;
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a request.
pub(crate) struct Answer {
    pub(crate) sent: Instant,
    pub(crate) took: Duration,
    /// 0: there was none.
    pub(crate) status: u16,
    attempts: String,
}

impl Answer {
    /// Whether it was sent to the first upstream in vain, from this time on.
    pub(crate) fn met_outage(&self, began: Instant) -> bool {
        self.sent >= began && self.attempts.starts_with("one;") && self.attempts.contains("two;")
    }
}

/// Requests that are sent until this is ended.
pub(crate) struct Load {
    stop: oneshot::Sender<()>,
    sender: JoinHandle<Vec<Answer>>,
}

impl Load {
    /// So many a second, with this key.
    pub(crate) fn start(replica: &Replica, key: &str, rate: f64) -> Self {
        let (stop, stopped) = oneshot::channel();
        let url = replica.url("/v1/chat/completions");
        let sender = tokio::spawn(send(url, format!("Bearer {key}"), rate, stopped));
        Self { stop, sender }
    }

    /// All answers, in the order in which their requests were sent.
    pub(crate) async fn end(self) -> Vec<Answer> {
        let _ = self.stop.send(());
        self.sender.await.unwrap()
    }
}

async fn send(
    url: String,
    key: String,
    rate: f64,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<Answer> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = ticks.tick() => open.spawn(ask(client.clone(), url.clone(), key.clone())),
        };
    }
    let mut answers = open.join_all().await;
    answers.sort_by_key(|answer| answer.sent);
    answers
}

async fn ask(client: Client<HttpConnector, Full<Bytes>>, url: String, key: String) -> Answer {
    let sent = Instant::now();
    let request = Request::post(url)
        .header("authorization", key)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(CHAT.as_bytes())));
    let asking = async {
        let answer = client.request(request.unwrap()).await.ok()?;
        let (head, body) = answer.into_parts();
        body.collect().await.ok()?;
        let attempts = head.headers.get("x-backstop-attempts");
        let attempts = attempts.and_then(|value| value.to_str().ok()).unwrap_or("");
        Some((head.status.as_u16(), attempts.to_owned()))
    };
    let answered = timeout(PATIENCE, asking).await.ok().flatten();
    let (status, attempts) = answered.unwrap_or_default();
    Answer {
        sent,
        took: sent.elapsed(),
        status,
        attempts,
    }
}
