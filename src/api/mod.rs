//! Understands a client's request and answers it.
//!
//! *Invariant:* only `reject`, `exhausted` and `attention` choose a status of our own; every other status comes from an upstream.

mod admit;
mod admitted;
mod attention;
mod auth;
mod count;
mod error;
mod exhausted;
mod give_ups;
mod header_policy;
mod headers;
mod hints;
mod limited;
mod models;
mod path;
mod rate_headers;
mod read;
mod record;
mod reject;
mod respond;
mod revocation;
mod stopping;
mod stored;
mod story;
mod stream;
mod upgrade;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Method, Request};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use admitted::KeysNow;
pub use auth::ClientKeys;

use self::give_ups::GiveUps;
use self::models::Models;
use self::path::Path;
use self::read::BodyLimits;
use self::record::RequestRecord;
use self::reject::{Rejection, Unanswered};
use self::respond::Own;
use self::waiting::{Run, Waiting};
use crate::browser::BrowserPolicy;
use crate::clients::Client;
use crate::event::Events;
use crate::failover::{Answer, Exhausted, Failover};
use crate::request::{ClientApi, Endpoint, ModelRequest, Trace};
use crate::routing::{Candidate, RouteTable, Rule};
use crate::wire::caught;
use crate::wire::host::check_host;
use crate::wire::overload::Overloaded;
use crate::wire::request_body::RequestBody;
use crate::wire::upgrade::{Handled, Shutdown};

/// Everything needed to answer clients.
#[derive(Debug)]
pub struct Api {
    browsers: BrowserPolicy,
    clients: Arc<ClientKeys>,
    keys_now: KeysNow,
    routes: Arc<RouteTable>,
    failover: Failover,
    events: Events,
    limits: BodyLimits,
    models: Models,
    /// How long a stream may be silent before its client gets a keep-alive comment.
    keepalive: Duration,
    slots: Arc<Semaphore>,
    give_ups: Arc<GiveUps>,
    /// The part of the requests that are traced whose clients do not say; `None`: none is traced.
    traced: Option<f64>,
}

/// What a valid request leads to.
enum Reply {
    /// An upstream's answer.
    Upstream(Box<Answer>),
    /// A stream whose first content has not come yet.
    Waiting(Box<Waiting>),
    /// A response that we make ourselves.
    Own(Own),
    /// The response to an OPTIONS request, which has headers only.
    Options(HeaderMap),
}

impl Api {
    /// Serves these clients by these routes, and those who stay for long while their keys are accepted.
    pub fn new(
        (clients, keys_now): (Arc<ClientKeys>, KeysNow),
        routes: Arc<RouteTable>,
        failover: Failover,
        events: Events,
        config: &crate::config::Config,
    ) -> Self {
        Self {
            browsers: BrowserPolicy::for_clients(config),
            clients,
            keys_now,
            routes,
            failover,
            events,
            limits: BodyLimits {
                body: config.limits.body,
                idle: config.timeouts.idle,
                total: config.timeouts.total,
            },
            models: Models::new(config.list_models),
            keepalive: config.timeouts.keepalive,
            slots: Arc::new(Semaphore::new(config.limits.requests)),
            give_ups: Arc::default(),
            traced: config.collector().map(|_| config.traces.ratio),
        }
    }

    /// Answers one request; never fails. Requests without an answer when `shutdown` becomes true are rejected.
    pub fn handle(
        &self,
        request: Request<RequestBody>,
        shutdown: Shutdown,
    ) -> impl Future<Output = Handled> {
        let (head, body) = request.into_parts();
        let mut record = RequestRecord::start(self.events.clone(), head.version, shutdown.clone());
        let origin = self.browsers.listed_origin(&head.headers);
        // A block, since an async function keeps its large arguments twice.
        async move {
            // Boxed where it is made, because it is large, and would be copied with each step of its way.
            let answering = caught::run(Box::pin(self.answer(head, body, &mut record)));
            let reply = tokio::select! {
                biased;
                reply = answering => reply.unwrap_or(Err(Rejection::Panicked)),
                () = stopping::is_over(shutdown) => Err(Rejection::Stopping),
            };
            let mut handled = match reply {
                Ok(Reply::Upstream(answer)) => respond::with_answer(answer, record),
                Ok(Reply::Waiting(waiting)) => respond::with_waiting(*waiting, record).into(),
                Ok(Reply::Own(own)) => respond::with_own(&own, record).into(),
                Ok(Reply::Options(headers)) => respond::with_options(headers, record).into(),
                Err(rejection) => reject::respond(&rejection, record).into(),
            };
            // Errors as well: a page that cannot read an error does not learn what is wrong.
            self.browsers
                .open_to(origin, handled.response.headers_mut());
            handled
        }
    }

