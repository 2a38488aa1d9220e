//! The manual: how to use, run and understand backstop, page by page.
//!
//! | page | what is in it |
//! |---|---|
//! | [installing] | packages, the service of systemd, completions, coming from `LiteLLM` |
//! | [configuration] | keys, routes, timeouts, limits, reload |
//! | [clients] | tested clients and their settings |
//! | [providers] | providers, translation, models, capabilities, stored objects |
//! | [models] | which providers and models are known, and what of them |
//! | [failover] | which failures lead to another attempt, and what a client gets when all fail |
//! | [streams] | what a stream promises, and how one that breaks off goes on |
//! | [health] | evidence, circuit breakers, cooldowns, and a simulation of outages |
//! | [fleet] | what several replicas share through Redis or Valkey, and what happens without it |
//! | [page] | the page for operators, its actions, `backstop status`, the badge |
//! | [reference] | headers, error codes, outcomes, metrics, endpoints |
//! | [availability] | how many requests were answered, and how upstreams did, over 90 days; incidents |
//! | [queries] | eight questions of whoever is on call, and the queries that answer them |
//! | [runbook] | what each alert means, and what to do |
//! | [operations] | running, Docker, drain, logs, notifications, traces, state, security, limits, alerts |
//! | [kubernetes] | the Helm chart, plain manifests, restarts, secrets, autoscaling |
//! | [decisions] | why it is built this way |
//! | [comparison] | what else there is, and where it is better |
//! | [performance] | what it costs, and how that was measured |
//!
//! [reference]: mod@reference

#[doc = include_str!("availability.md")]
pub mod availability {}

#[doc = include_str!("clients.md")]
pub mod clients {}

#[doc = include_str!("comparison.md")]
pub mod comparison {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("decisions.md")]
pub mod decisions {}

#[doc = include_str!("failover.md")]
pub mod failover {}

#[doc = include_str!("fleet.md")]
pub mod fleet {}

#[doc = include_str!("health.md")]
pub mod health {}

#[doc = include_str!("kubernetes.md")]
pub mod kubernetes {}
#[doc = include_str!("installing.md")]
pub mod installing {}

#[doc = include_str!("models.md")]
pub mod models {}

#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("page.md")]
pub mod page {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("providers.md")]
pub mod providers {}

#[doc = include_str!("queries.md")]
pub mod queries {}

#[doc = include_str!("reference.md")]
pub mod reference {}

#[doc = include_str!("runbook.md")]
pub mod runbook {}

#[doc = include_str!("streams.md")]
pub mod streams {}
