//! Reading JSON without a tree: as strict as `serde_json`, and no stricter.

#![no_main]

use backstop::wire::json::{Reader, text};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let mut reader = Reader::new(data);
    let skipped = reader.skip().and_then(|()| reader.end());
    let theirs = serde_json::from_slice::<IgnoredAny>(data);
    assert_eq!(skipped.is_ok(), theirs.is_ok());
    let ours = Reader::new(data).value();
    if let Ok(theirs) = serde_json::from_slice::<&RawValue>(data) {
        assert_eq!(ours, Ok(theirs.get()));
        let decoded = serde_json::from_str::<String>(theirs.get()).ok();
        assert_eq!(text(theirs.get()).as_deref(), decoded.as_deref());
    }
});
