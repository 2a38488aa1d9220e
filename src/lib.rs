//! **Backstop** is a failover proxy for LLM APIs: one OpenAI-compatible endpoint in front of every provider you
//! have. A request whose provider fails is answered by the next one, before the client notices.
//!
//! # The map
//!
//! In the order in which a request meets them:
//!
//! 1. [`server`] accepts connections, within limits, until told to drain
//! 2. [`api`] understands the request and answers the client
//! 3. [`routing`] says which upstreams may serve the model
//! 4. [`failover`] tries them until one answers, and watches the answer to its last byte
//! 5. [`upstream`] makes one exchange with one provider account
//! 6. [`dialect`] speaks that provider's API, and turns its replies back into the client's
//!
//! Around them: [`health`] is what we believe about each upstream, learnt from live requests as evidence; [`event`] carries
//! facts from the data path to [`metrics`] and [`log`]; [`admin`] is the operators' address; [`gateway`] puts everything
//! together from a [`config`], and takes over another one while running; [`cli`] is the command line; [`simulator`] pretends to be a provider, for the demo and the tests.
//! [`affinity`] remembers which upstream created what. [`browser`] says which web pages may come in. [`output`] writes lines without making anybody wait. [`wire`] is HTTP plumbing. [`request`] and [`outcome`] are what the steps hand to each other.
//!
//! ```text
//! client ─▶ server ─▶ api::Api::handle
//!                      browser   a web page that may not, a name that is not ours?   else 403
//!                      auth      who is calling?                          else 401
//!                      read      path and body → ModelRequest             else 400, 408, 413, 415
//!                      pins      what it refers to → its creator
//!                      routing   model → Rule (candidates)                else 404
//!                      failover::Failover::run
//!                          order     tiers, failure domains, conversations that stay where they are
//!                      ┌─▶ plan      the next target that health admits   none left: 503 or 429 with every attempt
//!                      │   attempt   upstream::send ⇄ provider, dialect: what does the reply mean?
//!                      │   race      too slow, and its upstream went out of rotation: a hedge on ejection
//!                      └── failed?   health, events, on to the next at once
//!                          commit    first real content: headers go out, no way back
//!                      respond   supervise: stream to the client; one that breaks off goes on from
//!                                another upstream (resume), or ends with an error
//!                      forward   what is not understood: once, byte for byte (opaque)
//!                      upgrade   relay: a WebSocket's frames both ways, until one side ends it
//!
//! events ─▶ metrics · log                      admin ─shows─▶ metrics · health · who would be tried
//! ```
//!
//! # The ladder
//!
//! A module imports only modules below it; `tests/gateway/layers.rs` enforces it:
//!
//! ```text
//! cli → gateway → admin, api → failover → routing → health, upstream → dialect → wire
//!                 server (wire only)      metrics (health), log (event)     simulator (nothing)
//!                                         pins (request, wire)
//!                 browser (config)
//!                 leaves for everyone: request, outcome, event, config, output
//! ```
//!
//! # The words
//!
//! | word | meaning |
//! |---|---|
//! | client | who calls us |
//! | upstream | one provider account at one URL |
//! | provider | the company, and what follows from it: URL, credential, dialect |
//! | dialect | the API that an upstream speaks |
//! | route | model patterns and the candidates behind them |
//! | rule | one pattern of a route, ready to match |
//! | candidate | an upstream that may serve a request, with its name for the model |
//! | target | a candidate with one of its keys |
//! | attempt | one try at one target |
//! | outcome | how an attempt ended |
//! | reply, answer | what an upstream sent; what the client gets |
//! | commit | the moment the first bytes go to the client |
//! | hold | keep back the beginning of a stream, so that it can still be replaced |
//! | manners | what a provider takes of `OpenAI`'s API, and in which words |
//! | verdict | what an upstream says against a request; the client's, if nobody takes it |
//! | continuation | the rest of a stream that broke off, from another upstream |
//! | transcript, seam, splice | what the client has; where the rest begins; making one stream of both |
//! | scope | what health keeps apart: an upstream as a whole, or a model at it; each has a circuit breaker |
//! | evidence, score | what an attempt says about health, as a log-likelihood ratio; the sum of all evidence |
//! | closed, open, half-open, slow start | all traffic is admitted, none, a few probes, more with each step |
//! | half-open probe | a live request that is admitted to see whether a scope has healed |
//! | health check | a free request to an upstream that could not be connected to; it lets probes begin |
//! | cooldown | a fact with a deadline, such as a rate limit; no evidence |
//! | last resort | the one attempt that is made though nobody is admitted |
//! | creator, pin | the upstream where something lives that a request refers to; that fact |
//! | generation | what serves by one configuration, until a reload |
//! | drain | finish what is open, then stop |

pub mod admin;
pub mod affinity;
pub mod api;
pub mod browser;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod event;
pub mod failover;
pub mod gateway;
pub mod health;
pub mod log;
pub mod metrics;
pub mod outcome;
pub mod output;
pub mod request;
pub mod routing;
pub mod server;
pub mod simulator;
pub mod upstream;
pub mod wire;
