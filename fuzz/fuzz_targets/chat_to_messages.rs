//! Chats at Claude.

#![no_main]

use backstop::config::Dialect;
use backstop::dialect::Language;
use backstop::request::Endpoint;
use libfuzzer_sys::fuzz_target;

const LANGUAGE: Language = Language {
    has_responses: false,
    ..Language::new(Dialect::Anthropic)
};

fuzz_target!(|data: &[u8]| backstop_fuzz::translate(LANGUAGE, Endpoint::ChatCompletions, data));
