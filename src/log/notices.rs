//! What somebody has to see to: a refused key, an empty account, a missing model. Each is noticed once, not with every
//! request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::event::AttemptReport;
use crate::outcome::{Attention, Outcome};

/// A trouble that comes and goes is told again only after this time.
const QUIET: Duration = Duration::from_secs(600);

/// What was noticed, by upstream, key and model.
#[derive(Debug, Default)]
pub(super) struct Notices {
    noticed: Mutex<HashMap<Place, Notice>>,
    /// How many troubles there are now: usually none, and then no lock is taken.
    open: AtomicUsize,
}

/// Where a trouble is; a model only if the trouble is about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    upstream: String,
    key: usize,
    model: Option<Arc<str>>,
}

#[derive(Debug)]
struct Notice {
    trouble: &'static str,
    /// When it was told last.
    at: Instant,
    is_open: bool,
    /// Whether it was told that it has begun: else its end is not told either.
    is_told: bool,
}

/// What has changed with an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Somebody has to act.
    Trouble(&'static str),
    /// It works again.
    Over,
}

impl Notices {
    /// What an attempt shows for the first time.
    pub(super) fn change(
        &self,
        report: &AttemptReport,
        now: impl FnOnce() -> Instant,
    ) -> Option<Change> {
        match report.attention() {
            Some((attention, model)) => {
                let trouble = in_words(attention, model.is_some());
                self.begin(place(report, model), trouble, now())
            }
            None if report.outcome == Outcome::Success => self.end(report),
            None => None,
        }
    }

    fn begin(&self, place: Place, trouble: &'static str, now: Instant) -> Option<Change> {
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = noticed.get_mut(&place);
        let is_known = before.as_ref().is_some_and(|notice| {
            let is_recent = now.saturating_duration_since(notice.at) < QUIET;
            notice.trouble == trouble && (is_recent || notice.is_open && notice.is_told)
        });
        if before.as_ref().is_none_or(|notice| !notice.is_open) {
            self.open.fetch_add(1, Ordering::Relaxed);
        }
        match before {
            Some(notice) if is_known => {
                notice.is_told &= notice.is_open;
                notice.is_open = true;
            }
            _ => {
                let notice = Notice {
                    trouble,
                    at: now,
                    is_open: true,
                    is_told: true,
                };
                noticed.insert(place, notice);
            }
        }
        (!is_known).then_some(Change::Trouble(trouble))
    }

    fn end(&self, report: &AttemptReport) -> Option<Change> {
        if self.open.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_over = false;
        for place in [
            place(report, None),
            place(report, report.scope_model.as_ref()),
        ] {
            if let Some(notice) = noticed.get_mut(&place)
                && std::mem::take(&mut notice.is_open)
            {
                self.open.fetch_sub(1, Ordering::Relaxed);
                is_over |= notice.is_told;
            }
        }
        is_over.then_some(Change::Over)
    }
}

/// What somebody has to see to.
fn in_words(attention: Attention, is_about_model: bool) -> &'static str {
    match attention {
        Attention::Key if is_about_model => "refuses its key for this",
        Attention::Key => "refuses its key",
        Attention::Quota => "has no money or quota left",
        Attention::Model => "does not have the model",
    }
}

fn place(report: &AttemptReport, model: Option<&Arc<str>>) -> Place {
    Place {
        upstream: report.upstream.to_string(),
        key: report.key,
        model: model.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Change, Notices};
    use crate::event::{AttemptReport, Phase};
    use crate::outcome::Outcome;

    fn report(key: usize, outcome: Outcome) -> AttemptReport {
        report_of("gpt", key, outcome)
    }

    fn report_of(model: &str, key: usize, outcome: Outcome) -> AttemptReport {
        AttemptReport {
            number: 1,
            upstream: "openai".into(),
            key,
            model: None,
            phase: Phase::Normal,
            outcome,
            detail: None,
            elapsed: Duration::ZERO,
            first_token: None,
            scope_model: Some(model.into()),
            tokens: None,
        }
    }

    #[test]
    fn a_trouble_is_told_when_it_begins_and_when_it_is_over() {
        let notices = Notices::default();
        let now = Instant::now();
        let change = |key, outcome| notices.change(&report(key, outcome), || now);
        let refused = || Outcome::Unauthorized { status: 401 };
        let is_trouble = |change| matches!(change, Some(Change::Trouble(_)));
        assert!(is_trouble(change(0, refused())));
        assert_eq!(change(0, refused()), None);
        // Another key is another matter, and a failure none.
        assert!(is_trouble(change(1, refused())));
        assert_eq!(change(2, Outcome::Success), None);
        assert_eq!(change(0, Outcome::ConnectionLost), None);
        assert!(is_trouble(change(
            0,
            Outcome::ModelUnavailable { status: 404 }
        )));
        let missing = |model| report_of(model, 0, Outcome::ModelUnavailable { status: 404 });
        assert!(is_trouble(notices.change(&missing("mini"), || now)));
        assert_eq!(notices.change(&missing("o*"), || now), None, "a pattern");
        assert_eq!(change(0, Outcome::Success), Some(Change::Over));
        assert_eq!(change(0, Outcome::Success), None);
        // What comes and goes is not told each time, and neither is its end.
        for _ in 0..3 {
            assert_eq!(change(0, refused()), None);
            assert_eq!(change(0, Outcome::Success), None);
        }
        // What has come again and stays is told in the end.
        assert_eq!(change(0, refused()), None);
        let later = || now + Duration::from_secs(3600);
        assert!(is_trouble(notices.change(&report(0, refused()), later)));
        let end = notices.change(&report(0, Outcome::Success), later);
        assert_eq!(end, Some(Change::Over));
    }
}
