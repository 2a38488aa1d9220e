//! JSON trees: the memory that they take, repairing broken surrogates, and locating syntax errors.

use std::borrow::Cow;
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
    let mut halves = halves(text)?.peekable();
    halves.peek()?;
    let mut mended = BytesMut::from(text);
    for at in halves {
        mended[at..at + SURROGATE].copy_from_slice(REPLACEMENT);
    }
    Some(mended.freeze())
}

/// Joins the halves of a character that come one after the other in the texts of a stream: JavaScript cuts between them.
#[derive(Debug, Default)]
pub struct Halves {
    /// The escape of a first half whose second one has not come yet.
    first: Option<[u8; SURROGATE]>,
}

impl Halves {
    /// The next text. First halves at the ends of strings are left out, and put before second ones that begin strings of a later
    /// text: some say the same in two fields.
    pub fn join<'a>(&mut self, text: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let halves: Vec<usize> = halves(&text).into_iter().flatten().collect();
        if halves.is_empty() {
            return text;
        }
        let before = self.first.take();
        let (mut joined, mut copied) = (Vec::with_capacity(text.len() + SURROGATE), 0);
        for at in halves {
            let (escape, rest) = text[at..].split_at(SURROGATE);
            match surrogate(escape, 0) {
                Some(Half::First) if rest.starts_with(b"\"") => {
                    joined.extend(&text[copied..at]);
                    copied = at + SURROGATE;
                    self.first = escape.try_into().ok();
                }
                Some(Half::Second) if text[..at].ends_with(b"\"") => {
                    joined.extend(&text[copied..at]);
                    copied = at;
                    joined.extend(before.iter().flatten());
                }
                _ => {}
            }
        }
        joined.extend(&text[copied..]);
        joined.into()
    }
}

/// How many bytes the escape of a surrogate has.
pub const SURROGATE: usize = 6;

/// The positions of the escapes of unpaired surrogates; `None`: there are none for sure.
fn halves(text: &[u8]) -> Option<impl Iterator<Item = usize>> {
    memchr(b'\\', text)?;
    // All surrogates start like this, and few other letters do.
    let has_some = |mark: &str| find(text, mark.as_bytes()).is_some();
    if !has_some("\\ud") && !has_some("\\uD") {
        return None;
    }
    let mut at = 0;
    Some(std::iter::from_fn(move || {
        loop {
            at += memchr(b'\\', text.get(at..)?)?;
            match surrogate(text, at) {
                Some(Half::First) if surrogate(text, at + SURROGATE) == Some(Half::Second) => {
                    at += 2 * SURROGATE;
                }
                Some(_) => {
                    at += SURROGATE;
                    return Some(at - SURROGATE);
                }
                None => at += 2,
            }
        }
    }))
}

/// One of the two surrogates that stand for a character together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The high one.
    First,
    /// The low one.
    Second,
}

/// The surrogate whose escape starts at this position.
pub fn surrogate(text: &[u8], at: usize) -> Option<Half> {
    let digits = text.get(at..at + SURROGATE)?.strip_prefix(b"\\u")?;
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
    use super::{Halves, count_values, fault, mended};

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
    fn halves_that_come_one_after_the_other_are_joined() {
        for (texts, expected) in [
            (
                [r#"{"a":"x\ud83d"}"#, "{}", r#"{"a":"\ude00y"}"#],
                [r#"{"a":"x"}"#, "{}", r#"{"a":"\ud83d\ude00y"}"#],
            ),
            (
                [r#"["\ud83d"]"#, r#"["\ude00\uD83D"]"#, r#"["\uDE00"]"#],
                [r#"[""]"#, r#"["\ud83d\ude00"]"#, r#"["\uD83D\uDE00"]"#],
            ),
            (
                [r#"["\ud83d "]"#, r#"["\ude00"]"#, r#"["\ud83d\ude00"]"#],
                [r#"["\ud83d "]"#, r#"["\ude00"]"#, r#"["\ud83d\ude00"]"#],
            ),
            (
                [r#"["\ud83d"]"#, r#"["\ud83d"]"#, r#"[" \ude00"]"#],
                [r#"[""]"#, r#"[""]"#, r#"[" \ude00"]"#],
            ),
            (
                [r#"["x\ud83d","x\ud83d"]"#, "[]", r#"["\ude00y","\ude00y"]"#],
                [r#"["x","x"]"#, "[]", r#"["\ud83d\ude00y","\ud83d\ude00y"]"#],
            ),
        ] {
            let mut halves = Halves::default();
            let joined = texts.map(|text| halves.join(text.as_bytes().into()));
            assert_eq!(joined, expected.map(str::as_bytes), "{texts:?}");
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
