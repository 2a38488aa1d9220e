//! Messages at whoever speaks chats.

#![no_main]

use backstop::config::{Dialect, Manners};
use backstop::dialect::Language;
use backstop::request::Endpoint;
use libfuzzer_sys::fuzz_target;

const LANGUAGE: Language = Language {
    has_responses: false,
    manners: Manners::OPENAI,
    max_output: Some(9),
    ..Language::new(Dialect::OpenAi)
};

fuzz_target!(|data: &[u8]| backstop_fuzz::translate(LANGUAGE, Endpoint::Messages, data));
