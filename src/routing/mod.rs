//! Which upstreams may serve a model, and in what order they are preferred.

mod candidate;
mod does_without;
mod pattern;

use std::sync::Arc;
use std::time::Duration;

pub use candidate::{Candidate, Knowledge, ModelRules};
pub use does_without::DoesWithout;
pub use pattern::Pattern;

use crate::config::{Continuation, HoldConfig, Refusals, Strategy};
use crate::health::ModelHealth;

impl Rule {
    /// Whether it is the first candidate in the file: clients write their requests for that one.
    pub fn is_first(&self, candidate: &Candidate) -> bool {
        let first = self.candidates.first();
        first.is_some_and(|first| std::ptr::eq(first, candidate))
    }
}

/// All routes, the most specific pattern first.
#[derive(Debug)]
pub struct RouteTable {
    rules: Vec<Arc<Rule>>,
    first_upstream: Arc<Rule>,
}

/// One pattern of a route with the candidates behind it.
#[derive(Debug)]
pub struct Rule {
    /// Which models it is for.
    pub pattern: Pattern,
    /// The name of its route: the first pattern of it.
    pub route: Arc<str>,
    /// How candidates of the same tier share.
    pub strategy: Strategy,
    /// Whether a second candidate is asked too when the first token is late.
    pub is_hedged: bool,
    /// What happens to a stream that breaks off.
    pub continuation: Continuation,
    /// How much of a stream is kept back beyond its first content.
    pub hold: Option<HoldConfig>,
    /// What happens to a request that is refused for its content.
    pub refusals: Refusals,
    /// How long a request may take until its answer begins.
    pub total: Duration,
    /// How long a request waits when nobody can answer now, but somebody may be able to soon.
    pub wait: Duration,
    /// Who may serve it, in the order of the file.
    pub candidates: Vec<Candidate>,
}

impl RouteTable {
    /// A table of these rules. `first_upstream` serves requests that name no model, where no route is for all models.
    pub fn new(mut rules: Vec<Rule>, first_upstream: Rule) -> Self {
        rules.sort_by(|a, b| a.pattern.cmp_specific_first(&b.pattern));
        Self {
            rules: rules.into_iter().map(Arc::new).collect(),
            first_upstream: Arc::new(first_upstream),
        }
    }

    /// The most specific rule for a model.
    pub fn find(&self, model: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.pattern.matches(model))
    }

    /// The rule for a request that is forwarded untouched: the rule of its model if there is one, else the rule for
    /// all models, else the first upstream of the file.
    pub fn find_for_forwarding(&self, model: Option<&str>) -> &Arc<Rule> {
        self.find(model.unwrap_or_default())
            .unwrap_or(&self.first_upstream)
    }

    /// A rule that has such a candidate: this one, or else the first.
    pub fn find_with<'a>(
        &'a self,
        preferred: &'a Arc<Rule>,
        is_wanted: impl Fn(&Candidate) -> bool,
    ) -> Option<&'a Arc<Rule>> {
        let others = self.rules.iter().chain([&self.first_upstream]);
        let mut rules = [preferred].into_iter().chain(others);
        rules.find(|rule| rule.candidates.iter().any(&is_wanted))
    }

    /// The health of each model at each upstream that any rule names.
    pub fn healths(&self) -> impl Iterator<Item = &Arc<ModelHealth>> {
        let rules = self.rules.iter().chain([&self.first_upstream]);
        rules.flat_map(|rule| rule.candidates.iter().map(|candidate| &candidate.health))
    }

    /// All rules, the most specific first.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }
}
