//! Trying candidates until one answers.
//!
//! ```text
//! serve               from the first attempt to the answer
//!     ┌─▶ decisions   whom to ask, ask again, or wait for: a pure function of what is known
//!     │   attempts    send, wait, check the reply; commit: the first real content has come
//!     │               tell health and events
//!     └── course      does what was decided, and notes what came of it (race: two attempts at a time)
//!         answers     supervised to the last byte: a stream that breaks off ends with an error, never as if it were
//!                     complete, or continues at another upstream, if the route asks for it
//! asked_again         whose stream broke off, for when the client asks the same once more
//! forward             requests that are not understood, byte for byte
//! ```
//!
//! A WebSocket takes the same steps: its handshake is the attempt, and a relay follows instead of a stream.
//!
//! *Invariant:* nothing of an answer reaches the client before commit; after it, only the rest of the same answer
//! does.

mod answers;
mod asked_again;
mod attempts;
mod course;
mod decisions;
mod engine;
mod exhausted;
mod forward;
mod log;
mod race;
mod run;
mod serve;
mod translation;
mod waiting;

pub use answers::answer::{Answer, AnswerBody};
pub use answers::continuability::Continuability;
pub use answers::opaque::OpaqueStream;
pub use answers::relay::{Relay, RelayEnd, Stop};
pub use answers::supervise::SupervisedStream;
pub use answers::watched::{StreamEnd, Watched};
pub use decisions::budget::{Bucket, Budget, Expense, Tokens};
pub use decisions::decide;
pub use decisions::explain::{Explained, explain};
pub use decisions::queue::RouteWaiting;
pub use decisions::routing_request::RoutingRequest;
pub use decisions::skip::{SkipReason, Skipped};
pub use decisions::turns::Turns;
pub use engine::Failover;
pub use exhausted::Exhausted;

use bytes::Bytes;

use crate::dialect::stream::StreamReader;
use crate::dialect::{self, COMMENT};
use crate::request::{Endpoint, ModelRequest};

/// A sign of life for a client whose stream has not begun.
pub fn heartbeat(request: &ModelRequest) -> Bytes {
    match request.endpoint {
        // OpenAI's SDKs accept no event before `response.created`, which only the upstream can send.
        Endpoint::Responses if request.is_from_sdk() => Bytes::from_static(COMMENT),
        endpoint => dialect::heartbeat(endpoint, 0),
    }
}

/// An error as the last events of a stream whose head has been sent. `error` is an error object in `OpenAI`'s shape.
pub fn error_events(endpoint: Endpoint, error: &serde_json::Value) -> Vec<u8> {
    StreamReader::new(endpoint).interruption(error)
}
