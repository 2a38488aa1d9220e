//! What a request asks for, written into its prompt: every upstream can read it, through any translation.

use crate::board::Kind;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) number: u64,
    /// How long the answer is to be, in words.
    pub(crate) words: usize,
    pub(crate) kind: Kind,
}

const MARK: &str = "soak:";

impl Wish {
    /// The wish as part of a prompt.
    pub(crate) fn prompt(&self) -> String {
        let kind = match self.kind {
            Kind::Patient => "patient",
            Kind::LeavesEarly => "early",
            Kind::LeavesHalfway => "halfway",
        };
        format!("{MARK}{}:{}:{kind};", self.number, self.words)
    }

    /// The wish in the body of a request.
    pub(crate) fn find(body: &[u8]) -> Option<Self> {
        let start = memchr::memmem::find(body, MARK.as_bytes())? + MARK.len();
        let rest = &body[start..];
        let end = memchr::memchr(b';', rest)?;
        let mut parts = std::str::from_utf8(&rest[..end]).ok()?.split(':');
        Some(Self {
            number: parts.next()?.parse().ok()?,
            words: parts.next()?.parse().ok()?,
            kind: match parts.next()? {
                "patient" => Kind::Patient,
                "early" => Kind::LeavesEarly,
                "halfway" => Kind::LeavesHalfway,
                _ => return None,
            },
        })
    }

    /// The words of the one right answer. They begin and end with the number of the request.
    pub(crate) fn answer(&self) -> Vec<String> {
        let number = self.number;
        let middle = (1..self.words).map(|word| format!("w{word} "));
        let begin = std::iter::once(format!("[{number}] "));
        begin.chain(middle).chain([format!("[{number}]")]).collect()
    }
}
