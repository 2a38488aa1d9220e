//! Routes: each group with its fallbacks, in tiers.

use indexmap::IndexSet;

use super::deployment::{Deployment, Share};
use super::groups::{Groups, Member};
use super::notes::Notes;
use super::settings::{Settings, Strategy};

/// The largest weight that is written.
const LARGEST_WEIGHT: f64 = 1_000_000.0;

/// A route of ours.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) models: Vec<String>,
    pub(super) is_by_latency: bool,
    /// Whether the next one is asked where somebody refuses the content.
    pub(super) is_passed_on: bool,
    pub(super) candidates: Vec<Candidate>,
}

/// A candidate of ours.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) upstream: String,
    pub(super) model: Option<String>,
    pub(super) tier: usize,
    pub(super) weight: Option<u64>,
    /// In seconds.
    pub(super) first_token: Option<f64>,
    pub(super) answer: Option<f64>,
    pub(super) capabilities: Vec<(&'static str, String)>,
}

/// The routes of all groups, and of names that only aliases and fallbacks have.
pub(super) fn build(
    groups: &Groups,
    deployments: &[Deployment],
    settings: &Settings,
    notes: &mut Notes,
) -> Vec<Route> {
    let mut building = Building {
        groups,
        deployments,
        settings,
        notes,
    };
    let mut routes = Vec::new();
    for group in groups.iter() {
        let aliases = building.aliases_of(&group.patterns);
        let models = group.patterns.iter().cloned().chain(aliases);
        routes.push(building.route(models.collect(), &group.members));
    }
    for name in building.further_names() {
        let members = groups.serving(building.target(&name), deployments);
        match members.is_empty() {
            true => building.notes.left_out(
                format!("alias or fallback of {name}"),
                "model_list has no such model",
            ),
            false => routes.push(building.route(vec![name], &members)),
        }
    }
    routes
}

struct Building<'a> {
    groups: &'a Groups,
    deployments: &'a [Deployment],
    settings: &'a Settings,
    notes: &'a mut Notes,
}

impl Building<'_> {
    /// The aliases of a group, but for names that a group of their own has.
    fn aliases_of(&self, patterns: &[String]) -> Vec<String> {
        let aliases = self.settings.aliases.iter();
        let fitting = aliases.filter(|(alias, target)| {
            patterns.contains(target) && self.groups.named(alias).is_none()
        });
        fitting.map(|(alias, _)| alias.clone()).collect()
    }

    /// Names that need a route of their own: aliases of names behind a pattern, and such names with fallbacks.
    fn further_names(&self) -> IndexSet<String> {
        let has_no_route = |name: &str| {
            name != "*"
                && self.groups.named(name).is_none()
                && self.groups.named(self.target(name)).is_none()
        };
        let aliases = self.settings.aliases.iter().map(|(alias, _)| alias);
        let with_fallbacks = self.settings.fallbacks.iter().map(|(name, _)| name);
        let names = aliases
            .chain(with_fallbacks)
            .filter(|name| has_no_route(name));
        names.cloned().collect()
    }

    /// What an alias stands for; any other name stands for itself.
    fn target<'n>(&'n self, name: &'n str) -> &'n str {
        let alias = self
            .settings
            .aliases
            .iter()
            .find(|(alias, _)| alias == name);
        alias.map_or(name, |(_, target)| target)
    }

    fn route(&mut self, models: Vec<String>, members: &[Member]) -> Route {
        let mut candidates = Vec::new();
        self.add(&mut candidates, members);
        let settings = self.settings;
        let usual = of_models(&settings.fallbacks, &models);
        let usual = usual.unwrap_or(&settings.default_fallbacks);
        let too_long = of_models(&settings.context_window_fallbacks, &models).unwrap_or(&[]);
        let refused = of_models(&settings.content_policy_fallbacks, &models).unwrap_or(&[]);
        for name in usual.iter().chain(too_long).chain(refused) {
            let fallbacks = self.groups.serving(self.target(name), self.deployments);
            if fallbacks.is_empty() {
                self.notes.left_out_of(
                    &models[0],
                    &format!("the fallback {name}"),
                    "model_list has no such model",
                );
            }
            self.add(&mut candidates, &fallbacks);
        }
        let is_single = models.len() == 1;
        for candidate in &mut candidates {
            if is_single && candidate.model.as_ref() == Some(&models[0]) {
                candidate.model = None;
            }
        }
        Route {
            is_by_latency: settings.strategy == Strategy::Latency,
            is_passed_on: !refused.is_empty(),
            models,
            candidates,
        }
    }

    /// Adds candidates in tiers behind those that are there.
    fn add(&self, candidates: &mut Vec<Candidate>, members: &[Member]) {
        let is_new = |member: &&Member| {
            let upstream = &self.deployments[member.deployment].upstream;
            !candidates
                .iter()
                .any(|known: &Candidate| known.upstream == *upstream && known.model == member.model)
        };
        let mut new: Vec<&Member> = Vec::new();
        for member in members.iter().filter(is_new) {
            let deployment = |member: &Member| &self.deployments[member.deployment];
            let is_twice = new.iter().any(|other| {
                deployment(other).upstream == deployment(member).upstream
                    && other.model == member.model
            });
            if !is_twice {
                new.push(member);
            }
        }
        new.sort_by_key(|member| self.deployments[member.deployment].order);
        let mut tier = candidates.last().map_or(0, |last| last.tier);
        for same in new.chunk_by(|one, other| {
            self.deployments[one.deployment].order == self.deployments[other.deployment].order
        }) {
            tier += 1;
            let shares: Vec<Share> = same
                .iter()
                .map(|member| self.deployments[member.deployment].share)
                .collect();
            for (member, weight) in same.iter().zip(weights(&shares)) {
                candidates.push(candidate(
                    &self.deployments[member.deployment],
                    member,
                    tier,
                    weight,
                ));
            }
        }
    }
}

