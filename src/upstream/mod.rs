//! One exchange with one provider account.
//!
//! *Invariant:* only `network` opens connections to upstreams, and only `credential` puts a key on a request.

mod account;
mod base_url;
mod credential;
mod deployment;
mod key;
mod models;
mod network;
mod reply;
mod seats;
mod send;
mod shortage;
mod spelling;
mod upgrade;

pub use account::{MessagesUrl, Outbound, Upstream};
pub use credential::Credential;
pub use key::{Key, KeyError, Renewal, RenewedKey};
pub use models::{ListedModel, NoList};
pub use network::{Client, ClientError, Connector, PooledBody};
pub use reply::{Reply, ReplyBody, ReplyError};
pub use seats::{Seat, Seats};
pub use send::SendError;
pub use upgrade::Upgrade;
