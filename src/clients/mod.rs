//! The clients that have keys: the models that each may use, until when, and how much of them.
//!
//! *Invariant:* a count is taken at one place, [`Client::take`], and given back at one other, where what was [`Taken`] is
//! dropped.

mod client;
mod counts;
mod estimate;
mod usage;
mod window;

pub use client::Client;
pub use counts::{Cost, Exceeded, Standing, Standings, Taken};
pub use estimate::tokens_in;
pub use usage::Usage;
