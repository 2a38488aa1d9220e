//! What an upstream says about a client's own account: it keeps nobody else away, and the client gets it in the upstream's
//! words if no other candidate answers.

use super::ending::Failure;
use crate::failover::decisions::target::Target;
use crate::outcome::Outcome;

/// Whether an upstream's error is about the client's own account, whatever its status: a refused key, an exhausted account,
/// a rate limit, or a model that is not for the account.
pub(super) fn is_about_clients_account(target: &Target<'_>, outcome: &Outcome) -> bool {
    let is_about_account = matches!(
        outcome,
        Outcome::Unauthorized { .. }
            | Outcome::QuotaExhausted { .. }
            | Outcome::RateLimited { .. }
            | Outcome::ModelUnavailable { .. }
    );
    is_about_account && target.candidate.upstream.takes_clients_credential()
}

/// A failure that is about the client's own account rejects its request; other candidates are asked.
pub(super) fn about_clients_account(target: &Target<'_>, failure: Failure) -> Failure {
    if !is_about_clients_account(target, &failure.outcome) {
        return failure;
    }
    let sent = failure.error.as_ref().map(|error| error.status);
    let status = sent.or_else(|| failure.outcome.status());
    Failure {
        outcome: Outcome::RejectedRequest {
            status: status.unwrap_or(402),
        },
        is_doubtful: true,
        ..failure
    }
}
