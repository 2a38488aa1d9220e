//! HTTP plumbing without opinions: bodies, headers, server-sent events, JSON, query and multipart peeking, WebSocket
//! frames, TLS settings.
//!
//! *Invariant:* nothing here knows an upstream, a route or a policy.

pub mod body;
pub mod coding;
pub mod headers;
pub mod json;
pub mod multipart;
pub mod path;
pub mod query;
pub mod sse;
pub mod tls;
pub mod upgrade;
pub mod websocket;
