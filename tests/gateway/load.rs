//! Clients that ask without pause, ask nothing twice, and note whatever they do not get.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{chat, chat_stream, within};

/// One client.
#[derive(Clone)]
pub(crate) struct Caller {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    key: String,
}

impl Caller {
    /// A client that keeps so many idle connections.
    pub(crate) fn new(address: &str, key: &str, kept: usize) -> Self {
        Self {
            http: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(kept)
                .retry_canceled_requests(false)
                .build_http(),
            url: format!("http://{address}/v1/chat/completions"),
            key: key.to_owned(),
        }
    }

    /// Asks, and gives back the answer when it has begun.
    pub(crate) async fn begin(&self, body: &Value) -> Result<Response<Incoming>, String> {
        let request = Request::post(&self.url)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let answer = self.http.request(request).await;
        answer.map_err(|error| format!("{error:?}"))
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&self, body: &Value) -> Result<(), String> {
        let end = match body["stream"] == true {
            true => "data: [DONE]",
            false => "}",
        };
        whole(self.begin(body).await?, end).await
    }
}

/// Reads an answer, which must be a good one with this at its end.
pub(crate) async fn whole(answer: Response<Incoming>, end: &str) -> Result<(), String> {
    let status = answer.status();
    let body = answer.into_body().collect().await;
    let body = body.map_err(|error| format!("{status}, then {error:?}"))?;
    let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    match status == 200 && text.trim_end().ends_with(end) {
        true => Ok(()),
        false => Err(format!("{status} {text}")),
    }
}

/// Chats and streams without pause.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    clients: JoinSet<usize>,
    failures: Arc<Mutex<Vec<String>>>,
}

impl Load {
    /// Four clients for each of these numbers of connections that a client keeps; 0: one connection for each request.
    pub(crate) fn start(address: &str, key: &str, kept: &[usize]) -> Self {
        let mut load = Self {
            stop: watch::Sender::new(false),
            clients: JoinSet::new(),
            failures: Arc::default(),
        };
        for kept in kept {
            for body in [chat(), chat(), chat_stream(), chat_stream()] {
                let caller = Caller::new(address, key, *kept);
                let (failures, stop) = (Arc::clone(&load.failures), load.stop.subscribe());
                load.clients.spawn(async move {
                    let mut answered = 0;
                    while !*stop.borrow() {
                        match caller.ask(&body).await {
                            Ok(()) => answered += 1,
                            Err(failure) => failures.lock().unwrap().push(failure),
                        }
                    }
                    answered
                });
            }
        }
        load
    }

    /// How many requests were answered. None may have failed.
    pub(crate) async fn end(mut self) -> usize {
        self.stop.send_replace(true);
        let mut answered = 0;
        while let Some(of_one) = within(self.clients.join_next()).await {
            answered += of_one.unwrap();
        }
        let failures = self.failures.lock().unwrap();
        assert!(
            failures.is_empty(),
            "{} of {answered}: {failures:#?}",
            failures.len()
        );
        answered
    }
}
