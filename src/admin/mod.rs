//! The operators' address: a page, metrics, liveness, readiness, the state of upstreams, and actions.
//!
//! *Invariant:* nothing here is for a page of another origin, except the badge, which tells it nothing.

mod actions;
mod availability;
mod badge;
mod candidates;
mod condition;
mod current;
mod explain;
mod feed;
mod felt;
mod incidents;
mod live;
mod moment;
mod no_answer;
mod page;
mod past;
mod recent;
mod reloader;
mod replicas;
mod respond;
mod route_view;
mod status;
mod upstream_state;
mod upstreams;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

pub use current::Current;
pub use felt::Felt;
pub use live::Live;
pub use recent::Recent;
pub use reloader::{ReloadRequest, Reloaded, Reloader, TakenOver};
pub use status::Status;

use self::actions::Action;
use self::live::Source;
use self::respond::{error, json, text};
use crate::browser::Refused;
use crate::event::Events;
use crate::history::History;
use crate::metrics::{Metrics, Now};
use crate::wire::body::{Body, Patience, read_whole};
use crate::wire::headers::{JSON_TYPE, has_media_type};
use crate::wire::host::check_host;
use crate::wire::memory::Memory;
use crate::wire::offload;
use crate::wire::query;
use crate::wire::request_body::RequestBody;

/// The longest body of a question, in bytes.
const LARGEST_QUESTION: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(10);
const WHAT_IS_HERE: &str = "here are / (a page), /metrics, /healthz, /readyz, /badge.svg, /incidents.atom, /api/status, \
                            /api/live, /api/availability, /api/history, /api/incidents, /api/upstreams and POST /api/explain, /api/upstreams/NAME/out, \
                            /api/upstreams/NAME/in, /api/reload\n";

/// Answers operators.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Shown at `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Shown at `/api/availability`, `/api/history` and `/api/incidents`; `None`: it is turned off.
    pub history: Option<Arc<History>>,
    /// Shown as metrics.
    pub memory: Memory,
    /// Shown at `/api/status` and on the page.
    pub status: Status,
    /// Tells pages what changes.
    pub live: Live,
    /// Has the configuration read again.
    pub reloader: Reloader,
    /// Takes what operators do.
    pub events: Events,
}

