//! An attempt without optional fields that its upstream refuses by their names.

use super::attempt::Attempt;
use super::ending::{Ended, Failure};
use crate::catalogue::Unwanted;

/// So many times an upstream is asked once more because it names another field that it does not know.
const MOST_REFUSED: usize = 4;

impl Attempt<'_> {
    /// Whether optional fields may be left out: the client has not written them for this upstream.
    pub(super) fn may_do_without(&self) -> bool {
        !self.is_first_choice || self.asking.translates()
    }

    /// Asks once more without what the upstream does not know, by its own words. Some name one field at a time.
    pub(super) async fn do_without(&self, mut failure: Failure) -> Ended {
        let mut unwanted = Unwanted::NONE;
        for _ in 0..MOST_REFUSED {
            let more = unwanted.or(failure.unwanted);
            if more == unwanted {
                break;
            }
            unwanted = more;
            let Some(translated) = self.doing_without(unwanted).await else {
                break;
            };
            match self.exchange(&translated).await {
                Ok(answer) => {
                    // Only this success proves that they were the reason.
                    let candidate = self.target.candidate;
                    let model = candidate.model_for(self.request.model_name());
                    candidate.does_without.note(model, unwanted);
                    return Ok(answer);
                }
                Err(next) => failure = next,
            }
        }
        Err(failure)
    }
}
