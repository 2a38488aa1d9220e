//! What each client had, counted in the minute that runs: the first of the configuration apart, the others together.

use std::sync::Arc;

use super::counts::Counts;
use super::subject::Subject;
use crate::event::RequestReport;
use crate::wire::mix::OwnNames;

/// So many clients have figures of their own, so that the history stays small.
const MOST: usize = 100;
/// Whose figures those of all others are.
const OTHERS: &str = "(others)";

/// The clients of the configuration.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: Vec<OneClient>,
    places: OwnNames<Arc<str>, usize>,
}

#[derive(Debug)]
struct OneClient {
    name: Arc<str>,
    subject: Subject,
    counts: Counts,
}

impl Clients {
    /// The clients of these names, in this order. What was counted until now has been taken before.
    pub(super) fn of(names: &[Arc<str>]) -> Self {
        let (first, others) = names.split_at(names.len().min(MOST));
        let mut all: Vec<OneClient> = first.iter().map(OneClient::new).collect();
        if !others.is_empty() {
            all.push(OneClient::new(&OTHERS.into()));
        }
        let places = names.iter().enumerate();
        Self {
            all,
            places: places
                .map(|(place, name)| (Arc::clone(name), place.min(MOST)))
                .collect(),
        }
    }

    pub(super) fn request(&mut self, report: &RequestReport) {
        let name = report.client.as_ref();
        if let Some(place) = name.and_then(|name| self.places.get(name))
            && let Some(client) = self.all.get_mut(*place)
        {
            client.counts.asked(report);
        }
    }

    /// The counts, to be taken.
    pub(super) fn counts(&mut self) -> impl Iterator<Item = (Subject, &mut Counts)> {
        let all = self.all.iter_mut();
        all.map(|client| (client.subject, &mut client.counts))
    }

    /// The clients that there are.
    pub(super) fn listed(&self) -> Vec<(Arc<str>, Subject)> {
        let all = self.all.iter();
        all.map(|client| (Arc::clone(&client.name), client.subject))
            .collect()
    }
}

impl OneClient {
    fn new(name: &Arc<str>) -> Self {
        Self {
            name: Arc::clone(name),
            subject: Subject::client(name),
            counts: Counts::default(),
        }
    }
}
