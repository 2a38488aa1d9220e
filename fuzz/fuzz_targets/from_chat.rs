//! Chats for upstreams of the other APIs.

#![no_main]

use backstop::request::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| backstop_fuzz::translate(Endpoint::ChatCompletions, data));
