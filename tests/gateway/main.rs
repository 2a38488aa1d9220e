//! Whole-program tests: a real gateway between real HTTP clients and simulated providers, all on this machine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed setup should fail the test"
)]

mod harness;
mod streamed;

mod affinity;
mod api;
mod applications;
mod capabilities;
mod claude;
mod cli;
mod clients;
mod config;
mod continuation;
mod conversation;
mod ernie;
mod exhausted;
mod explain;
mod failover;
mod forwarding;
mod health;
mod layers;
mod limits;
mod messages;
mod metrics;
mod providers;
mod reference;
mod reload;
mod sdk;
mod streaming;
mod supervision;
mod timers;
mod tls;
mod websocket;
