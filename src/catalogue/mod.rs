//! The catalogue: what is known of providers and models by their names, as data.
//!
//! *Invariant:* no module of ours is imported here, and everybody may import this one.

mod ability;
mod api;
mod models;
mod provider;
mod providers;
mod quirks;
mod reasoning;

pub use ability::{Abilities, Ability, Capabilities};
pub use api::{Dialect, KeyHeader, Prefill};
pub use provider::Provider;
pub use quirks::{CallIds, Efforts, Quirks};
pub use reasoning::{calls_tools_unthinking, is_o_model, is_reasoning_model};
