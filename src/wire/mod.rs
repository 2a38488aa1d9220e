//! HTTP plumbing without opinions: bodies, headers, server-sent events, JSON and multipart peeking, TLS settings.
//!
//! *Invariant:* nothing here knows an upstream, a route or a policy.

pub mod allowance;
pub mod body;
pub mod headers;
pub mod json;
pub mod multipart;
pub mod sse;
pub mod tls;
