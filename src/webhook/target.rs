//! One webhook: messages wait for it in a queue of their own, and are posted until it takes them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use http::{Request, StatusCode, Uri};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::message;
use super::news::News;
use crate::config::{Config, NotifyConfig};
use crate::event::{Event, Events};
use crate::upstream::{Client, Connector};
use crate::wire::tls::{self, ClientFiles, Platform, TlsError};
use crate::wire::upload::Upload;

/// So many messages wait; further ones are lost.
const ROOM: usize = 64;
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The pauses between tries.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];
const AGENT: &str = concat!("backstop/", env!("CARGO_PKG_VERSION"));

/// A webhook.
pub(super) struct Target {
    /// Its place in the configuration: `notify[0]`. It stands for the URL, which is a secret.
    place: Arc<str>,
    config: NotifyConfig,
    url: Uri,
    client: Client,
}

/// Why a message was not taken.
struct Refusal {
    reason: String,
    /// Whether it may be taken later, and how long the receiver asks us to wait.
    later: Option<Duration>,
}

impl Target {
    /// The webhooks of a configuration. Fails if the platform's certificates cannot be read.
    pub(super) fn all(config: &Config) -> Result<Vec<Arc<Self>>, TlsError> {
        if config.notify.is_empty() {
            return Ok(Vec::new());
        }
        let tls = tls::client(&Platform::default(), ClientFiles::default())?;
        let hooks = config.notify.iter().enumerate();
        let one =
            |(index, hook): (usize, &NotifyConfig)| Arc::new(Self::new(index, hook, config, &tls));
        Ok(hooks.map(one).collect())
    }

    fn new(index: usize, hook: &NotifyConfig, config: &Config, tls: &ClientConfig) -> Self {
        // The check of the configuration has made sure that it is a URL.
        let url: Uri = hook.url.expose().parse().unwrap_or_default();
        let proxy = config.proxy_for_url(hook.url.expose());
        let connector = Connector::to(url.clone(), tls.clone(), CONNECT).through(proxy);
        Self {
            place: format!("notify[{index}]").into(),
            config: hook.clone(),
            url,
            client: Client::new(connector),
        }
    }

    /// Posts what comes through the queue; ends with the queue.
    pub(super) async fn serve(self: Arc<Self>, mut queue: mpsc::Receiver<News>, events: Events) {
        while let Some(first) = queue.recv().await {
            // What has gathered while another message was on its way goes out as one.
            let mut news = vec![first];
            while let Ok(more) = queue.try_recv() {
                news.push(more);
            }
            let failure = self.tell(&news).await.err();
            self.report(failure, &events);
        }
    }

    /// A queue for it, and its other end.
    pub(super) fn queue() -> (mpsc::Sender<News>, mpsc::Receiver<News>) {
        mpsc::channel(ROOM)
    }

    /// Queues news for it, if it wants to hear of them.
    pub(super) fn offer(&self, news: &[News], queue: &mpsc::Sender<News>, events: &Events) {
        for news in news {
            if self.config.is_on(news.subject.is_about()) && queue.try_send(news.clone()).is_err() {
                self.report(Some("too many messages wait already".to_owned()), events);
            }
        }
    }

    fn report(&self, failure: Option<String>, events: &Events) {
        events.emit(&Event::Notified {
            place: Arc::clone(&self.place),
            failure,
        });
    }

    async fn tell(&self, news: &[News]) -> Result<(), String> {
        let body = message::body(news, self.config.format).to_string();
        let body = Bytes::from(body);
        for pause in PAUSES {
            let Err(refusal) = self.post(body.clone()).await else {
                return Ok(());
            };
            match refusal.later {
                Some(asked) => sleep(pause.max(asked.min(PAUSES[3]))).await,
                None => return Err(refusal.reason),
            }
        }
        let last = self.post(body).await;
        last.map_err(|refusal| refusal.reason)
    }

    async fn post(&self, body: Bytes) -> Result<(), Refusal> {
        let later = |reason: &str| Refusal {
            reason: reason.to_owned(),
            later: Some(Duration::ZERO),
        };
        let request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .body(Upload::from(body));
        let Ok(request) = request else {
            return Err(later("its URL cannot be asked for"));
        };
        // An error may name the host, which is part of the secret.
        match timeout(PATIENCE, self.client.request(request, false)).await {
            Err(_) => Err(later("it does not answer")),
            Ok(Err(_)) => Err(later("it cannot be reached")),
            Ok(Ok(response)) => judged(response.status(), response.headers()),
        }
    }
}

/// Without the URL.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.place)
    }
}

/// Whether a receiver that answers so has taken the message.
fn judged(status: StatusCode, headers: &HeaderMap) -> Result<(), Refusal> {
    if status.is_success() {
        return Ok(());
    }
    let is_passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    let asked = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|value| value.trim().parse().ok());
    let redirects = if status.is_redirection() {
        ", a redirect, which is not followed"
    } else {
        ""
    };
    Err(Refusal {
        reason: format!("it answers {}{redirects}", status.as_u16()),
        later: is_passing.then(|| Duration::from_secs(asked.unwrap_or(0))),
    })
}
