//! One exchange with one provider account.
//!
//! *Invariant:* only `client` opens connections to upstreams, and only `credential` puts a key on a request.

mod account;
mod client;
mod credential;
mod deployment;
mod key;
mod models;
mod reply;
mod send;
mod shortage;
mod upgrade;

pub use account::{Outbound, Upstream};
pub use client::{Client, connect_with};
pub use credential::Credential;
pub use key::{Key, KeyError, Renewal, RenewedKey};
pub use reply::{Reply, ReplyBody};
pub use send::SendError;
pub use upgrade::Upgrade;
