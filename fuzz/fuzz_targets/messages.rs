//! Following a stream of Messages events.

#![no_main]

use backstop::request::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| backstop_fuzz::supervise(Endpoint::Messages, data));
