//! Connections to one upstream: opened directly or through a forward proxy, kept for further requests, and replaced when
//! they are old or carried a failure.
//!
//! *Invariant:* a request that an upstream has not processed is sent again on another connection, and nobody else notices.

mod client;
mod connector;
mod line;
mod pool;
mod pooled_body;
mod proxy;
mod renewal;
mod resend;
mod secure;
mod single;

pub use client::{Client, ClientError};
pub use connector::Connector;
pub use pooled_body::PooledBody;

pub(super) use proxy::ProxyError;
