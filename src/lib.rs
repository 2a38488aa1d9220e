//! **Backstop** is a failover proxy for LLM APIs: one OpenAI-compatible endpoint in front of every provider you have. When a
//! provider fails, backstop sends the same request to the next one, before the client notices.
//!
//! The [`guide`] is the manual. This page is the map of the sources.
//!
//! # The map
//!
//! A request meets these modules, in this order:
//!
//! 1. [`server`] accepts connections within limits, in one thread for each processor (16 at most), until it drains, and refuses
//!    requests while they queue for the processor
//! 2. [`browser`] keeps out web pages that nobody has listed, and names that are not ours
//! 3. [`api`] understands the request and answers the client
//! 4. [`routing`] finds the rule for the model, with its candidates
//! 5. [`failover`] tries the candidates until one answers, and supervises the answer to its last byte
//! 6. [`upstream`] makes one exchange with one provider account
//! 7. [`dialect`] translates between the client's API and the upstream's
//!
//! Around them:
//!
//! - [`clients`] knows who may call: models, expiry and limits of each client, with what it has used of them, here and elsewhere
//! - [`health`] learns from live requests which upstreams and models work, and decides who is admitted
//! - [`shared`] tells other replicas what health has learnt and what requests have taken, and weighs what they say
//! - [`affinity`] remembers which upstream owns which stored object
//! - [`event`] carries facts from the data path to [`metrics`], [`history`], [`log`], [`webhook`] and [`traces`]
//! - [`history`] counts what clients had and how upstreams did, for 90 days, and notes incidents
//! - [`state`] opens the files that survive a restart
//! - [`output`] writes to standard output and standard error, so that nobody waits for whoever reads them
//! - [`admin`] serves the operators' address: a page, its live status, actions
//! - [`catalogue`] has what is known of providers and models, as data
//! - [`config`] reads and checks the configuration; [`gateway`] builds everything from it, and replaces it on reload
//! - [`cli`] is the command line; [`simulator`] imitates providers for the demo and the tests
//! - [`wire`] is HTTP plumbing; [`request`] and [`outcome`] are what the steps hand to each other
//!
//! ```text
//! client ─▶ server ─▶ api::Api::handle
//!                      record    the request record is opened
//!                      browser   a page that is not listed, a name that is not ours?   else 403
//!                      auth      who is calling?                          else 401
//!                      read      path and body → ModelRequest             else 400, 408, 413, 415, 503
//!                      admit     may this client ask for it, and now?     else 403, 429
//!                      affinity  what it refers to → its owner
//!                      routing   model → Rule (candidates)                else 404
//!                      failover::Failover::run (engine: what all requests share; serve: first attempt to answer)
//!                        decisions/
//!                          order     tiers, failure domains, conversations that stay where they are
//!                          plan      each candidate with its keys, and what has become of it
//!                      ┌─▶ course    one step after the other, until somebody answers
//!                      │   decide    ask the next, ask again, wait, or end?     nothing left: an error with every attempt
//!                      │   queue     everybody is closed for a short time: wait for a turn
//!                      │ attempts/
//!                      │   attempt   upstream::send ⇄ provider, dialect: what does the reply mean?
//!                      │   race      it is late, its upstream was ejected, or the client is impatient: one more
//!                      │   commit    a stream is held back until its first content
//!                      └── failed?   health, events, decide again
//!                      respond   headers go out, no way back
//!                        answers/
//!                          supervise the stream to its last byte, segment by segment; one that breaks off continues
//!                                    at another upstream (resume), or ends with an error
//!                      forward   an unknown path: byte for byte (opaque), once unless nothing can have been done
//!                      upgrade   relay: a WebSocket's frames both ways, until one side ends it
//!                      record    closed exactly once: events
//!
//! events ─▶ metrics · history · log · webhook · traces
//! admin ─shows─▶ metrics · health · history · who would be tried
//! ```
//!
//! # The ladder
//!
//! A module imports only modules below it. The table in `tests/gateway/layers/mod.rs` is exact, and the test enforces it:
//!
//! ```text
//! cli → gateway → admin, api → failover → routing → health, upstream → dialect → wire
//!                 server (wire only)      affinity (request, wire, state)    simulator, output, guide, state (nothing)
//!                 browser (config only)   metrics (health, request, wire)          log (event)     history (event, state, wire)
//!                 webhook, traces (upstream, wire)    clients (routing, event)    shared (health, clients, upstream)
//!                 for everyone: request, outcome, event, config → catalogue
//! ```
//!
//! # The lexicon
//!
//! | word | meaning |
//! |---|---|
//! | catalogue | what is known of providers and models by their names |
//! | facts | what is known of one model |
//! | client | who calls backstop |
//! | limit, standing | how much a client may have in any minute, or at a time; what is left of it |
//! | taken | what a request has taken of its client's limits; it is settled by what the answer cost, and given back |
//! | upstream | one provider account at one URL |
//! | provider | the company, and what follows from it: URL, credential, dialect, quirks |
//! | dialect | the API that a client or an upstream speaks |
//! | conversation | a request in no API's words |
//! | piece, event | what an upstream's event adds to its answer; what the client gets, in order |
//! | assembly | makes events of pieces: calls by their numbers, each whole before anything else |
//! | seal | how a signature travels through the API of a client that cannot check it |
//! | sign of life | what keeps a client waiting: a comment, a ping, a keepalive |
//! | quirks | how a provider's form of `OpenAI`'s API differs from `OpenAI`'s own |
//! | route | model patterns, their candidates and their policy |
//! | rule | one pattern of a route, ready to match |
//! | candidate | an upstream that may serve a request, with its name for the model |
//! | fallback | a candidate that serves a request in place of the first one, perhaps with another model |
//! | target | a candidate with one of its keys |
//! | attempt | one try at one target |
//! | outcome | how an attempt ended |
//! | reply | what an upstream sent |
//! | answer | what the client gets |
//! | upstream error | an error that an upstream sent about the request; the client's answer, if nobody takes the request |
//! | pass-through | bytes that go through unchanged |
//! | commit | the moment when the first bytes go to the client |
//! | hold | keep back the first content of a stream, so that it can still be replaced |
//! | continuation | the rest of a stream that broke off, from another upstream: by prefill or regenerate |
//! | prefill | the text so far, as the start of an answer that the model continues |
//! | regenerate | instruct a model to continue at the exact place |
//! | transcript, seam, splice | what the client has; where the rest begins; making one stream of both |
//! | hedged request | a second attempt beside a first one whose first token is late |
//! | hedge on ejection | a second attempt beside a first one whose upstream has just been taken out of rotation |
//! | scope | what health keeps apart: an upstream as a whole, or a model at it |
//! | evidence | what an attempt shows about health, weighed as a log-likelihood ratio |
//! | circuit breaker | the state of a scope: closed (traffic flows), open (none), half-open, slow start |
//! | half-open probe | a live request that is let through to see whether a scope has healed |
//! | slow start | giving a scope that has healed its traffic back step by step |
//! | cooldown | a pause for a key or a model with a known end, such as a rate limit; it says nothing about health |
//! | odds | the live chance that a call to a model succeeds |
//! | health check | a free request to an upstream that could not be connected to |
//! | last resort | the one attempt that is made though nobody is admitted |
//! | fleet, replica | several processes that share what they know; one of them |
//! | suspicion, support | what our own requests hold against a scope that is in rotation; what those of others do, which counts beside it |
//! | claim | what a replica asks of the server before it makes a trial |
//! | hearsay, doubt | what another replica says of a scope; what that does here until our own requests have spoken |
//! | trial | the half-open probes of a scope, and what requests try in their turns before, which one replica makes for all |
//! | takings | what requests have taken of limits that hold for the fleet |
//! | taken out | kept from all requests by an operator, whatever health believes |
//! | condition | how things stand as a whole: well, covered (clients do not notice), failing |
//! | affinity | sending a request to the upstream that owns what it refers to |
//! | owner, pinned | the upstream where a stored object lives; a request that refers to one |
//! | generation | what serves by one configuration, until a reload |
//! | drain | finish what is open, then stop; what is left when its grace time is over is told so |
//! | worker | one thread's part of a server, with the connections that it has accepted |
//! | last call | the second in which a connection is still served, and told that it closes, when a drain begins |
//! | share | the memory that one request holds, out of one budget for the bodies of all requests |
//! | overload | requests queue for a thread: more arrive than it can handle |
//! | offload | do long work where it holds up no other request |
//! | connector, pool, line | what opens connections to an upstream; those that are there; one of them |
//! | bell | what is woken when something has happened, as on a connection, and wakes whoever waits for that now |
//! | doorkeeper | lets something be looked at only when its own bell has rung |
//! | forward proxy, tunnel | what leads to an upstream in networks without another way out; a connection through it |
//! | resend | sending again, over another connection, what the upstream has not processed; it is part of the same attempt |
//! | shortage | file descriptors, ports or memory that this machine has no more of; nobody's failure |
//! | news | what a webhook is told: that an outage has begun, or is over |
//! | trace, span | what became of a request, for OpenTelemetry; one step of it, such as an attempt |
//! | store, keeper | what is remembered; the thread that keeps it in a file |
//! | figures, window | what was counted about clients, an upstream or a model; the span of time until now that it is about |
//! | recorder, ledger | the counts of the minute that runs; all those before |
//! | tier, row | minutes, hours or days; the counts of one of them |
//! | incident | an outage from its first failure to its end, as health sees it |
//! | streak | failures that may be the beginning of an incident |
//! | lost minute | one with 5 % or more of failures, or out of rotation while somebody asked |
//! | origin | where a web page comes from, as its browser says |
//! | coding | how a body is packed (gzip, deflate, zstd) |
//! | request record | what is noted about one request, for events: it is closed exactly once |
//! | upgrade handler | what takes over a connection that changes from HTTP to a WebSocket |

pub mod admin;
pub mod affinity;
pub mod api;
pub mod browser;
pub mod catalogue;
pub mod cli;
pub mod clients;
pub mod config;
pub mod dialect;
pub mod event;
pub mod failover;
pub mod gateway;
pub mod guide;
pub mod health;
pub mod history;
pub mod log;
pub mod metrics;
pub mod outcome;
pub mod output;
pub mod request;
pub mod routing;
pub mod server;
pub mod shared;
pub mod simulator;
pub mod state;
pub mod traces;
pub mod upstream;
pub mod webhook;
pub mod wire;
