//! The catalogue: what is known of providers and models by their names, as data.
//!
//! *Invariant:* no module of ours is imported here, and everybody may import this one.

mod ability;
mod api;
mod claude;
mod effort;
mod facts;
mod gpt;
mod lookup;
mod models;
mod name;
mod provider;
mod providers;
mod quirks;
mod refused;
mod thinkers;
mod unknown;
mod unwanted;

pub use ability::{Abilities, Ability};
pub use api::{Dialect, KeyHeader, Messages, Prefill};
pub use effort::{EffortLevels, Level};
pub use facts::{Facts, InChats, Sampling, Thinking, Unthinking};
pub use lookup::{claude_facts, facts};
pub use models::known_models;
pub use name::is_listed_as;
pub use provider::Provider;
pub use quirks::{CallIds, Efforts, Quirks};
pub use refused::RefusedFields;
pub use unknown::Unknown;
pub use unwanted::Unwanted;
