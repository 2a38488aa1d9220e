//! Translation between APIs: what to send to an upstream, and what its reply means.
//!
//! ```text
//! translate       a client's request in the upstream's API
//!   adapt         the same API, for another model: only what must change does
//!   conversation  what is said, in no API's words, and the rules that all share
//!   chat, messages, responses
//!                 how it is read and written in one API: a folder each, and a line in `form`
//! response_translator, stream_translator
//!                 the way back: a whole answer, or event by event
//! answer, stream, error_inside, refusal, silence
//!                 what a reply means that needs no translation
//! continuation    the rest of a stream that broke off: how it is asked for, and how it is told
//! errors, rate_limit
//!                 what an error means, and what an upstream allows
//! ```
//!
//! A request to an upstream that speaks the client's API passes byte for byte.
//!
//! *Invariant:* no I/O, no keys.

pub mod adapt;
mod answer;
mod answers;
pub mod chat;
mod choices;
pub mod continuation;
pub mod conversation;
mod error_inside;
pub mod errors;
pub mod form;
mod heartbeat;
pub mod messages;
mod own_words;
pub mod rate_limit;
mod refusal;
mod renamed;
mod response_translator;
pub mod responses;
mod said;
mod silence;
pub mod stream;
mod stream_translator;
mod text_events;
mod translate;
mod translation;
mod upstream_api;
mod usage;

pub use answers::answers;
pub use conversation::Api;
pub use error_inside::{error_in_event, error_inside};
pub use heartbeat::{COMMENT, heartbeat};
pub use messages::body_in_words;
pub use refusal::{begins_with_refusal, is_refusal};
pub use renamed::{body, path};
pub use response_translator::ResponseTranslator;
pub use silence::may_be_silent;
pub use stream_translator::{StreamTranslator, Translated, Way};
pub use translate::{Delivery, Untranslatable, UpstreamRequest};
pub use translation::WholeAnswer;
pub use upstream_api::{Asking, RequestKind, UpstreamApi};