fn candidate(
    deployment: &Deployment,
    member: &Member,
    tier: usize,
    weight: Option<u64>,
) -> Candidate {
    Candidate {
        upstream: deployment.upstream.clone(),
        model: member.model.clone(),
        tier,
        weight,
        first_token: deployment.stream_timeout.or(deployment.timeout),
        answer: deployment.timeout,
        capabilities: deployment.capabilities.clone(),
    }
}

/// The list for one of these models, or the one for all.
fn of_models<'a>(lists: &'a [(String, Vec<String>)], models: &[String]) -> Option<&'a [String]> {
    let own = lists.iter().find(|(name, _)| models.contains(name));
    let own = own.or_else(|| lists.iter().find(|(name, _)| name == "*"));
    own.map(|(_, names)| names.as_slice())
}

/// Shares as small whole numbers: by `weight` if anybody has one, else by `rpm`, else by `tpm`. `None`: equal.
fn weights(shares: &[Share]) -> Vec<Option<u64>> {
    let measures: [fn(&Share) -> Option<f64>; 3] =
        [|share| share.weight, |share| share.rpm, |share| share.tpm];
    let measure = measures
        .iter()
        .find(|measure| shares.iter().any(|share| measure(share).is_some()));
    let Some(measure) = measure.filter(|_| shares.len() > 1) else {
        return vec![None; shares.len()];
    };
    let values: Vec<f64> = shares.iter().filter_map(measure).collect();
    let is_whole = values.iter().all(|value| value.fract() == 0.0);
    let factor = if is_whole { 1.0 } else { 1000.0 };
    let whole: Vec<u64> = shares
        .iter()
        .map(|share| whole(measure(share).unwrap_or_default() * factor))
        .collect();
    let divisor = whole
        .iter()
        .copied()
        .fold(0, greatest_common_divisor)
        .max(1);
    if whole.iter().all(|weight| *weight == whole[0]) {
        return vec![None; shares.len()];
    }
    whole
        .into_iter()
        .map(|weight| Some(weight / divisor))
        .collect()
}

fn whole(value: f64) -> u64 {
    value.round().clamp(1.0, LARGEST_WEIGHT) as u64
}

fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::{Share, weights};

    #[test]
    fn shares_become_small_whole_numbers() {
        let rpm = |rpm: f64| Share {
            rpm: Some(rpm),
            ..Share::default()
        };
        assert_eq!(weights(&[rpm(60.0), rpm(600.0)]), [Some(1), Some(10)]);
        assert_eq!(weights(&[rpm(6.0), rpm(6.0)]), [None, None]);
        assert_eq!(weights(&[rpm(6.0)]), [None]);
        let weight = |weight: f64| Share {
            weight: Some(weight),
            ..rpm(7.0)
        };
        assert_eq!(weights(&[weight(0.9), weight(0.1)]), [Some(9), Some(1)]);
        assert_eq!(weights(&[Share::default(), Share::default()]), [None, None]);
    }
}
