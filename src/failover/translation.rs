//! Parses large requests and answers into trees: within the memory for bodies, and without blocking other tasks.

use super::order::{RoutingRequest, unsupported};
use super::skip::SkipReason;
use crate::routing::Candidate;
use crate::wire::json::{self, Fault};
use crate::wire::memory::{Memory, NoMemory, Share};
use crate::wire::offload;

/// The parsed tree, and the translated one.
const TREES: usize = 2;

/// Reserves memory for the translation of a body.
pub(super) fn reserve(body: &[u8], memory: &Memory) -> Result<Share, NoMemory> {
    json::reserve(TREES, body, memory)
}

/// Why a request cannot be translated for a candidate.
pub(super) async fn obstacle(
    candidate: &Candidate,
    request: RoutingRequest<'_>,
    memory: &Memory,
) -> Option<SkipReason> {
    if !candidate.api(request.model).translates(request.endpoint) {
        return None;
    }
    let look = || match reserve(request.needs.body, memory) {
        Ok(_share) => unsupported(candidate, request),
        Err(NoMemory::Now) => Some(SkipReason::NoMemory),
        Err(NoMemory::Ever) => Some(SkipReason::TooLarge),
    };
    offload::run(request.needs.body.len(), look).await
}

/// The error in a request that cannot be parsed.
pub(super) async fn fault(body: &[u8]) -> Option<Fault> {
    let look = || {
        let mended = json::mended(body);
        json::fault(mended.as_deref().unwrap_or(body))
    };
    offload::run(body.len(), look).await
}
