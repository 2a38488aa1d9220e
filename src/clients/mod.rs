//! The clients that have keys: the models that each may use, until when, and how much of them.
//!
//! *Invariant:* a count is taken at one place, [`Client::take`], and given back at one other, where what was [`Taken`] is
//! dropped. What was taken at other replicas counts like our own, as soon as it is known.

mod client;
mod counts;
mod meter;
mod usage;
mod window;

pub use client::Client;
pub use counts::{Cost, Counts, Exceeded, OwnCounts, Standing, Standings, Taken};
pub use meter::Amount;
pub use usage::Usage;
