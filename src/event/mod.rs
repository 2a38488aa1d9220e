//! Facts that the data path reports, and the sinks that take them.

mod attempt;
mod fact;
mod finding;
mod health_change;
mod request;
mod shared_news;
mod sink;
mod tokens;

pub use attempt::{AttemptReport, Phase};
pub use fact::Event;
pub use finding::ModelFinding;
pub use health_change::{HealthChange, ScopeId};
pub use request::{
    ClientLimit, FailedAt, InPlaceOf, Refusal, RequestFailure, RequestReport, RequestResult,
};
pub use shared_news::{SharedNews, Unusable};
pub use sink::{Events, Sink};
pub use tokens::Tokens;
