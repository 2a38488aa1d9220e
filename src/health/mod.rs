//! What is believed about each upstream. Live requests are the evidence; there is no window of recent requests.
//!
//! Every attempt is `evidence` on two scopes: the upstream, and the model at it. A `scope` is a circuit breaker. When
//! its `score` reaches the threshold it opens; a few live requests test it as half-open `probes`; and `slow_start`
//! gives its traffic back step by step. The contrast between models decides which scope opens: the upstream, or one
//! model (`model_health`). A wait that is too long is evidence while it lasts (`slow`). Rate limits, refused keys and
//! missing models are no evidence, but begin a `cooldown`: a fact with a deadline. If several upstreams vanish at once,
//! the cause is our own `network`. If a model rejects far more requests than usual, another candidate may prove that
//! the model is the cause (`rejections`). Behind a pattern such as `*` each model is kept apart by its name (`names`).
//! Where several replicas share what they know, the word of another is `hearsay`, what their requests hold against a scope counts
//! beside ours, and one of them at a time makes a `trial` of what may have healed. Beside all this, the `odds` say how likely a
//! single call is to succeed, and an operator may take an upstream out `by_hand`.
//!
//! *Invariant:* there is no I/O and no clock in here: `now` is an argument, changes of state are return values.
//! Admitting a request and reporting on it take no lock; only a name that is new behind a pattern waits for others
//! that are.

mod admission;
mod both;
mod by_hand;
mod cooldown;
mod counters;
mod evidence;
mod fleet_probe;
mod hearsay;
mod model_health;
mod names;
mod network;
mod odds;
mod operators;
mod packed;
mod permit;
mod preview;
mod probes;
mod rate_limit;
mod registry;
mod rejections;
mod report;
mod scope;
mod score;
mod shared_scope;
mod shared_trials;
mod siblings;
mod slow;
mod slow_start;
mod time;
mod transition;
mod upstream_health;
mod view;

pub use admission::NotAdmitted;
pub use cooldown::CooldownReason;
pub use counters::Counts;
pub use fleet_probe::FleetProbes;
pub use model_health::ModelHealth;
pub use packed::Phase;
pub use permit::Permit;
pub use preview::AdmissionPreview;
pub use rate_limit::RateLimitView;
pub use registry::Health;
pub use shared_scope::{Others, OwnFinding, SharedCooldown, SharedScope, Standing, Suspicion};
pub use slow::{Shape, Silence};
pub use time::Tick;
pub use view::{CooldownView, ScopeView, causes};

#[cfg(all(test, model))]
mod interleavings;
#[cfg(all(test, not(model)))]
mod tests;