    fn answer(
        &self,
        head: Parts,
        body: RequestBody,
        record: &mut RequestRecord,
    ) -> impl Future<Output = Result<Reply, Rejection>> {
        record.client_api = ClientApi::of(head.uri.path(), &head.headers);
        // A block, since an async function keeps its large arguments twice.
        async move {
            if head.extensions.get::<Overloaded>().is_some() {
                record.endpoint = Endpoint::of(&head.method, head.uri.path());
                return Err(Rejection::Overloaded);
            }
            check_host(&head)?;
            if !is_served(&head.method) {
                return Err(Rejection::Method);
            }
            self.browsers.admit(&head)?;
            if head.method == Method::OPTIONS {
                // Before the check of the key: browsers send this request without one.
                return Ok(Reply::Options(self.browsers.options(&head)));
            }
            let path = Path::of(&head.uri)?;
            if path.without_query() != head.uri.path() {
                record.client_api = ClientApi::of(path.without_query(), &head.headers);
            }
            record.endpoint = Endpoint::of(&head.method, path.without_query());
            if let Some(ratio) = self.traced {
                record.trace = Trace::of(&head.headers, ratio);
            }
            let slot = Arc::clone(&self.slots).try_acquire_owned();
            record.hold(slot.map_err(|_| Rejection::TooBusy)?);
            let client = self.clients.identify(&head.headers)?;
            if let Some(client) = client {
                admit::identified(client, record)?;
            }
            record.credential = self.clients.own_credential(&head.headers);
            record.watch_patience(&self.give_ups, &head.headers);
            if matches!(head.method, Method::GET | Method::HEAD)
                && let Some(own) = Box::pin(self.own(client, record.client_api, &path)).await
            {
                return own.map(Reply::Own);
            }
            if upgrade::is_wanted(&head) {
                record.revocation = admitted::revocation(&head.headers, &self.keys_now);
                let mut request = upgrade::request(record, head, path, &body)?;
                record.read(request.received_at);
                admit::admit(client, &request, record)?;
                request.pinned_to = self.failover.owner(&request).await;
                return Box::pin(self.serve(Arc::new(request), record)).await;
            }
            let bounds = (self.limits, self.failover.memory());
            let mut request = read::request(record, head, path, body, bounds).await?;
            record.read(request.received_at);
            admit::admit(client, &request, record)?;
            request.pinned_to = self.failover.owner(&request).await;
            if request.pinned_to.is_none()
                && let Some(id) = request.goes_on_after()
            {
                return Err(Rejection::NoThread(id.to_owned()));
            }
            if request.endpoint == Endpoint::Other {
                // Boxed like all that is seldom needed, so that others do not carry room for it.
                return Box::pin(self.forward(&request, record)).await;
            }
            self.serve(Arc::new(request), record).await
        }
    }

    /// Requests that we answer ourselves.
    async fn own(
        &self,
        client: Option<&Client>,
        client_api: ClientApi,
        path: &Path,
    ) -> Option<Result<Own, Rejection>> {
        match path.without_query() {
            "/" => Some(Ok(greeting())),
            "/models" | "/models/" => {
                let names = self.models.names(&self.routes, client).await;
                Some(Ok(names.list(client_api, path.as_str())))
            }
            path => {
                let name = path.strip_prefix("/models/")?;
                let name = name.strip_suffix('/').unwrap_or(name);
                Some(models::one(name, &self.routes, client, client_api))
            }
        }
    }

