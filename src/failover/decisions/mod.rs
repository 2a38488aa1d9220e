//! What a request does next: whom it asks, when, and what it may spend on that.
//!
//! ```text
//! routing_request
//!           what of a request decides who may serve it
//! order     which candidates come first, before health is asked; fitness: who can serve a request at all
//! plan      the candidates of one request, and what has become of each (entry); target: one with one of its keys
//! skip      who is not asked, and why
//! decide    ask the next, ask again, wait, or end: a pure function of what is known
//! budget    what a route may spend on attempts beyond the first ones
//! queue     requests that wait until somebody can answer again, and their turns
//! targets   whom to ask with a forwarded request
//! explain   who would be asked, found out without calling anyone
//! ```

pub(super) mod budget;
pub mod decide;
pub(super) mod entry;
pub(super) mod explain;
pub(super) mod fitness;
pub(super) mod order;
pub(super) mod plan;
pub(super) mod queue;
pub(super) mod routing_request;
pub(super) mod skip;
pub(super) mod target;
pub(super) mod targets;
pub(super) mod turns;
