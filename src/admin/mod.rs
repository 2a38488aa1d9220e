//! The operator's address: metrics, liveness and readiness.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::wire::body::{Body, full};

/// Answers operators.
#[derive(Clone, Debug)]
pub struct Admin {
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
}

impl Admin {
    /// Shows these metrics, and is ready until `stopping` turns true.
    pub fn new(metrics: Arc<Metrics>, stopping: watch::Receiver<bool>) -> Self {
        Self { metrics, stopping }
    }

    /// Answers one request.
    pub async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is understood here\n",
            );
        }
        match request.uri().path() {
            "/metrics" => self.metrics(),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if *self.stopping.borrow() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
            }
            "/readyz" => text(StatusCode::OK, "ready\n"),
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /metrics, /healthz and /readyz\n",
            ),
        }
    }

    fn metrics(&self) -> Response<Body> {
        let mut response = text(StatusCode::OK, self.metrics.render());
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static(prometheus::TEXT_FORMAT),
        );
        response
    }
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
