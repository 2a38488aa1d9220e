//! Going on with one stream by another one.

#![no_main]

use backstop::catalogue::Prefill;
use backstop::dialect::continuation::{Scribe, Splicer};
use backstop::request::Endpoint;
use backstop::wire::sse;
use libfuzzer_sys::fuzz_target;

const REQUEST: &[u8] = br#"{"stop":["END","x y"],"max_tokens":40}"#;

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, cut_low, cut_high], streams)) = data.split_first_chunk() else {
        return;
    };
    let cut = usize::from(u16::from_le_bytes([cut_low, cut_high])).min(streams.len());
    let (first, second) = streams.split_at(cut);
    let endpoint = match choice & 3 {
        0 => Endpoint::Completions,
        1 => Endpoint::Responses,
        2 => Endpoint::Messages,
        _ => Endpoint::ChatCompletions,
    };
    let prefill = match choice >> 2 & 3 {
        0 => Prefill::None,
        1 => Prefill::Trailing,
        2 => Prefill::Prefix,
        _ => Prefill::Vllm,
    };
    let mut scribe = Scribe::new(endpoint);
    for event in sse::events(first) {
        if let Some(data) = &event.data {
            scribe.note(event.name, data);
        }
    }
    let said = scribe.transcript();
    if said.obstacle().is_some() {
        return;
    }
    let mut splicer = Splicer::new(REQUEST, said, prefill);
    for event in sse::events(second) {
        let Ok(out) = splicer.rewrite(&second[event.start..event.end]) else {
            return;
        };
        assert!(std::str::from_utf8(&out).is_ok() || std::str::from_utf8(second).is_err());
    }
});
