//! Unpacking bodies within bounds.

#![no_main]

use backstop::wire::coding::unpack;
use backstop::wire::memory::Memory;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    let memory = Memory::new(4 * LIMIT);
    for coding in ["gzip", "deflate", "zstd"] {
        let mut share = memory.share();
        if let Ok(unpacked) = unpack(coding, body.clone(), LIMIT, &mut share) {
            assert!(unpacked.len() <= LIMIT);
        }
        drop(share);
        assert_eq!(memory.used(), 0);
    }
});
