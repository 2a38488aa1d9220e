//! Whole-program tests: a real gateway between real HTTP clients and simulated providers, all on this machine.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed setup should fail the test"
)]

mod frames;
mod harness;
mod load;
mod raw;
mod seats;
mod streamed;

mod abuse;
mod affinity;
mod api;
mod applications;
mod azure;
mod believing;
mod bodies;
mod bounds;
mod browser;
mod capabilities;
mod catalogue;
mod chromium;
mod claude;
mod cli;
mod client_limits;
mod clients;
mod config;
mod connections;
mod continuation;
mod conversation;
mod drain;
mod elsewhere;
mod ernie;
mod exhausted;
mod explain;
mod facts;
mod failover;
mod forwarded;
mod forwarding;
mod health;
mod heartbeats;
mod history;
mod idle;
mod installing;
mod keys;
mod kubernetes;
mod layers;
mod limits;
mod memory;
mod messages;
mod metrics;
mod odd_json;
mod origins;
mod own_credentials;
mod own_words;
mod page;
mod page_seen;
mod panics;
mod passing;
mod patience;
mod providers;
mod reference;
mod reload;
mod replay;
mod schema;
mod sdk;
mod series;
mod shared;
mod situations;
mod story;
mod strategy;
mod streaming;
mod supervision;
mod surroundings;
mod telling;
mod threads;
mod three_apis;
mod timers;
mod tls;
mod traces;
mod two_apis;
mod unasked;
mod unread;
mod unstreamed;
mod unwanted;
mod uploads;
mod watched;
mod webhook;
mod websocket;
