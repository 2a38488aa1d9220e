//! What clients got, by route, endpoint and client.

use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

use super::attempts::{TOKENS, add};
use super::families::{Made, counters, gauge};
use super::known::Known;
use super::labels::{NONE, status_label};
use super::timings::Timings;
use crate::event::{Refusal, RequestReport, RequestResult};
use crate::request::Endpoint;
use crate::wire::mix::OwnNames;

/// What clients usually get; the series of other statuses begin when they are needed.
const USUAL: [(&str, RequestResult); 10] = [
    ("200", RequestResult::Answered),
    ("200", RequestResult::Broken),
    ("200", RequestResult::ClientGone),
    ("400", RequestResult::Rejected),
    ("402", RequestResult::Failed),
    ("403", RequestResult::Failed),
    ("404", RequestResult::Rejected),
    ("429", RequestResult::Failed),
    ("499", RequestResult::ClientGone),
    ("503", RequestResult::Failed),
];

/// The metrics of requests.
#[derive(Debug)]
pub(super) struct Requests {
    requests: IntCounterVec,
    in_flight: IntGauge,
    by_client: IntCounterVec,
    tokens: IntCounterVec,
    /// One for each reason.
    refusals: [IntCounter; Refusal::ALL.len()],
    timings: Timings,
    /// The series that requests need, so that nothing is looked up by its labels.
    usual: ArcSwap<Usual>,
}

#[derive(Debug, Default)]
struct Usual {
    /// Those that were answered with 200, by endpoint.
    answered: OwnNames<Arc<str>, [IntCounter; Endpoint::ALL.len()]>,
    clients: OwnNames<Arc<str>, OfClient>,
}

#[derive(Debug)]
struct OfClient {
    answered: IntCounter,
    tokens: [IntCounter; 3],
}

impl Requests {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        Ok(Self {
            requests: counters(
                registry,
                "backstop_requests_total",
                "Requests by how they ended for the client. `status` is the HTTP status sent (499: the client left first); `result` tells a 200 that broke off later from a whole one.",
                &["route", "endpoint", "status", "result"],
            )?,
            in_flight: gauge(
                registry,
                "backstop_requests_in_flight",
                "Requests that are being served now.",
            )?,
            by_client: counters(
                registry,
                "backstop_client_requests_total",
                "Requests of each client by how they ended; `none`: without a valid key, or no client has a key.",
                &["client", "result"],
            )?,
            refusals: refusals(registry)?,
            tokens: counters(
                registry,
                "backstop_client_tokens_total",
                "Tokens of the answers that each client got: `input`, of these `cached`, and `output`.",
                &["client", "kind"],
            )?,
            timings: Timings::new(registry)?,
            usual: ArcSwap::default(),
        })
    }

    /// Makes the series of these routes and clients.
    pub(super) fn adopt(&self, known: &Known) {
        let routes = known.routes.iter().map(|route| Arc::clone(&route.name));
        let clients = known.clients.iter().map(|client| Arc::clone(&client.name));
        self.usual.store(Arc::new(Usual {
            answered: routes
                .chain([NONE.into()])
                .map(|route| (Arc::clone(&route), self.of_route(&route)))
                .collect(),
            clients: clients
                .chain([NONE.into()])
                .map(|client| (Arc::clone(&client), self.of_client(&client)))
                .collect(),
        }));
    }

    fn of_route(&self, route: &str) -> [IntCounter; Endpoint::ALL.len()] {
        Endpoint::ALL.map(|endpoint| {
            let [answered, ..] = USUAL.map(|(status, result)| {
                self.requests
                    .with_label_values(&[route, endpoint.label(), status, result.label()])
            });
            answered
        })
    }

    fn of_client(&self, client: &str) -> OfClient {
        let [answered, ..] = RequestResult::ALL
            .map(|result| self.by_client.with_label_values(&[client, result.label()]));
        OfClient {
            answered,
            tokens: TOKENS.map(|kind| self.tokens.with_label_values(&[client, kind])),
        }
    }

    pub(super) fn started(&self) {
        self.in_flight.inc();
    }

    pub(super) fn finished(&self, report: &RequestReport) {
        self.in_flight.dec();
        let usual = self.usual.load();
        let is_answered = report.result == RequestResult::Answered;
        let route = report.route.as_deref().unwrap_or(NONE);
        match usual.answered.get(route) {
            Some(endpoints) if is_answered && report.status == 200 => {
                endpoints[report.endpoint as usize].inc();
            }
            _ => {
                let status = status_label(report.status);
                let endpoint = report.endpoint.label();
                self.requests
                    .with_label_values(&[route, endpoint, &status, report.result.label()])
                    .inc();
            }
        }
        if let Some(refusal) = report.refusal {
            self.refusals[refusal as usize].inc();
        }
        self.of_its_client(report, &usual);
        // A failure may be quick or slow: it says nothing about how long answers take.
        if is_answered {
            self.timings.observe(report);
        }
    }

    fn of_its_client(&self, report: &RequestReport, usual: &Usual) {
        let client = report.client.as_deref().unwrap_or(NONE);
        let series = usual.clients.get(client);
        match series {
            Some(series) if report.result == RequestResult::Answered => series.answered.inc(),
            _ => {
                let labels = [client, report.result.label()];
                self.by_client.with_label_values(&labels).inc();
            }
        }
        if let (Some(series), Some(tokens)) = (series, report.tokens) {
            add(&series.tokens, tokens);
        }
    }
}

fn refusals(registry: &Registry) -> Made<[IntCounter; Refusal::ALL.len()]> {
    let refusals = counters(
        registry,
        "backstop_refused_requests_total",
        "Requests for which there was no room, by what was taken: `overloaded` (the processor), `requests` (`limits.requests`), `memory` (`limits.memory`).",
        &["reason"],
    )?;
    Ok(Refusal::ALL.map(|refusal| refusals.with_label_values(&[refusal.label()])))
}
