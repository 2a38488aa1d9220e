//! The list of models: those that routes name, and those that upstreams list behind pattern routes.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexSet;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::reject::Rejection;
use super::respond::Own;
use crate::clients::Client;
use crate::config::{ModelList, UpstreamId};
use crate::request::ClientApi;
use crate::routing::{Candidate, RouteTable, Rule};
use crate::wire::query;

/// How long an upstream's list is cached.
const FRESH: Duration = Duration::from_secs(60);
/// When an upstream that has returned none is asked again. Lists are free for clients with limits, so these protect nobody.
const AGAIN: Duration = Duration::from_secs(5);
/// So many models of one upstream are listed; the longest known lists have some hundred.
const MOST: usize = 2000;
/// Longer names are left out.
const LONGEST_NAME: usize = 256;

/// Knows which models can be requested.
#[derive(Debug)]
pub(super) struct Models {
    from: ModelList,
    /// The lists that upstreams have returned. The lock is held for a few instructions at a time.
    listed: Mutex<HashMap<UpstreamId, List>>,
    /// Whoever asks has it; the others wait, and find what was answered.
    turn: Semaphore,
}

/// What an upstream lists.
#[derive(Debug)]
struct List {
    /// When it was last asked.
    asked: Instant,
    /// The last ones that it has returned.
    names: Vec<String>,
    /// Whether it returned no list when it was last asked.
    is_silent: bool,
}

impl Models {
    pub(super) fn new(from: ModelList) -> Self {
        Self {
            from,
            listed: Mutex::default(),
            turn: Semaphore::new(1),
        }
    }

    /// All models that a client may use.
    pub(super) async fn names(&self, routes: &RouteTable, client: Option<&Client>) -> Names {
        let exact = routes
            .rules()
            .iter()
            .filter_map(|rule| rule.pattern.exact());
        let mut names: IndexSet<String> = exact.map(str::to_owned).collect();
        let mut silent = IndexSet::new();
        if self.from == ModelList::Upstreams {
            let open = open_candidates(routes);
            self.ask(&open).await;
            let listed = self.listed();
            for (rule, candidate) in open {
                let upstream = candidate.upstream.id();
                let known = listed.get(upstream);
                if known.is_none_or(|list| list.is_silent) {
                    silent.insert(upstream.to_string());
                }
                let of_the_rule = |name: &&String| is_for(rule, name, routes);
                names.extend(
                    known
                        .iter()
                        .flat_map(|list| list.names.iter().filter(of_the_rule))
                        .cloned(),
                );
            }
        }
        names.retain(|name| may_use(client, name));
        Names { names, silent }
    }

    /// Fetches all lists that are out of date, at the same time. If that fails, an old list is kept.
    async fn ask(&self, candidates: &[(&Rule, &Candidate)]) {
        let is_due = |(_, candidate): &&(&Rule, &Candidate)| {
            let listed = self.listed();
            let list = listed.get(candidate.upstream.id());
            list.is_none_or(List::is_due)
        };
        if !candidates.iter().any(|candidate| is_due(&candidate)) {
            return;
        }
        let _turn = self.turn.acquire().await;
        let mut asking = JoinSet::new();
        let mut asked = HashSet::new();
        for (_, candidate) in candidates.iter().filter(is_due) {
            let upstream = Arc::clone(&candidate.upstream);
            if asked.insert(upstream.id().clone()) {
                asking.spawn(async move { (upstream.id().clone(), upstream.models().await) });
            }
        }
        while let Some(answered) = asking.join_next().await {
            if let Ok((upstream, models)) = answered {
                let names =
                    models.map(|models| models.into_iter().map(|model| model.name).collect());
                self.note(upstream, names);
            }
        }
    }

    fn note(&self, upstream: UpstreamId, names: Option<Vec<String>>) {
        let mut listed = self.listed();
        let list = listed.entry(upstream.clone()).or_insert_with(List::new);
        list.asked = Instant::now();
        let was_silent = mem::replace(&mut list.is_silent, names.is_none());
        if let Some(names) = names {
            list.names = names
                .into_iter()
                .filter_map(usable_name)
                .take(MOST)
                .collect();
        } else if !was_silent {
            tracing::warn!(
                %upstream,
                "{upstream} does not list its models: they are left out of /models until it does"
            );
        }
    }

    fn listed(&self) -> MutexGuard<'_, HashMap<UpstreamId, List>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Models, and who does not list theirs.
pub(super) struct Names {
    names: IndexSet<String>,
    silent: IndexSet<String>,
}

impl Names {
    /// The list in the format of one API. Anthropic's clients get the page that the query of `path` requests.
    pub(super) fn list(self, client_api: ClientApi, path: &str) -> Own {
        let Self { names, silent } = self;
        let silent: Vec<String> = silent.into_iter().collect();
        Own {
            json: match client_api {
                ClientApi::OpenAi => list_of_openai(&names),
                ClientApi::Anthropic => page_of_anthropic(&names, path),
            },
            note: (!silent.is_empty()).then(|| ("x-backstop-unlisted", silent.join(", "))),
        }
    }
}

fn may_use(client: Option<&Client>, model: &str) -> bool {
    client.is_none_or(|client| client.may_use(model))
}

impl List {
    fn new() -> Self {
        Self {
            asked: Instant::now(),
            names: Vec::new(),
            is_silent: false,
        }
    }

