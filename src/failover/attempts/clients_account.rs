//! What an upstream says about a client's own account: it keeps nobody else away, and the client gets it in the upstream's
//! words if no other candidate answers.

use super::attempt::Attempt;
use super::ending::Failure;
use crate::outcome::Outcome;

/// The statuses with which upstreams refuse an account or limit it; 404: it has no access to the model.
const ABOUT_ACCOUNTS: [u16; 5] = [401, 402, 403, 404, 429];

impl Attempt<'_> {
    fn is_paid_by_client(&self) -> bool {
        let upstream = &self.target.candidate.upstream;
        upstream.takes_clients_credential()
    }

    /// A refused key, an exhausted account, a rate limit or a model that is not for the account, if it is the client's own,
    /// is about its request.
    pub(super) fn about_client(&self, outcome: Outcome, status: u16) -> Outcome {
        let is_about_account = match outcome {
            Outcome::Unauthorized { .. }
            | Outcome::QuotaExhausted
            | Outcome::RateLimited { .. } => true,
            Outcome::ModelUnavailable => ABOUT_ACCOUNTS.contains(&status),
            _ => false,
        };
        if is_about_account && self.is_paid_by_client() {
            Outcome::RejectedRequest { status }
        } else {
            outcome
        }
    }

    /// The same for a failure: other candidates are asked.
    pub(super) fn about_clients_account(&self, failure: Failure) -> Failure {
        let status = failure.outcome.status().unwrap_or(402);
        let outcome = self.about_client(failure.outcome.clone(), status);
        Failure {
            is_doubtful: failure.is_doubtful || outcome != failure.outcome,
            outcome,
            ..failure
        }
    }

    /// Whether a rejection with this status may be about the client's own account, so that others may serve it.
    pub(super) fn may_be_about_account(&self, status: u16) -> bool {
        ABOUT_ACCOUNTS.contains(&status) && self.is_paid_by_client()
    }
}
