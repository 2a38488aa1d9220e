//! The operators' address: metrics, liveness, readiness, and the state of upstreams.

mod explain;
mod upstreams;

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::browser::{BrowserPolicy, Refused};
use crate::health::Health;
use crate::metrics::{Metrics, Now, RouteView};
use crate::routing::RouteTable;
use crate::wire::body::{Body, Patience, full, read_whole};
use crate::wire::headers::{JSON, has_media_type};
use crate::wire::host::check_host;
use crate::wire::memory::Memory;

/// The longest body of a question, in bytes.
const LARGEST_QUESTION: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers operators.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Which hosts and pages may come in.
    pub browsers: BrowserPolicy,
    /// Shown at `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Shown at `/api/upstreams`, and as metrics.
    pub health: Arc<Health>,
    /// Shown at `/api/explain`.
    pub routes: Arc<RouteTable>,
    /// Shown as metrics.
    pub memory: Memory,
    /// `/readyz` says no as soon as it turns true.
    pub stopping: watch::Receiver<bool>,
}

impl Admin {
    /// Answers one request.
    pub async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        if let Err(error) = check_host(&head) {
            return text(StatusCode::BAD_REQUEST, format!("{error}\n"));
        }
        if let Err(refused) = self.browsers.admit(&head) {
            return kept_out(&refused);
        }
        match (&head.method, head.uri.path()) {
            (&Method::POST, "/api/explain")
                if has_media_type(&head.headers, "application/json") =>
            {
                self.explain(body).await
            }
            // A page can send any other type without asking first.
            (&Method::POST, "/api/explain") => text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the question must come with content-type: application/json\n",
            ),
            (&Method::GET | &Method::HEAD, path) => self.show(path),
            _ => text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is understood here, and POST /api/explain\n",
            ),
        }
    }

    fn show(&self, path: &str) -> Response<Body> {
        match path {
            "/metrics" => self.metrics(),
            "/api/upstreams" => json(
                StatusCode::OK,
                &upstreams::json(&self.health, Instant::now()),
            ),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if *self.stopping.borrow() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /metrics, /healthz, /readyz, /api/upstreams and POST /api/explain\n",
            ),
        }
    }

    async fn explain(&self, body: Incoming) -> Response<Body> {
        let patience = Patience {
            idle: PATIENCE,
            until: Instant::now() + PATIENCE,
        };
        let answer = match read_whole(body, LARGEST_QUESTION, patience).await {
            Ok(body) => explain::json(&body, &self.routes, Instant::now()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => json(StatusCode::OK, &answer),
            Err(error) => json(StatusCode::BAD_REQUEST, &json!({ "error": error })),
        }
    }

    fn metrics(&self) -> Response<Body> {
        let now = Instant::now();
        self.metrics
            .show_memory(self.memory.used(), self.memory.refused());
        let shown = self.metrics.render(&Now {
            scopes: self.health.view(now),
            routes: routes(&self.routes, now),
            is_network_lost: self.health.is_network_lost(),
        });
        let mut response = text(StatusCode::OK, shown);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static(prometheus::TEXT_FORMAT),
        );
        response
    }
}

/// How many candidates each route has, and how many of them would get a request now: of its patterns, the one with the
/// fewest counts.
fn routes(table: &RouteTable, now: Instant) -> Vec<RouteView> {
    let mut views: Vec<RouteView> = Vec::new();
    for rule in table.rules() {
        let candidates = rule.candidates.iter();
        let available = candidates.filter(|candidate| candidate.health.is_available(now));
        let available = available.count();
        match views.iter_mut().find(|view| view.route == rule.route) {
            Some(view) => view.available = view.available.min(available),
            None => views.push(RouteView {
                route: Arc::clone(&rule.route),
                candidates: rule.candidates.len(),
                available,
            }),
        }
    }
    views
}

/// What a page may list of origins is for the clients' address only.
fn kept_out(refused: &Refused) -> Response<Body> {
    let error = match refused {
        Refused::Host(_) => refused.to_string(),
        Refused::Origin(_) | Refused::Nameless => {
            "the operators' address is for no web page of another origin".to_owned()
        }
    };
    json(StatusCode::FORBIDDEN, &json!({ "error": error }))
}

fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = text(status, format!("{value:#}\n"));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn text(status: StatusCode, body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
