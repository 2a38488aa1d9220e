//! What a replica has counted, for operators of another one: what its clients had, how its upstreams did, and its incidents.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{FiguresThere, Had, IncidentThere, MOST_INCIDENTS, MOST_UPSTREAMS};
use crate::config::UpstreamId;
use crate::event::ScopeId;

/// What one replica has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What its clients had, in each window of the history: requests, and those of them that failed.
    pub clients: Vec<Had>,
    /// The same of attempts at upstreams.
    pub upstreams: Vec<(UpstreamId, Vec<Had>)>,
    /// Its latest incidents, the newest first.
    pub incidents: Vec<Outage>,
}

/// An incident at a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// What was out; `None`: the replica's own network.
    pub scope: Option<ScopeId>,
    /// The kind of failures.
    pub cause: String,
    /// How long ago it began.
    pub began: Duration,
    /// How long ago it ended; `None`: it lasts.
    pub ended: Option<Duration>,
    /// How many attempts failed.
    pub requests: u64,
    /// How many requests others answered instead.
    pub moved: u64,
    /// How many requests of clients failed or broke off.
    pub noticed: u64,
}

impl Figures {
    /// What others are told; `hash` gives what stands for a scope.
    pub(super) fn written(&self, hash: impl Fn(&ScopeId) -> u64) -> FiguresThere {
        let whole = |upstream: &UpstreamId| ScopeId {
            upstream: upstream.clone(),
            model: None,
        };
        let upstreams = self.upstreams.iter().take(MOST_UPSTREAMS);
        let incidents = self.incidents.iter().take(MOST_INCIDENTS);
        FiguresThere {
            clients: self.clients.clone(),
            upstreams: upstreams
                .map(|(upstream, windows)| (hash(&whole(upstream)), windows.clone()))
                .collect(),
            incidents: incidents
                .map(|outage| IncidentThere {
                    scope: outage.scope.as_ref().map(&hash),
                    cause: outage.cause.clone(),
                    began: outage.began.as_secs(),
                    ended: outage.ended.map(|ended| ended.as_secs()),
                    counts: (outage.requests, outage.moved, outage.noticed),
                })
                .collect(),
        }
    }

    /// What another replica has told at this time, as far as its upstreams and models are known here.
    pub(super) fn read(
        message: &FiguresThere,
        at: Instant,
        known: &HashMap<u64, ScopeId>,
        now: Instant,
    ) -> Self {
        let since = now.saturating_duration_since(at);
        let ago = |seconds| since.saturating_add(Duration::from_secs(seconds));
        let upstreams = message.upstreams.iter();
        let incidents = message.incidents.iter().filter_map(|incident| {
            let scope = incident.scope.map(|scope| known.get(&scope).cloned());
            let (requests, moved, noticed) = incident.counts;
            Some(Outage {
                scope: match scope {
                    Some(None) => return None,
                    Some(known) => known,
                    None => None,
                },
                cause: incident.cause.clone(),
                began: ago(incident.began),
                ended: incident.ended.map(ago),
                requests,
                moved,
                noticed,
            })
        });
        Self {
            clients: message.clients.clone(),
            upstreams: upstreams
                .filter_map(|(scope, windows)| {
                    Some((known.get(scope)?.upstream.clone(), windows.clone()))
                })
                .collect(),
            incidents: incidents.collect(),
        }
    }

    /// Adds what another replica has counted. Incidents stay with whoever had them.
    pub fn add(&mut self, other: &Self) {
        add(&mut self.clients, &other.clients);
        for (upstream, windows) in &other.upstreams {
            match self.upstreams.iter_mut().find(|(own, _)| own == upstream) {
                Some((_, own)) => add(own, windows),
                None => self.upstreams.push((upstream.clone(), windows.clone())),
            }
        }
    }
}

fn add(own: &mut Vec<Had>, other: &[Had]) {
    own.resize(own.len().max(other.len()), Had::default());
    for (own, other) in own.iter_mut().zip(other) {
        own.0 = own.0.saturating_add(other.0);
        own.1 = own.1.saturating_add(other.1);
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Figures, HashMap, Instant, Outage, ScopeId};

    fn scope(upstream: &str) -> ScopeId {
        ScopeId {
            upstream: upstream.into(),
            model: None,
        }
    }

    fn figures() -> Figures {
        Figures {
            clients: vec![(10, 1), (20, 2)],
            upstreams: vec![("a".into(), vec![(5, 0)]), ("b".into(), vec![(7, 7)])],
            incidents: [Some(scope("a")), Some(scope("b")), None]
                .map(|scope| Outage {
                    scope,
                    cause: "timeout".to_owned(),
                    began: Duration::from_secs(60),
                    ended: None,
                    requests: 3,
                    moved: 2,
                    noticed: 1,
                })
                .to_vec(),
        }
    }

    #[test]
    fn what_is_not_known_here_is_left_out() {
        let hash = |scope: &ScopeId| u64::from(scope.upstream.as_ref().as_bytes()[0]);
        let message = figures().written(hash);
        let now = Instant::now();
        let known = HashMap::from([(97, scope("a"))]);
        let read = Figures::read(&message, now, &known, now + Duration::from_secs(5));
        assert_eq!(read.clients, figures().clients);
        assert_eq!(read.upstreams, figures().upstreams[..1]);
        let scopes: Vec<_> = read.incidents.iter().map(|one| one.scope.clone()).collect();
        assert_eq!(scopes, [Some(scope("a")), None]);
        assert_eq!(read.incidents[0].began, Duration::from_secs(65));
    }

    #[test]
    fn figures_add_up() {
        let mut sum = Figures::default();
        for _ in 0..2 {
            sum.add(&figures());
        }
        assert_eq!(sum.clients, [(20, 2), (40, 4)]);
        assert_eq!(sum.upstreams[1].1, [(14, 14)]);
    }
}
