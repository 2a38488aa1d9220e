//! What clients may call models by, and who serves them: the deployments by their names.

use indexmap::IndexMap;

use super::deployment::Deployment;
use super::notes::Notes;
use crate::catalogue::{Provider, known_models};

/// A deployment in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its place in the list of deployments.
    pub(super) deployment: usize,
    /// What it is asked for; `None`: what the client writes.
    pub(super) model: Option<String>,
}

/// The patterns of a route, and who serves them.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) patterns: Vec<String>,
    pub(super) members: Vec<Member>,
}

/// All groups, in the order of the file.
#[derive(Debug)]
pub(super) struct Groups(Vec<Group>);

impl Groups {
    /// Puts deployments of the same name together, and writes out the patterns that we have not.
    pub(super) fn of(deployments: &[Deployment], notes: &mut Notes) -> Self {
        let mut groups: IndexMap<Vec<String>, Vec<Member>> = IndexMap::new();
        for (index, deployment) in deployments.iter().enumerate() {
            for (patterns, model) in patterns(deployment, notes) {
                groups.entry(patterns).or_default().push(Member {
                    deployment: index,
                    model,
                });
            }
        }
        let mut groups: Vec<Group> = groups
            .into_iter()
            .map(|(patterns, members)| Group { patterns, members })
            .collect();
        // What the file itself names counts before what was written out.
        groups.sort_by_key(|group| group.patterns.len() > 1);
        let mut taken = Vec::new();
        for group in &mut groups {
            group.patterns.retain(|pattern| !taken.contains(pattern));
            taken.extend(group.patterns.iter().cloned());
        }
        groups.retain(|group| !group.patterns.is_empty());
        Self(groups)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.0.iter()
    }

    /// The group with exactly this name.
    pub(super) fn named(&self, name: &str) -> Option<&Group> {
        self.0
            .iter()
            .find(|group| group.patterns.iter().any(|pattern| pattern == name))
    }

    /// Who serves a name: the group, the one deployment with this id, or the most specific pattern that fits.
    pub(super) fn serving(&self, name: &str, deployments: &[Deployment]) -> Vec<Member> {
        if let Some(group) = self.named(name) {
            return group.members.clone();
        }
        let numbered = || deployments.iter().enumerate();
        let by_id = numbered().find(|(_, deployment)| deployment.id.as_deref() == Some(name));
        if let Some((index, deployment)) = by_id {
            return vec![Member {
                deployment: index,
                model: Some(deployment.model.clone()),
            }];
        }
        let prefix = |deployment: &Deployment| {
            let prefix = deployment.group.strip_suffix('*')?;
            name.starts_with(prefix).then_some(prefix.len())
        };
        let Some(longest) = deployments.iter().filter_map(prefix).max() else {
            return Vec::new();
        };
        numbered()
            .filter(|(_, deployment)| prefix(deployment) == Some(longest))
            .map(|(index, deployment)| Member {
                deployment: index,
                model: Some(match deployment.model.strip_suffix('*') {
                    Some(start) => format!("{start}{}", &name[longest..]),
                    None => deployment.model.clone(),
                }),
            })
            .collect()
    }
}

/// The patterns of a deployment, each with the model that is asked for.
///
/// Our patterns pass a name on as it is. So where `LiteLLM` replaces the beginning of a name (`openai/*` is `*` at `OpenAI`),
/// the models that we know are written out.
fn patterns(deployment: &Deployment, notes: &mut Notes) -> Vec<(Vec<String>, Option<String>)> {
    let (group, model) = (&deployment.group, &deployment.model);
    let (Some(asked), Some(sent)) = (group.strip_suffix('*'), model.strip_suffix('*')) else {
        return vec![(vec![group.clone()], Some(model.clone()))];
    };
    if asked == sent {
        return vec![(vec![group.clone()], None)];
    }
    let provider = Provider::all().find(|provider| provider.name() == deployment.provider);
    let names = provider.map(models_of).unwrap_or_default();
    let mut all: Vec<(Vec<String>, Option<String>)> = names
        .into_iter()
        .filter_map(|name| {
            let rest = name.strip_prefix(sent)?;
            Some((vec![format!("{asked}{rest}")], Some(name.to_owned())))
        })
        .collect();
    let families = provider.map(Provider::families).unwrap_or_default();
    if sent.is_empty() && !families.is_empty() {
        let families = families.iter().map(|&family| family.to_owned()).collect();
        all.push((families, None));
    }
    let without = match sent.is_empty() {
        true => format!(", or let clients leave `{asked}` out"),
        false => String::new(),
    };
    notes.tell(format!(
        "`{group}`: backstop passes names on as they are, so the models that it knows were written out; add others{without}"
    ));
    all
}

/// The models of a provider that are known by name, and that nobody is going to switch off.
fn models_of(provider: Provider) -> Vec<&'static str> {
    let is_own = |name: &&str| {
        let mut families = provider.families().iter();
        families.any(|family| name.starts_with(family.trim_end_matches('*')))
            && name.contains(|c: char| c.is_ascii_digit())
            && provider.facts(name).retires.is_none()
    };
    let mut names: Vec<&str> = provider.fallback_models().to_vec();
    names.extend(
        known_models()
            .filter(is_own)
            .filter(|name| !provider.fallback_models().contains(name)),
    );
    names
}
