//! Translation between APIs: what to send to an upstream, and what its reply means.
//!
//! A request to an upstream that speaks the client's dialect passes byte for byte. For another dialect it is
//! translated, and the reply is translated back before it is read: `answer` and `stream` read the client's API.
//!
//! *Invariant:* no I/O, no keys.

mod answer;
pub mod anthropic;
mod arguments;
mod call_ids;
mod chunks;
pub mod continuation;
mod dropped;
mod fields;
mod finish;
mod heartbeat;
mod instruct;
pub mod messages;
mod names;
pub mod next;
pub mod openai;
mod prefill;
mod provider_state;
pub mod rate_limit;
mod refusal;
mod response_translator;
pub mod responses;
mod said;
mod schemas;
pub mod stream;
mod stream_translator;
mod translate;
mod upstream_api;

pub use heartbeat::{COMMENT, heartbeat};
pub use next::conversation::Api;
pub use provider_state::strip_provider_state;
pub use refusal::{begins_with_refusal, is_refusal};
pub use response_translator::ResponseTranslator;
pub use stream_translator::{StreamTranslator, Translated, Way};
pub use translate::{Delivery, Untranslatable, UpstreamRequest};
pub use upstream_api::{Ask, UpstreamApi};
