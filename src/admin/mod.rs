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

use crate::health::Health;
use crate::metrics::Metrics;
use crate::routing::RouteTable;
use crate::wire::body::{Body, Patience, full, read_whole};
use crate::wire::headers::JSON;

/// The longest body of a question, in bytes.
const LARGEST_QUESTION: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers operators.
#[derive(Clone, Debug)]
pub struct Admin {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    routes: Arc<RouteTable>,
    stopping: watch::Receiver<bool>,
}

impl Admin {
    /// Shows these metrics and this health, and is ready until `stopping` turns true.
    pub fn new(
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        routes: Arc<RouteTable>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            metrics,
            health,
            routes,
            stopping,
        }
    }

    /// Answers one request.
    pub async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        match (request.method(), path.as_str()) {
            (&Method::POST, "/api/explain") => self.explain(request).await,
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

    async fn explain(&self, request: Request<Incoming>) -> Response<Body> {
        let patience = Patience {
            idle: PATIENCE,
            until: Instant::now() + PATIENCE,
        };
        let answer = match read_whole(request.into_body(), LARGEST_QUESTION, patience).await {
            Ok(body) => explain::json(&body, &self.routes, Instant::now()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => json(StatusCode::OK, &answer),
            Err(error) => json(StatusCode::BAD_REQUEST, &json!({ "error": error })),
        }
    }

    fn metrics(&self) -> Response<Body> {
        let views = self.health.view(Instant::now());
        let mut response = text(
            StatusCode::OK,
            self.metrics.render(&views, self.health.is_network_lost()),
        );
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static(prometheus::TEXT_FORMAT),
        );
        response
    }
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
