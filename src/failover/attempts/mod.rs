//! One attempt at one target: from the request as its upstream takes it to an answer or a failure.
//!
//! ```text
//! rewrite, outbound      what is sent
//! attempt, handshake     sends it, waits, and checks the reply (handshake: to open a WebSocket)
//! without                asks once more without fields that the upstream does not know
//! patience, deadline, pace, timers
//!                        how long the head, an answer in one piece, and a stream may take
//! reply_form             whether a reply can be an answer
//! unstreamed             JSON in place of the events that were asked for
//! error_reply, attempt_errors, clients_account, secrets
//!                        what an upstream's error means, and what of it may be repeated
//! events, commit         a stream's events, held back until the first content
//! forwarded, forwarded_reply, opening
//!                        an attempt with a request that is not understood, what its reply means, and how much of that
//!                        is held back
//! in_flight              an attempt that runs, and what it reports to health and events
//! ending                 what it ends with
//! ```

pub(super) mod attempt;
mod attempt_errors;
mod clients_account;
pub(super) mod commit;
pub(super) mod deadline;
pub(super) mod ending;
pub(super) mod error_reply;
pub(super) mod events;
pub(super) mod forwarded;
mod forwarded_reply;
pub(super) mod handshake;
pub(super) mod in_flight;
pub(super) mod opening;
pub(super) mod outbound;
pub(super) mod pace;
mod patience;
mod renewed_key;
mod reply_form;
mod rewrite;
pub(super) mod secrets;
pub(super) mod timers;
mod unstreamed;
mod without;