    /// Whether to ask again.
    fn is_due(&self) -> bool {
        let pause = if self.is_silent { AGAIN } else { FRESH };
        self.asked.elapsed() >= pause
    }
}

/// The name by which a model is asked for: Gemini lists `models/gemini-3.8-flash`.
fn usable_name(name: String) -> Option<String> {
    let name = name
        .strip_prefix("models/")
        .map(str::to_owned)
        .unwrap_or(name);
    (!name.is_empty() && name.len() <= LONGEST_NAME).then_some(name)
}

/// One model, in the format of one API. Its name in `segment` may be percent-encoded: many names contain a slash.
pub(super) fn one(
    segment: &str,
    routes: &RouteTable,
    client: Option<&Client>,
    client_api: ClientApi,
) -> Result<Own, Rejection> {
    let name = query::unescaped(segment).unwrap_or_else(|| segment.to_owned());
    if let Some(client) = client.filter(|client| !client.may_use(&name)) {
        return Err(Rejection::model_not_allowed(&name, client));
    }
    match routes.find(&name) {
        Some(_) => Ok(Own::from(model(&name, client_api))),
        None => Err(Rejection::unknown_model(&name, routes)),
    }
}

/// Candidates that accept any model name that a client uses.
fn open_candidates(routes: &RouteTable) -> Vec<(&Rule, &Candidate)> {
    let patterns = routes
        .rules()
        .iter()
        .filter(|rule| rule.pattern.exact().is_none());
    patterns
        .flat_map(|rule| {
            rule.candidates
                .iter()
                .map(move |candidate| (&**rule, candidate))
        })
        .filter(|(_, candidate)| candidate.model.is_none())
        .filter(|(_, candidate)| !candidate.health.is_taken_out())
        .collect()
}

/// Whether requests for a model match this rule.
fn is_for(rule: &Rule, name: &str, routes: &RouteTable) -> bool {
    routes
        .find(name)
        .is_some_and(|found| found.pattern.as_str() == rule.pattern.as_str())
}

fn list_of_openai(names: &IndexSet<String>) -> Value {
    let models: Vec<Value> = names
        .iter()
        .map(|name| model(name, ClientApi::OpenAi))
        .collect();
    json!({ "object": "list", "data": models })
}

/// Up to `limit` models (1 to 1000, 20 by default), after `after_id` or before `before_id`. If that model does not
/// exist any more, the page is empty, because a list that started again would never end:
/// <https://platform.claude.com/docs/en/api/models/list>.
fn page_of_anthropic(names: &IndexSet<String>, path: &str) -> Value {
    let limit = query::parameter(path, "limit").and_then(|limit| limit.parse().ok());
    let limit = limit.unwrap_or(20).clamp(1, 1000);
    let place_of = |parameter| {
        let id = query::parameter(path, parameter)?;
        Some(names.get_index_of(&id))
    };
    let (range, has_more) = match (place_of("before_id"), place_of("after_id")) {
        (Some(Some(end)), _) => {
            let start = end.saturating_sub(limit);
            (start..end, start > 0)
        }
        (Some(None), _) | (None, Some(None)) => (0..0, false),
        (None, after) => {
            let start = after.flatten().map_or(0, |last| last + 1);
            let end = names.len().min(start + limit);
            (start..end, end < names.len())
        }
    };
    let names = &names.as_slice()[range];
    let models: Vec<Value> = names
        .iter()
        .map(|name| model(name, ClientApi::Anthropic))
        .collect();
    json!({
        "data": models,
        "first_id": names.first(),
        "last_id": names.last(),
        "has_more": has_more,
    })
}

/// The creation time of a model is not known here, but SDKs require the field.
fn model(name: &str, client_api: ClientApi) -> Value {
    match client_api {
        ClientApi::OpenAi => {
            json!({ "id": name, "object": "model", "created": 0, "owned_by": "backstop" })
        }
        ClientApi::Anthropic => json!({
            "id": name,
            "type": "model",
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
            "lifecycle": "active",
        }),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::{AGAIN, FRESH, LONGEST_NAME, ModelList, Models, UpstreamId, usable_name};

    #[tokio::test(start_paused = true)]
    async fn whoever_lists_nothing_is_asked_again_sooner_but_not_at_once() {
        let models = Models::new(ModelList::Upstreams);
        let is_due = || models.listed()[&UpstreamId::from("a")].is_due();
        models.note("a".into(), None);
        assert!(!is_due());
        advance(AGAIN).await;
        assert!(is_due());
        models.note("a".into(), Some(vec!["m".to_owned()]));
        advance(AGAIN).await;
        assert!(!is_due());
        advance(FRESH).await;
        assert!(is_due());
        models.note("a".into(), None);
        assert_eq!(
            models.listed()[&UpstreamId::from("a")].names,
            ["m"],
            "the old list is kept"
        );
    }

    #[test]
    fn a_name_is_used_without_its_folder_unless_it_is_none_or_too_long() {
        let usable = |name: &str| usable_name(name.to_owned());
        assert_eq!(usable("models/gemini").as_deref(), Some("gemini"));
        assert_eq!(usable("gpt-4o").as_deref(), Some("gpt-4o"));
        assert_eq!(usable("models/"), None);
        let longest = "x".repeat(LONGEST_NAME);
        assert_eq!(usable(&longest), Some(longest.clone()));
        assert_eq!(usable(&format!("{longest}x")), None);
    }
}
