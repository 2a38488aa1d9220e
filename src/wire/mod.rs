//! HTTP plumbing without opinions: bodies, headers, server-sent events, JSON, query and multipart peeking, WebSocket
//! frames, TLS settings, the memory that bodies take, and work on large ones.
//!
//! *Invariant:* nothing here knows an upstream, a route or a policy.

pub mod body;
pub mod coding;
pub mod headers;
pub mod host;
pub mod json;
pub mod memory;
pub mod multipart;
pub mod offload;
pub mod own_task;
pub mod path;
pub mod query;
pub mod sse;
pub mod tls;
pub mod upgrade;
pub mod websocket;