    /// Requests to unknown paths are forwarded unchanged.
    async fn forward(
        &self,
        request: &ModelRequest,
        record: &mut RequestRecord,
    ) -> Result<Reply, Rejection> {
        let rule = self.rule_for_forwarding(request)?;
        record.route = Some(Arc::clone(&rule.route));
        check_control(request, rule)?;
        let answer = self.failover.forward(request, rule).await;
        let answer = answer.map_err(|exhausted| unanswered(exhausted, request))?;
        Ok(Reply::Upstream(Box::new(answer)))
    }

    async fn serve(
        &self,
        request: Arc<ModelRequest>,
        record: &mut RequestRecord,
    ) -> Result<Reply, Rejection> {
        let rule = self.rule_for(&request)?;
        record.route = Some(Arc::clone(&rule.route));
        check_control(&request, rule)?;
        let (endpoint, is_stream) = (request.endpoint, request.streaming);
        let keepalive = request.keepalive(self.keepalive);
        let asked = Arc::clone(&request);
        // Boxed where it is made: it is large.
        let mut run: Run = Box::pin(self.failover.clone().run(request, Arc::clone(rule)));
        if endpoint == Endpoint::CountTokens {
            return Ok(match run.await {
                Ok(answer) => Reply::Upstream(Box::new(answer)),
                Err(_) => Reply::Own(count::estimated(&asked.body, self.failover.memory()).await?),
            });
        }
        if !is_stream {
            let answer = run.await;
            let answer = answer.map_err(|exhausted| unanswered(exhausted, &asked))?;
            return Ok(Reply::Upstream(Box::new(answer)));
        }
        match timeout(keepalive, &mut run).await {
            Ok(Ok(answer)) => Ok(Reply::Upstream(Box::new(answer))),
            Ok(Err(exhausted)) => Err(unanswered(exhausted, &asked).into()),
            Err(_) => Ok(Reply::Waiting(Box::new(Waiting::new(
                run, &asked, keepalive,
            )))),
        }
    }

    /// The rule for the model, unless the request refers to an object elsewhere, or no candidate of that rule uses its
    /// API.
    fn rule_for_forwarding(&self, request: &ModelRequest) -> Result<&Arc<Rule>, Rejection> {
        let model = request.model.as_ref().map(|_| request.model_name());
        let rule = self.routes.find_for_forwarding(model);
        if let Some(owner) = &request.pinned_to {
            let is_there = |candidate: &Candidate| candidate.upstream.id() == owner;
            return self
                .routes
                .find_with(rule, is_there)
                .ok_or_else(|| Rejection::OwnerUnavailable(owner.clone()));
        }
        let client_api = request.client_api;
        let speaks_it =
            |candidate: &Candidate| client_api.is_spoken_by(candidate.upstream.dialect());
        Ok(self.routes.find_with(rule, speaks_it).unwrap_or(rule))
    }

    fn rule_for(&self, request: &ModelRequest) -> Result<&Arc<Rule>, Rejection> {
        let model = request.model_name();
        if model.is_empty() && request.endpoint.may_lack_a_model() {
            return Ok(self.routes.find_for_forwarding(None));
        }
        self.routes
            .find(model)
            .ok_or_else(|| Rejection::unknown_model(model, &self.routes))
    }
}

/// Whether the route has the upstream that the request asks for.
fn check_control(request: &ModelRequest, rule: &Rule) -> Result<(), Rejection> {
    let Some(name) = &request.control.only else {
        return Ok(());
    };
    let mut known: Vec<&str> = Vec::new();
    for candidate in &rule.candidates {
        let id = candidate.upstream.id();
        if id == name {
            return Ok(());
        }
        if !known.contains(&id.as_ref()) {
            known.push(id.as_ref());
        }
    }
    Err(Rejection::UnknownUpstream {
        name: name.clone(),
        known: known.join(", "),
    })
}

fn unanswered(exhausted: Exhausted, request: &ModelRequest) -> Unanswered {
    Unanswered {
        exhausted,
        model: request.model_name().to_owned(),
    }
}

/// The methods that the APIs use. The effect of other methods is unknown; TRACE would send our key back.
fn is_served(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
            | Method::OPTIONS
    )
}

fn greeting() -> Own {
    Own::from(json!({
        "name": "backstop",
        "version": env!("CARGO_PKG_VERSION"),
        "message": "Point OPENAI_BASE_URL at this address followed by /v1, or ANTHROPIC_BASE_URL at this address.",
    }))
}