impl Admin {
    /// Answers one request.
    pub async fn handle(self, request: Request<RequestBody>) -> Response<Body> {
        let (head, body) = request.into_parts();
        if let Err(error) = check_host(&head) {
            return text(StatusCode::BAD_REQUEST, format!("{error}\n"));
        }
        if let Err(refused) = self.admit(&head) {
            return kept_out(&refused);
        }
        let path = head.uri.path();
        match (&head.method, Action::at(path)) {
            (&Method::POST, Some(action)) => self.act(action, &head).await,
            (&Method::POST, None) if path == "/api/explain" => self.explain(&head, body).await,
            (&Method::GET | &Method::HEAD, None) => self.show(&head).await,
            (_, Some(_)) => text(StatusCode::METHOD_NOT_ALLOWED, "an action is a POST\n"),
            (_, None) => text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is understood here, and POST for questions and actions\n",
            ),
        }
    }

    /// A picture may be on any page.
    fn admit(&self, head: &Parts) -> Result<(), Refused> {
        let current = self.status.current.borrow();
        match head.uri.path() == "/badge.svg" && head.method != Method::POST {
            true => current.browsers.admit_host(head),
            false => current.browsers.admit(head),
        }
    }

    async fn show(&self, head: &Parts) -> Response<Body> {
        let (path, now) = (head.uri.path(), Instant::now());
        match path {
            "/metrics" => self.metrics(),
            "/api/status" => json(StatusCode::OK, &self.status.json().await),
            "/api/live" => self.live.listen(Told::by(&self.status)),
            "/api/upstreams" => json(StatusCode::OK, &upstreams::json(&self.status.health, now)),
            "/badge.svg" => self.badge(head).await,
            path if past::is_asked(path) => self.past(head).await,
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if *self.status.leaving.borrow() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            _ => page::file(path, &head.headers)
                .unwrap_or_else(|| text(StatusCode::NOT_FOUND, WHAT_IS_HERE)),
        }
    }

    async fn past(&self, head: &Parts) -> Response<Body> {
        let query = head.uri.query().unwrap_or_default();
        let named = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = head.uri.authority().map(Authority::as_str).or(named);
        let known = (self.history.as_deref(), self.status.sharing.as_deref());
        past::said(known, head.uri.path(), query, host.unwrap_or_default()).await
    }

    async fn badge(&self, head: &Parts) -> Response<Body> {
        let target = head
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        let upstream = query::parameter(target, "upstream");
        let state = self.status.state_name(upstream.as_deref()).await;
        badge::picture(upstream.as_deref().unwrap_or("backstop"), state)
    }

    async fn act(&self, action: Action, head: &Parts) -> Response<Body> {
        let current = Arc::clone(&self.status.current.borrow());
        if let Some(refused) = actions::refused(&head.headers, current.token.as_ref()) {
            return refused;
        }
        let health = &self.status.health;
        match action {
            Action::Reload => actions::reload(&self.reloader).await,
            Action::TakeOut(upstream) => {
                actions::switch(&upstream, true, health, &self.events, &current)
            }
            Action::PutBack(upstream) => {
                actions::switch(&upstream, false, health, &self.events, &current)
            }
        }
    }

    async fn explain(&self, head: &Parts, body: RequestBody) -> Response<Body> {
        // A page can send any other type without asking first.
        if !has_media_type(&head.headers, JSON_TYPE) {
            return text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the question must come with content-type: application/json\n",
            );
        }
        let patience = Patience {
            idle: PATIENCE,
            until: Instant::now() + PATIENCE,
        };
        let routes = Arc::clone(&self.status.current.borrow().routes);
        let answer = match read_whole(body, LARGEST_QUESTION, patience).await {
            Ok(body) => explain::json(&body, &routes, Instant::now()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => json(StatusCode::OK, &answer),
            Err(message) => error(StatusCode::BAD_REQUEST, &message),
        }
    }

    fn metrics(&self) -> Response<Body> {
        let (health, now) = (&self.status.health, Instant::now());
        self.metrics
            .show_memory(self.memory.used(), self.memory.refused());
        let current = Arc::clone(&self.status.current.borrow());
        let shown = offload::aside(|| {
            self.metrics.render(&Now {
                scopes: health.view(now),
                routes: candidates::of_routes(&current, now),
                is_network_lost: health.is_network_lost(),
            })
        });
        let mut response = text(StatusCode::OK, shown);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static(prometheus::TEXT_FORMAT),
        );
        response
    }
}

/// What a listener is told.
struct Told {
    status: Status,
    news: watch::Receiver<()>,
    reloads: watch::Receiver<Arc<Current>>,
    leaving: watch::Receiver<bool>,
}

impl Told {
    fn by(status: &Status) -> Self {
        Self {
            news: status.recent.news(),
            reloads: status.current.clone(),
            leaving: status.leaving.clone(),
            status: status.clone(),
        }
    }
}

impl Source for Told {
    async fn status(&self) -> Value {
        self.status.json().await
    }

    fn version(&self) -> u64 {
        self.status.recent.finished()
    }

    async fn news(&mut self) {
        let changed = tokio::select! {
            changed = self.news.changed() => changed,
            changed = self.reloads.changed() => changed,
            changed = self.leaving.changed() => changed,
        };
        if changed.is_err() {
            pending::<()>().await;
        }
    }
}

/// What a page may list of origins is for the clients' address only.
fn kept_out(refused: &Refused) -> Response<Body> {
    let message = match refused {
        Refused::Host(_) => refused.to_string(),
        Refused::Origin(_) | Refused::Nameless => {
            "the operators' address is for no web page of another origin".to_owned()
        }
    };
    error(StatusCode::FORBIDDEN, &message)
}
