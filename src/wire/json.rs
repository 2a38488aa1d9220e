//! JSON of which a part changes, and the rest stays as it was written.

mod tree;
mod walk;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use indexmap::IndexMap;
use serde_json::value::RawValue;

pub use tree::{Fault, fault, mended, reserve};
pub use walk::{Token, walk};

/// The fields of an object in their order, their values as they were written.
pub type Fields<'a> = IndexMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// The `model` of a request and the place of its value in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelField {
    /// The name, unescaped.
    pub name: String,
    /// The bytes of the JSON string, quotes included; `None` if the body is not JSON.
    pub span: Option<Range<usize>>,
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

/// The same number for the same bytes, also in the next process.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Where a slice of `whole` lies in it: a raw value borrows from the body it was read from.
pub fn span_of(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}
