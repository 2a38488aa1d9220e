//! JSON trees: the memory that they take, repairing broken surrogates, and locating syntax errors.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memmem::{Finder, find};
use memchr::{memchr, memchr2};
use serde_json::Value;

use crate::wire::memory::{FREE, Memory, NoMemory, Share};

/// The memory that a value takes in a tree beyond its text, including its field name and table entry.
const VALUE: usize = 256;
/// Long enough to locate a place in a document.
const LONGEST_PATH: usize = 80;
/// The replacement character (U+FFFD), as an escape.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// An upper estimate of the memory that a tree of this text takes.
fn tree_size(text: &[u8]) -> usize {
    text.len() + VALUE * count_values(text)
}

/// Reserves memory for this many trees of a text, and for as many copies of the text, until the work on it is done.
/// Small texts need no reservation.
pub fn reserve(trees: usize, text: &[u8], memory: &Memory) -> Result<Share, NoMemory> {
    if text.len() <= FREE {
        return Ok(memory.share());
    }
    memory.for_work(trees * tree_size(text) + text.len())
}

/// Counts values by commas and brackets outside of strings.
fn count_values(text: &[u8]) -> usize {
    let mut count = 1;
    let mut rest = text;
    loop {
        let end = memchr(b'"', rest).unwrap_or(rest.len());
        let marks = rest[..end].iter();
        count += marks
            .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
            .count();
        match rest.get(end + 1..) {
            Some(string) => rest = behind_string(string),
            None => return count,
        }
    }
}

/// What follows a string whose opening quote has been read.
fn behind_string(mut text: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', text) {
        let length = if text[at] == b'"' { 1 } else { 2 };
        text = text.get(at + length..).unwrap_or_default();
        if length == 1 {
            return text;
        }
    }
    &[]
}

/// The text with each unpaired surrogate replaced by U+FFFD; `None` if there are none. JavaScript writes an unpaired
/// surrogate where a text was cut inside an emoji (`"\ud83d"`), and a conversation that contains one must be able to
/// continue.
pub fn mended(text: &[u8]) -> Option<Bytes> {
    memchr(b'\\', text)?;
    // All surrogates start like this, and few other letters do.
    let has_some = |mark: &str| find(text, mark.as_bytes()).is_some();
    if !has_some("\\ud") && !has_some("\\uD") {
        return None;
    }
    let mut halves = halves(text).peekable();
    halves.peek()?;
    let mut mended = BytesMut::from(text);
    for at in halves {
        mended[at..at + REPLACEMENT.len()].copy_from_slice(REPLACEMENT);
    }
    Some(mended.freeze())
}

/// The positions of the escapes of unpaired surrogates.
fn halves(text: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += memchr(b'\\', text.get(at..)?)?;
            match surrogate(text, at) {
                Some(Half::First) if surrogate(text, at + 6) == Some(Half::Second) => at += 12,
                Some(_) => {
                    at += 6;
                    return Some(at - 6);
                }
                None => at += 2,
            }
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    First,
    Second,
}

/// The surrogate whose escape starts at this position.
fn surrogate(text: &[u8], at: usize) -> Option<Half> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` accepts a sign as well, but no escape of a surrogate starts with one.
    match u32::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::First),
        0xdc00..=0xdfff => Some(Half::Second),
        _ => None,
    }
}

/// Why a text cannot be read into a tree, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    path: String,
    reason: String,
    byte: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason, byte } = self;
        write!(f, "{reason} at {path} (byte {byte})")
    }
}

/// The error in a text; `None` if it can be read.
pub fn fault(text: &[u8]) -> Option<Fault> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let (path, error) = match serde_path_to_error::deserialize::<_, Value>(&mut reader) {
        Ok(_) => return reader.end().err().map(|error| Fault::of(text, ".", &error)),
        Err(error) => (error.path().to_string(), error.into_inner()),
    };
    Some(Fault::of(text, &path, &error))
}

impl Fault {
    fn of(text: &[u8], path: &str, error: &serde_json::Error) -> Self {
        let reason = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        Self {
            path: match path {
                "." => "the top level".to_owned(),
                path => shortened(path),
            },
            reason: reason.strip_suffix(&place).unwrap_or(&reason).to_owned(),
            byte: byte_at(text, error.line(), error.column()),
        }
    }
}

fn shortened(path: &str) -> String {
    match path.char_indices().nth(LONGEST_PATH) {
        Some((end, _)) => format!("{}…", &path[..end]),
        None => path.to_owned(),
    }
}

/// Lines count from 1.
fn byte_at(text: &[u8], line: usize, column: usize) -> usize {
    let ends = Finder::new(b"\n");
    let mut ends = ends.find_iter(text);
    let start = match line {
        0 | 1 => 0,
        line => ends.nth(line - 2).map_or(0, |end| end + 1),
    };
    start + column
}

#[cfg(test)]
mod tests {
    use super::{count_values, fault, mended};

    #[test]
    fn values_are_counted_outside_of_strings_only() {
        for (text, count) in [
            (r"1", 1),
            (r#"{"a":1,"b":[1,2,{}]}"#, 7),
            (r#"{"a":"[,{\",{\\","b":"\\"}"#, 3),
            (r#""never ends [[[\"#, 1),
        ] {
            assert_eq!(count_values(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn halves_of_surrogate_pairs_are_replaced() {
        for (text, expected) in [
            (r#""\ud83d""#, Some(r#""\ufffd""#)),
            (r#""\uD83Dx\uDE00""#, Some(r#""\ufffdx\ufffd""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (r#""\\\udc00""#, Some(r#""\\\ufffd""#)),
            (r#""\ud83d\ude00""#, None),
            (r#""\\ud83d""#, None),
            (r#""\ud7ff \ud83""#, None),
            (r#""\u+dff \ud""#, None),
        ] {
            let mended = mended(text.as_bytes());
            assert_eq!(mended.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn faults_say_where_they_are() {
        let at = |text: &str| fault(text.as_bytes()).map(|fault| fault.to_string());
        assert_eq!(at(r#"{"a":[1]}"#), None);
        assert_eq!(
            at("{\"messages\":[\n{\"n\":1e999999}]}").as_deref(),
            Some("number out of range at messages[0].n (byte 27)")
        );
        let deep = format!("{{\"a\":{}", "[".repeat(200));
        assert!(
            at(&deep)
                .unwrap()
                .starts_with("recursion limit exceeded at a[0]")
        );
        assert_eq!(
            at("{} x").as_deref(),
            Some("trailing characters at the top level (byte 4)")
        );
    }
}
