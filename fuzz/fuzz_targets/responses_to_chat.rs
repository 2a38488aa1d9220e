//! Responses at whoever has chats only.

#![no_main]

use backstop::config::{Dialect, Manners};
use backstop::dialect::Language;
use backstop::request::Endpoint;
use libfuzzer_sys::fuzz_target;

const LANGUAGE: Language = Language {
    has_responses: false,
    manners: Manners::MISTRAL,
    max_output: Some(9),
    ..Language::new(Dialect::OpenAi)
};

fuzz_target!(|data: &[u8]| backstop_fuzz::translate(LANGUAGE, Endpoint::Responses, data));
