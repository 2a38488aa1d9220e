//! JSON in which one part changes and the rest stays as it was written.

mod plain;
mod reader;
mod tree;
mod walk;

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::RawValue;
use siphasher::sip::SipHasher13;

pub(crate) use reader::wanted;
pub use reader::{Broken, Field, Reader, Wanted, pick, text};
pub use tree::{Fault, Half, Halves, SURROGATE, fault, mended, reserve, surrogate};
pub use walk::{Token, walk};

/// The fields of an object in their order, with values as they were written.
pub type Fields<'a> = IndexMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// The `model` of a request, and the position of its value in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelField {
    /// The name, unescaped.
    pub name: String,
    /// The bytes of the JSON string, quotes included; `None` if the body is not JSON.
    pub span: Option<Range<usize>>,
}

/// What comes behind a byte order mark, which some servers put before what they send.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Writes a value behind what is there. Into memory that fails for nothing that is written here: all keys are texts.
pub fn put(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}

/// The body with another model name; every other byte stays as it is.
pub fn replace_model(body: &Bytes, span: &Range<usize>, model: &str) -> Bytes {
    let name = serde_json::Value::from(model).to_string();
    let mut replaced = BytesMut::with_capacity(body.len() - span.len() + name.len());
    replaced.extend_from_slice(&body[..span.start]);
    replaced.extend_from_slice(name.as_bytes());
    replaced.extend_from_slice(&body[span.end..]);
    replaced.freeze()
}

/// An object without a model, with one.
pub fn insert_model(body: &Bytes, model: &str) -> Bytes {
    let Some(at) = body.iter().position(|byte| *byte == b'{') else {
        return body.clone();
    };
    let (start, rest) = body.split_at(at + 1);
    let comma = match rest.trim_ascii_start().starts_with(b"}") {
        true => "",
        false => ",",
    };
    let field = format!("\"model\":{}{comma}", serde_json::Value::from(model));
    [start, field.as_bytes(), rest].concat().into()
}

/// A fingerprint that is stable between processes, versions and compilers: SipHash-1-3 without a key. The standard
/// library does not promise that for its hasher.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The same for any hashable value.
pub fn fingerprint_of(value: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The range of a slice inside `whole`: a raw value borrows from the body it was read from.
pub fn span_of(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    /// Files on disk depend on this value.
    #[test]
    fn a_fingerprint_never_changes() {
        assert_eq!(fingerprint(b""), 0xd1fb_a762_150c_532c);
        assert_eq!(fingerprint(b"file-abc123"), 0x258d_1623_6518_e842);
    }
}
