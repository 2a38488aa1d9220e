//! Chats at Claude.

#![no_main]

use backstop::config::Dialect;
use backstop::dialect::UpstreamApi;
use backstop::request::Endpoint;
use libfuzzer_sys::fuzz_target;

const API: UpstreamApi = UpstreamApi {
    has_responses: false,
    ..UpstreamApi::new(Dialect::Anthropic)
};

fuzz_target!(|data: &[u8]| backstop_fuzz::translate(API, Endpoint::ChatCompletions, data));
