//! Messages at whoever speaks chats.

#![no_main]

use backstop::config::{Dialect, Quirks};
use backstop::dialect::UpstreamApi;
use backstop::request::Endpoint;
use libfuzzer_sys::fuzz_target;

const API: UpstreamApi = UpstreamApi {
    has_responses: false,
    quirks: Quirks::OPENAI,
    max_output: Some(9),
    ..UpstreamApi::new(Dialect::OpenAi)
};

fuzz_target!(|data: &[u8]| backstop_fuzz::translate(API, Endpoint::Messages, data));
