//! What the operators' address shows and checks by the configuration that serves now.

use std::sync::Arc;

use jiff::Timestamp;

use crate::browser::BrowserPolicy;
use crate::config::Secret;
use crate::failover::Failover;
use crate::routing::RouteTable;

/// The parts of a configuration that matter to operators; replaced on reload.
#[derive(Clone, Debug)]
pub struct Current {
    /// Which hosts and pages may come in.
    pub browsers: BrowserPolicy,
    /// Shown at `/api/status` and `/api/explain`.
    pub routes: Arc<RouteTable>,
    /// Knows who waits.
    pub failover: Failover,
    /// What actions ask for; without one there are none.
    pub token: Option<Secret>,
    /// Since when it serves.
    pub since: Timestamp,
}
