//! Incidents: from the first failure to the end of an outage, as health sees it, with what it did to clients.

mod incident;
mod live;
mod streak;

pub use self::incident::{Damage, Incident};
pub(super) use self::live::Incidents;
