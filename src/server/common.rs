//! What the connections of a worker have in common. It is shared, so that the task of each of them stays small.

use tokio::sync::watch;

use super::handler::Handler;
use super::limits::ConnectionLimits;
use super::pressure::Pressure;
use crate::wire::upgrade::Shutdown;

/// What the connections of a worker have in common.
pub(super) struct Common {
    pub(super) limits: ConnectionLimits,
    /// Becomes true when open requests are to be the last ones.
    pub(super) stop: watch::Receiver<bool>,
    /// Becomes true when the grace time is over and the rest has to end.
    pub(super) shutdown: Shutdown,
    pub(super) handler: Handler,
    /// Whether there is time for more requests, where some may be refused for that.
    pub(super) pressure: Option<Pressure>,
}
