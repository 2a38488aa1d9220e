//! What upstreams did: how often, how fast, and at what cost.

use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::families::{Made, counters, histograms};
use super::known::{Known, KnownUpstream};
use super::labels::{REASONS, RESULTS, key_label, result_label};
use crate::config::UpstreamId;
use crate::event::{AttemptReport, Phase, Tokens};
use crate::outcome::Outcome;
use crate::wire::mix::OwnNames;

/// From a cached answer to a model that thinks for minutes.
const FIRST_TOKEN: [f64; 12] = [
    0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 45.0, 120.0, 300.0,
];
const DURATION: [f64; 11] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0,
];
/// What tokens are counted as.
pub(super) const TOKENS: [&str; 3] = ["input", "cached", "output"];

/// The metrics of attempts.
#[derive(Debug)]
pub(super) struct Attempts {
    by_outcome: IntCounterVec,
    by_result: IntCounterVec,
    first_token: HistogramVec,
    duration: HistogramVec,
    tokens: IntCounterVec,
    /// The series of good answers, so that nothing is looked up by its labels.
    good: ArcSwap<OwnNames<UpstreamId, OfUpstream>>,
}

#[derive(Debug)]
struct OfUpstream {
    answered: IntCounter,
    models: OwnNames<Arc<str>, OfModel>,
}

#[derive(Debug)]
struct OfModel {
    /// One for each key.
    answered: Vec<IntCounter>,
    first_token: Histogram,
    duration: Histogram,
    tokens: [IntCounter; 3],
}

impl Attempts {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        Ok(Self {
            by_outcome: counters(
                registry,
                "backstop_attempts_total",
                "Attempts at upstreams by outcome, and by why they were made; `ok` and `rejected` (the request itself was wrong) are no failures of the upstream.",
                &["upstream", "outcome", "phase"],
            )?,
            by_result: counters(
                registry,
                "backstop_upstream_attempts_total",
                "Attempts at each model with each key (by its position): `answered`, `failed` (the upstream is to blame), `rejected` (the request itself was wrong), `abandoned` (the client left, another attempt was faster, or backstop ended it).",
                &["upstream", "model", "key", "result"],
            )?,
            first_token: histograms(
                registry,
                (
                    "backstop_upstream_first_token_seconds",
                    "From the start of an attempt to its first content, where the attempt was answered.",
                ),
                &["upstream", "model"],
                &FIRST_TOKEN,
            )?,
            duration: histograms(
                registry,
                (
                    "backstop_upstream_duration_seconds",
                    "From the start of an attempt to its end, where the attempt was answered.",
                ),
                &["upstream", "model"],
                &DURATION,
            )?,
            tokens: counters(
                registry,
                "backstop_upstream_tokens_total",
                "Tokens as the upstream counts them: `input`, of these `cached` (read from its cache), and `output`.",
                &["upstream", "model", "kind"],
            )?,
            good: ArcSwap::default(),
        })
    }

    /// Makes the series of these upstreams.
    pub(super) fn adopt(&self, known: &Known) {
        let upstreams = known.upstreams.iter();
        let good = upstreams.map(|upstream| (upstream.id.clone(), self.of_upstream(upstream)));
        self.good.store(Arc::new(good.collect()));
    }

    fn of_upstream(&self, upstream: &KnownUpstream) -> OfUpstream {
        let id = upstream.id.as_ref();
        let normal = Phase::Normal.label();
        for outcome in REASONS
            .iter()
            .chain(&["rejected", "client_gone", "no_resources"])
        {
            self.by_outcome.with_label_values(&[id, outcome, normal]);
        }
        let models = upstream.models.iter();
        let models = models.map(|model| (Arc::clone(model), self.of_model(id, model, upstream)));
        OfUpstream {
            answered: self.by_outcome.with_label_values(&[id, "ok", normal]),
            models: models.collect(),
        }
    }

    fn of_model(&self, id: &str, model: &str, upstream: &KnownUpstream) -> OfModel {
        let answered = (0..upstream.keys.max(1)).map(|key| {
            let key = key_label(key);
            let results =
                RESULTS.map(|result| self.by_result.with_label_values(&[id, model, &key, result]));
            let [answered, ..] = results;
            answered
        });
        OfModel {
            answered: answered.collect(),
            first_token: self.first_token.with_label_values(&[id, model]),
            duration: self.duration.with_label_values(&[id, model]),
            tokens: TOKENS.map(|kind| self.tokens.with_label_values(&[id, model, kind])),
        }
    }

    pub(super) fn count(&self, report: &AttemptReport) {
        let good = self.good.load();
        let of_upstream = good.get(&report.upstream);
        let model = report.scope_model.as_deref().unwrap_or_default();
        let of_model = of_upstream.and_then(|upstream| upstream.models.get(model));
        let is_answered = report.outcome == Outcome::Success;
        match of_upstream {
            Some(upstream) if is_answered && report.phase == Phase::Normal => {
                upstream.answered.inc();
            }
            _ => self.count_outcome(report),
        }
        match of_model.and_then(|model| model.answered.get(report.key)) {
            Some(answered) if is_answered => answered.inc(),
            _ => self.count_result(report, model),
        }
        // A model of a configuration that has just been replaced.
        let Some(of_model) = of_model else { return };
        if is_answered {
            of_model.duration.observe(report.elapsed.as_secs_f64());
            if let Some(first_token) = report.first_token {
                of_model.first_token.observe(first_token.as_secs_f64());
            }
        }
        if let Some(tokens) = report.tokens {
            add(&of_model.tokens, tokens);
        }
    }

    fn count_outcome(&self, report: &AttemptReport) {
        let labels = [
            report.upstream.as_ref(),
            report.outcome.label(),
            report.phase.label(),
        ];
        self.by_outcome.with_label_values(&labels).inc();
    }

    fn count_result(&self, report: &AttemptReport, model: &str) {
        let labels = [
            report.upstream.as_ref(),
            model,
            &key_label(report.key),
            result_label(&report.outcome),
        ];
        self.by_result.with_label_values(&labels).inc();
    }
}

/// Adds to counters in the order of [`TOKENS`].
pub(super) fn add(counters: &[IntCounter; 3], tokens: Tokens) {
    let [input, cached, output] = counters;
    input.inc_by(tokens.input);
    cached.inc_by(tokens.cached);
    output.inc_by(tokens.output);
}
