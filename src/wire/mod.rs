//! HTTP plumbing without policy: bodies, headers, server-sent events, JSON, query and multipart parsing, WebSocket
//! frames, TLS settings, options of sockets, the memory for bodies, wakers, and long computations.
//!
//! *Invariant:* nothing here knows an upstream, a route or a policy.

pub mod alarm;
pub mod bell;
pub mod body;
pub mod caught;
pub mod coding;
pub mod headers;
pub mod host;
pub mod json;
pub mod memory;
pub mod mix;
pub mod multipart;
pub mod offload;
pub mod overload;
pub mod own_task;
pub mod path;
pub mod query;
pub mod request_body;
pub mod socket;
pub mod sse;
pub mod tls;
pub mod upgrade;
pub mod upload;
pub mod waits;
pub mod websocket;
