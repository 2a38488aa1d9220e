//! What an upstream has refused by name, for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use crate::catalogue::Unwanted;

/// After this time it is asked again with everything: servers are renewed.
const LASTS: Duration = Duration::from_secs(600);

/// What an upstream does not know for a model, as it said last.
#[derive(Debug, Default)]
pub struct DoesWithout {
    /// Whether it has refused something, which hardly any has: every request asks.
    has_refused: AtomicBool,
    last: ArcSwapOption<Refused>,
}

#[derive(Debug)]
struct Refused {
    model: Box<str>,
    unwanted: Unwanted,
    until: Instant,
}

impl DoesWithout {
    /// What a request to this model does without, if there is anything.
    pub fn of(&self, model: &str) -> Option<Unwanted> {
        if !self.has_refused.load(Ordering::Acquire) {
            return None;
        }
        let refused = self.last.load();
        let refused = refused.as_ref()?;
        let holds = *refused.model == *model && Instant::now() < refused.until;
        holds.then_some(refused.unwanted)
    }

    /// The model answered without this, and had refused it before.
    pub fn note(&self, model: &str, unwanted: Unwanted) {
        let known = self.of(model).unwrap_or_default();
        self.last.store(Some(Arc::new(Refused {
            model: model.into(),
            // Of two names of a limit, the one counts that it said last.
            unwanted: unwanted.or(known),
            until: Instant::now() + LASTS,
        })));
        self.has_refused.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, advance};

    use super::{DoesWithout, LASTS};
    use crate::catalogue::Unwanted;

    #[tokio::test(start_paused = true)]
    async fn what_a_model_refused_is_known_for_a_while() {
        let (seed, user) = (
            Unwanted::named("seed").unwrap(),
            Unwanted::named("user").unwrap(),
        );
        let does_without = DoesWithout::default();
        assert_eq!(does_without.of("m"), None);
        does_without.note("m", seed);
        does_without.note("m", user);
        assert_eq!(does_without.of("m"), Some(seed.or(user)));
        assert_eq!(does_without.of("n"), None);
        let since = Instant::now();
        advance(LASTS).await;
        assert_eq!(does_without.of("m"), None, "after {:?}", since.elapsed());
    }

    #[test]
    fn of_two_names_of_a_limit_the_one_counts_that_it_said_last() {
        let does_without = DoesWithout::default();
        for name in ["max_tokens", "max_completion_tokens"] {
            let unwanted = Unwanted::named(name).unwrap();
            does_without.note("m", unwanted);
            assert_eq!(does_without.of("m"), Some(unwanted));
        }
    }
}
