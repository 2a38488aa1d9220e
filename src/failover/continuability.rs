//! Whether a stream would go on elsewhere if it broke off.

use crate::config::Continuation;
use crate::dialect::openai::continuation;
use crate::request::ModelRequest;
use crate::routing::Rule;

/// Whether a stream would go on elsewhere if it broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuability {
    /// It would, in this way.
    Possible(Continuation),
    /// The request asks for something that cannot be continued.
    Refused(&'static str),
}

/// Whether a stream would go on elsewhere if it broke off; `None` where that is not asked for.
pub(super) fn continuability(request: &ModelRequest, rule: &Rule) -> Option<Continuability> {
    if rule.continuation == Continuation::Off || !request.streaming {
        return None;
    }
    Some(
        match continuation::obstacle(request.endpoint, &request.body) {
            Some(obstacle) => Continuability::Refused(obstacle),
            None => Continuability::Possible(rule.continuation),
        },
    )
}
