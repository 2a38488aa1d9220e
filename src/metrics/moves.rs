//! Who took over from whom.

use prometheus::{IntCounterVec, Registry};

use super::families::{Made, counters};
use super::known::{Known, KnownRoute};
use super::labels::{NONE, PASSED_OVER, REASONS};
use crate::config::UpstreamId;
use crate::event::{RequestReport, RequestResult};
use crate::outcome::Outcome;

/// With so many candidates a route has thousands of series already.
const MOST_CANDIDATES: usize = 8;

/// The counters of what moved from one upstream to another.
#[derive(Debug)]
pub(super) struct Moves {
    failovers: IntCounterVec,
    continuations: IntCounterVec,
    fallbacks: IntCounterVec,
}

impl Moves {
    pub(super) fn new(registry: &Registry) -> Made<Self> {
        Ok(Self {
            failovers: counters(
                registry,
                "backstop_failovers_total",
                "Failed attempts that were followed by an attempt at the upstream `to`.",
                &["from", "to", "reason"],
            )?,
            continuations: counters(
                registry,
                "backstop_continuations_total",
                "Streams that broke off and continued at the upstream `to`.",
                &["from", "to"],
            )?,
            fallbacks: counters(
                registry,
                "backstop_fallback_answers_total",
                "Requests that `to` has answered in place of `from`, which is preferred, and why; `passed_over`: `from` was not even asked, as it was out of rotation or in a cooldown.",
                &["route", "from", "to", "reason", "passed_over"],
            )?,
        })
    }

    /// Makes the series of all pairs that routes allow. There are about thirty for each pair, so those of a route with many
    /// candidates begin when they are needed.
    pub(super) fn adopt(&self, known: &Known) {
        let is_short = |route: &&KnownRoute| route.candidates.len() <= MOST_CANDIDATES;
        for route in known.routes.iter().filter(is_short) {
            for (from, to) in route.turns() {
                self.continuations.with_label_values(&[from, to]);
                for reason in REASONS {
                    self.failovers.with_label_values(&[from, to, reason]);
                }
            }
            for (from, to) in route.pairs() {
                for reason in REASONS {
                    self.fallback([&route.name, from, to, reason], false);
                }
                for reason in PASSED_OVER {
                    self.fallback([&route.name, from, to, reason], true);
                }
            }
        }
    }

    pub(super) fn failed_over(&self, from: &UpstreamId, to: &UpstreamId, reason: &Outcome) {
        self.failovers
            .with_label_values(&[from.as_ref(), to.as_ref(), reason.label()])
            .inc();
    }

    pub(super) fn continued(&self, from: &UpstreamId, to: &UpstreamId) {
        self.continuations
            .with_label_values(&[from.as_ref(), to.as_ref()])
            .inc();
    }

    pub(super) fn answered(&self, report: &RequestReport) {
        if let (RequestResult::Answered, Some(instead), Some(by)) =
            (report.result, &report.in_place_of, &report.served_by)
        {
            let route = report.route.as_deref().unwrap_or(NONE);
            let labels = [
                route,
                instead.upstream.as_ref(),
                by.as_ref(),
                instead.reason,
            ];
            self.fallback(labels, instead.is_passed_over).inc();
        }
    }

    fn fallback(
        &self,
        [route, from, to, reason]: [&str; 4],
        is_passed_over: bool,
    ) -> prometheus::IntCounter {
        let whether = if is_passed_over { "true" } else { "false" };
        self.fallbacks
            .with_label_values(&[route, from, to, reason, whether])
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::{Known, KnownRoute, MOST_CANDIDATES, Moves};
    use crate::outcome::Outcome;

    #[test]
    fn a_route_with_many_candidates_has_no_series_of_pairs_before_they_are_needed() {
        let count = |candidates: usize| {
            let registry = Registry::new();
            let moves = Moves::new(&registry).unwrap();
            let candidates = (0..candidates).map(|number| (number.to_string().as_str().into(), 0));
            let route = KnownRoute {
                name: "*".into(),
                candidates: candidates.collect(),
            };
            moves.adopt(&Known {
                routes: vec![route],
                ..Known::default()
            });
            moves.failed_over(&"a".into(), &"b".into(), &Outcome::ConnectionLost);
            let families = registry.gather();
            families
                .iter()
                .map(|family| family.get_metric().len())
                .sum::<usize>()
        };
        assert!(count(2) > 50);
        assert_eq!(count(MOST_CANDIDATES + 1), 1);
    }
}
