//! Translating requests, answers and streams between the APIs.

#![no_main]

use backstop::config::Dialect;
use backstop::dialect::Language;
use backstop::request::Endpoint;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, cut_low, cut_high], rest)) = data.split_first_chunk() else {
        return;
    };
    let cut = usize::from(u16::from_le_bytes([cut_low, cut_high])).min(rest.len());
    let (request, reply) = rest.split_at(cut);
    let language = Language {
        dialect: if choice & 1 == 0 { Dialect::OpenAi } else { Dialect::Anthropic },
        has_responses: false,
    };
    let endpoint = match choice >> 1 & 3 {
        0 => Endpoint::ChatCompletions,
        1 => Endpoint::Messages,
        _ => Endpoint::Responses,
    };
    // A reply is read, too, where the request is no good.
    let usual = br#"{"model":"claude-sonnet-4-5","messages":[],"input":"x","stream":true}"#;
    let _ = language.lacks(endpoint, request);
    let speech = language.speak(endpoint, Bytes::copy_from_slice(request), Some("m"));
    if let Some(speech) = &speech {
        assert!(serde_json::from_slice::<serde_json::Value>(&speech.body).is_ok() || !speech.interpreter.changes());
    }
    let Some(speech) = speech.or_else(|| language.speak(endpoint, Bytes::from_static(usual), None)) else {
        return;
    };
    let _ = speech.interpreter.answer(Bytes::copy_from_slice(reply));
    let _ = speech.interpreter.error(Bytes::copy_from_slice(reply));
    if let Some(mut translator) = speech.interpreter.translator() {
        let told = translator.translate(Bytes::copy_from_slice(reply));
        let rest = translator.finish();
        assert!(std::str::from_utf8(&told).is_ok() || std::str::from_utf8(reply).is_err());
        assert!(std::str::from_utf8(&rest).is_ok());
    }
});
