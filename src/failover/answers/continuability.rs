//! Whether a stream could continue at another upstream if it broke.

use crate::config::Continuation;
use crate::dialect::continuation;
use crate::failover::translation::reserve;
use crate::request::ModelRequest;
use crate::routing::Rule;
use crate::wire::memory::Memory;
use crate::wire::offload;

/// Whether a stream could continue at another upstream if it broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuability {
    /// It could, in this way.
    Possible(Continuation),
    /// The request uses a feature that cannot be continued.
    Refused(&'static str),
}

/// Whether a stream could continue at another upstream if it broke; `None` if the route does not enable that.
pub(in crate::failover) async fn continuability(
    request: &ModelRequest,
    rule: &Rule,
    memory: &Memory,
) -> Option<Continuability> {
    if rule.continuation == Continuation::Off || !request.streaming {
        return None;
    }
    let look = || match reserve(&request.body, memory) {
        Ok(_share) => continuation::obstacle(request.endpoint, &request.body),
        Err(_) => Some("size"),
    };
    Some(match offload::run(request.body.len(), look).await {
        Some(obstacle) => Continuability::Refused(obstacle),
        None => Continuability::Possible(rule.continuation),
    })
}
