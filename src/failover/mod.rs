//! Trying candidates until one answers.
//!
//! ```text
//!     ┌─▶ decide     start an attempt, pause, wait in the queue, or give up: a pure function of what is known
//!     │   plan       the candidates of the request, and what has become of each
//!     │   attempt    send, wait, check the reply                 within the deadline and its timers
//!     │   record     tell health and events
//!     └── course     does what was decided, and notes what came of it
//!         commit     the first real content has come: the answer goes out
//!         supervise  to the last byte; a stream that breaks off ends with an error, never as if it were complete,
//!         resume     or continues at another upstream, if the route asks for it
//! ```
//!
//! A WebSocket takes the same steps: its `handshake` is the attempt, and a `relay` follows instead of a stream.
//!
//! *Invariant:* nothing of an answer reaches the client before commit; after it, only the rest of the same answer
//! does.

mod answer;
mod attempt;
mod attempt_errors;
mod budget;
mod clients_account;
mod commit;
mod continuability;
mod course;
mod deadline;
pub mod decide;
mod ending;
mod engine;
mod error_reply;
mod events;
mod exhausted;
mod explain;
mod first_piece;
mod forward;
mod handshake;
mod in_flight;
mod log;
mod opaque;
mod order;
mod outbound;
mod pace;
mod plan;
mod queue;
mod race;
mod relay;
mod renewed_key;
mod resume;
mod rewrite;
mod run;
mod secrets;
mod segment;
mod serve;
mod skip;
mod supervise;
mod timers;
mod translation;
mod turns;
mod watched;

pub use answer::{Answer, AnswerBody};
pub use budget::{Bucket, Budget, Expense, Tokens};
pub use continuability::Continuability;
pub use engine::Failover;
pub use exhausted::Exhausted;
pub use explain::{Explained, explain};
pub use opaque::OpaqueStream;
pub use order::RoutingRequest;
pub use relay::{Relay, RelayEnd};
pub use skip::{SkipReason, Skipped};
pub use supervise::SupervisedStream;
pub use turns::Turns;
pub use watched::{StreamEnd, Watched};

use crate::dialect::stream::StreamReader;
use crate::request::Endpoint;

/// An error as the last events of a stream whose head has been sent. `error` is an error object in `OpenAI`'s shape.
pub fn error_events(endpoint: Endpoint, error: &serde_json::Value) -> Vec<u8> {
    StreamReader::new(endpoint).interruption(error)
}
