//! Understanding a client's request and answering it.
//!
//! *Invariant:* only `reject` and `exhausted` choose a status of ours; everything else that a client sees is an upstream's.

mod auth;
mod exhausted;
mod models;
mod read;
mod refusal;
mod reject;
mod respond;
mod tally;

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

pub use auth::ClientKeys;

use self::read::{Limits, Path};
use self::reject::Rejection;
use self::tally::Tally;
use crate::event::Events;
use crate::failover::{Answer, Failover};
use crate::request::{Endpoint, ModelRequest};
use crate::routing::RouteTable;
use crate::wire::body::Body;

/// Everything needed to answer clients.
#[derive(Debug)]
pub struct Api {
    clients: ClientKeys,
    routes: Arc<RouteTable>,
    failover: Failover,
    events: Events,
    limits: Limits,
    slots: Arc<Semaphore>,
}

/// What a request comes to, when nothing is wrong with it.
enum Reply {
    /// An upstream's answer.
    Upstream(Answer),
    /// Something that we know ourselves.
    Own(serde_json::Value),
}

impl Api {
    /// Answers these clients by these routes.
    pub fn new(
        clients: ClientKeys,
        routes: Arc<RouteTable>,
        failover: Failover,
        events: Events,
        config: &crate::config::Config,
    ) -> Self {
        Self {
            clients,
            routes,
            failover,
            events,
            limits: Limits {
                body: config.limits.body,
                idle: config.timeouts.idle,
                total: config.timeouts.total,
            },
            slots: Arc::new(Semaphore::new(config.limits.requests)),
        }
    }

    /// Answers one request; never fails.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut tally = Tally::start(self.events.clone());
        match self.answer(head, body, &mut tally).await {
            Ok(Reply::Upstream(answer)) => respond::with_answer(answer, tally),
            Ok(Reply::Own(json)) => respond::with_json(&json, tally),
            Err(rejection) => reject::respond(&rejection, tally),
        }
    }

    async fn answer(
        &self,
        head: Parts,
        body: Incoming,
        tally: &mut Tally,
    ) -> Result<Reply, Rejection> {
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        tally.hold(slot.map_err(|_| Rejection::TooBusy)?);
        tally.client = self.clients.identify(&head.headers)?;
        let path = Path::of(&head.uri)?;
        tally.endpoint = Endpoint::of(&head.method, path.without_query());
        if matches!(head.method, Method::GET | Method::HEAD)
            && let Some(json) = models::own_answer(path.without_query(), &self.routes)
        {
            return json.map(Reply::Own);
        }
        let request = read::request(tally, head, path, body, self.limits).await?;
        tally.read(request.received_at);
        let answer = self.serve(&request, tally).await?;
        Ok(Reply::Upstream(answer))
    }

    async fn serve(&self, request: &ModelRequest, tally: &mut Tally) -> Result<Answer, Rejection> {
        let model = request.model_name();
        if request.endpoint == Endpoint::Other {
            let rule = self
                .routes
                .find_for_forwarding(request.model.as_ref().map(|_| model));
            tally.route = Some(Arc::clone(&rule.route));
            return Ok(self.failover.forward(request, rule).await?);
        }
        let rule = self
            .routes
            .find(model)
            .ok_or_else(|| Rejection::unknown_model(model, &self.routes))?;
        tally.route = Some(Arc::clone(&rule.route));
        Ok(self.failover.run(request, rule).await?)
    }
}
