//! The counts of all clients, which outlast a configuration.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::counts::Counts;

/// What all clients have used of their limits, by their names, for as long as the process runs.
#[derive(Debug, Default)]
pub struct Usage(Mutex<HashMap<Arc<str>, Weak<Counts>>>);

impl Usage {
    /// The counts of the client of this name: those until now, if there are some. Those that nobody counts by any more are
    /// forgotten.
    pub(super) fn of(&self, name: &Arc<str>) -> Arc<Counts> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counts) = all.get(name).and_then(Weak::upgrade) {
            return counts;
        }
        all.retain(|_, counts| counts.strong_count() > 0);
        let counts = Arc::new(Counts::new());
        all.insert(Arc::clone(name), Arc::downgrade(&counts));
        counts
    }

    /// The counts of all clients that have limits, by their names.
    pub fn all(&self) -> Vec<(Arc<str>, Weak<Counts>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.iter();
        all.map(|(name, counts)| (Arc::clone(name), Weak::clone(counts)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Usage;

    #[tokio::test]
    async fn a_name_keeps_its_counts_for_as_long_as_somebody_uses_them() {
        let usage = Usage::default();
        let (anna, bert) = ("anna".into(), "bert".into());
        let of_anna = usage.of(&anna);
        assert!(Arc::ptr_eq(&of_anna, &usage.of(&anna)));
        assert!(!Arc::ptr_eq(&of_anna, &usage.of(&bert)));
        assert!(
            Arc::ptr_eq(&of_anna, &usage.of(&anna)),
            "another one came, and hers are not forgotten"
        );
        drop(of_anna);
        usage.of(&bert);
        assert_eq!(usage.0.lock().unwrap().len(), 1);
    }
}
