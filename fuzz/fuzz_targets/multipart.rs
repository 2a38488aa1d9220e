//! Finding and replacing the model of a form.

#![no_main]

use backstop::wire::multipart::{model, texts, with_model};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("multipart/form-data; boundary=xx");
    headers.insert("content-type", form);
    let body = Bytes::copy_from_slice(data);
    texts(&headers, &body);
    let Ok(Some((name, place))) = model(&headers, &body) else {
        assert_eq!(with_model(&headers, &body, "other"), None);
        return;
    };
    assert_eq!(&body[place.clone()], name.as_bytes());
    let replaced = with_model(&headers, &body, "other").expect("a model");
    let (other, at) = model(&headers, &replaced)
        .expect("a form")
        .expect("a model");
    assert_eq!((other.as_str(), at.start), ("other", place.start));
    assert_eq!(replaced[at.end..], body[place.end..]);
});
