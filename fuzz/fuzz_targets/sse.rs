//! Cutting bytes into events.

#![no_main]

use backstop_fuzz::{frame, pieces};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((pieces, stream)) = pieces(data) {
        assert_eq!(frame(&pieces), stream);
    }
});
