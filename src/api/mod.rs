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
mod stream;
mod tally;
mod upgrade;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use auth::ClientKeys;

use self::read::{Limits, Path};
use self::reject::Rejection;
use self::tally::Tally;
use self::waiting::{Run, Waiting};
use crate::event::Events;
use crate::failover::{Answer, Failover};
use crate::request::{Endpoint, ModelRequest};
use crate::routing::{RouteTable, Rule};
use crate::wire::body::Body;

/// Everything needed to answer clients.
#[derive(Debug)]
pub struct Api {
    clients: ClientKeys,
    routes: Arc<RouteTable>,
    failover: Failover,
    events: Events,
    limits: Limits,
    /// After so long the client of a stream gets a sign of life.
    keepalive: Duration,
    slots: Arc<Semaphore>,
}

/// What a request comes to, when nothing is wrong with it.
enum Reply {
    /// An upstream's answer.
    Upstream(Box<Answer>),
    /// A stream whose first content is still waited for.
    Waiting(Box<Waiting>),
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
            keepalive: config.timeouts.keepalive,
            slots: Arc::new(Semaphore::new(config.limits.requests)),
        }
    }

    /// Answers one request; never fails.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut tally = Tally::start(self.events.clone());
        match self.answer(head, body, &mut tally).await {
            Ok(Reply::Upstream(answer)) => respond::with_answer(*answer, tally),
            Ok(Reply::Waiting(waiting)) => respond::with_waiting(*waiting, tally),
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
        let path = Path::of(&head.uri)?;
        tally.endpoint = Endpoint::of(&head.method, path.without_query());
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        tally.hold(slot.map_err(|_| Rejection::TooBusy)?);
        tally.client = self.clients.identify(&head.headers)?;
        if matches!(head.method, Method::GET | Method::HEAD)
            && let Some(json) =
                models::own_answer(&head.headers, path.without_query(), &self.routes)
        {
            return json.map(Reply::Own);
        }
        if upgrade::is_wanted(&head) {
            let mut request = upgrade::request(tally, head, path, &body)?;
            tally.read(request.received_at);
            request.lives_at = self.failover.creator(&request);
            return self.serve(Arc::new(request), tally).await;
        }
        let mut request = read::request(tally, head, path, body, self.limits).await?;
        tally.read(request.received_at);
        request.lives_at = self.failover.creator(&request);
        if request.endpoint == Endpoint::Other {
            return self.forward(&request, tally).await;
        }
        self.serve(Arc::new(request), tally).await
    }

    /// What lives at an unknown path is sent on untouched.
    async fn forward(&self, request: &ModelRequest, tally: &mut Tally) -> Result<Reply, Rejection> {
        let rule = self.rule_for_forwarding(request)?;
        tally.route = Some(Arc::clone(&rule.route));
        let answer = self.failover.forward(request, rule).await?;
        Ok(Reply::Upstream(Box::new(answer)))
    }

    async fn serve(
        &self,
        request: Arc<ModelRequest>,
        tally: &mut Tally,
    ) -> Result<Reply, Rejection> {
        let rule = self.rule_for(&request)?;
        tally.route = Some(Arc::clone(&rule.route));
        let (endpoint, is_stream) = (request.endpoint, request.streaming);
        let run = self.failover.clone().run(request, Arc::clone(rule));
        if !is_stream {
            return Ok(Reply::Upstream(Box::new(run.await?)));
        }
        let mut run: Run = Box::pin(run);
        match timeout(self.keepalive, &mut run).await {
            Ok(answer) => Ok(Reply::Upstream(Box::new(answer?))),
            Err(_) => Ok(Reply::Waiting(Box::new(Waiting::new(
                run,
                endpoint,
                self.keepalive,
            )))),
        }
    }

    /// By where what it refers to lives, if that is known; else by its model.
    fn rule_for_forwarding(&self, request: &ModelRequest) -> Result<&Arc<Rule>, Rejection> {
        let model = request.model.as_ref().map(|_| request.model_name());
        let rule = self.routes.find_for_forwarding(model);
        match &request.lives_at {
            Some(creator) if rule.candidate_at(creator).is_none() => self
                .routes
                .find_for_upstream(creator)
                .ok_or_else(|| Rejection::CreatorGone(creator.clone())),
            _ => Ok(rule),
        }
    }

    fn rule_for(&self, request: &ModelRequest) -> Result<&Arc<Rule>, Rejection> {
        let model = request.model_name();
        if request.endpoint == Endpoint::Realtime && model.is_empty() {
            // The model stands in the frames, which nobody reads.
            return Ok(self.routes.find_for_forwarding(None));
        }
        self.routes
            .find(model)
            .ok_or_else(|| Rejection::unknown_model(model, &self.routes))
    }
}
