//! Speaking an upstream's API: what to send, and what a reply means.
//!
//! What clients say goes to an upstream of the same dialect byte for byte. For another one it is translated, and the reply
//! is turned back before anybody looks into it: `answer` and `stream` read the API that the client speaks.
//!
//! *Invariant:* no I/O, no keys.

mod answer;
pub mod anthropic;
mod arguments;
mod call_ids;
mod chunks;
mod dropped;
mod finish;
mod instruct;
pub mod messages;
mod names;
pub mod openai;
mod prefill;
mod provider_state;
pub mod rate_limit;
mod refusal;
mod response_translator;
pub mod responses;
pub mod stream;
mod stream_translator;
mod translate;
mod upstream_api;

pub use answer::inspect;
pub use provider_state::strip_provider_state;
pub use refusal::{begins_with_refusal, is_refusal};
pub use response_translator::ResponseTranslator;
pub use stream_translator::StreamTranslator;
pub use translate::{Untranslatable, UpstreamRequest};
pub use upstream_api::UpstreamApi;
