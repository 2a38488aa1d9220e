//! Whole-program tests: a real gateway between real HTTP clients and simulated providers, all on this machine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed setup should fail the test"
)]

mod harness;

mod cli;
mod config;
mod failover;
mod layers;
mod sdk;
