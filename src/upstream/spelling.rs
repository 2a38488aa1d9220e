//! Finds a secret in a text, however its characters are escaped there: in URLs, JSON and HTML, also twice. What writes JSON in
//! Java, .NET or PHP escapes more than it must, such as `=`, `+` or `/`; nobody escapes letters and digits.
//!
//! No upstream is known to repeat a key in another form, such as base64.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use memchr::memmem::Finder;

/// Stands in place of a secret.
const HIDDEN: &str = "***";
/// JSON within JSON within JSON has seven before an escape.
const MOST_BACKSLASHES: usize = 7;
/// Shorter texts are placeholders such as `none`, not secrets; they occur in ordinary words.
const SHORTEST_SECRET: usize = 8;

/// A secret, ready to be found.
#[derive(Clone)]
pub(super) struct Spelling {
    /// Its longest part that is written in one way only.
    plain: Finder<'static>,
    /// What comes before that, the last byte first.
    before: Vec<u8>,
    /// What comes behind it.
    behind: Vec<u8>,
}

impl Spelling {
    /// `None` if the text is too short to be a secret.
    pub(super) fn of(secret: &str) -> Option<Self> {
        if secret.len() < SHORTEST_SECRET {
            return None;
        }
        let parts = secret.split(|c: char| !c.is_ascii_alphanumeric());
        let plain = parts.max_by_key(|part| part.len()).unwrap_or_default();
        let (before, behind) = secret.split_once(plain).unwrap_or(("", secret));
        Some(Self {
            plain: Finder::new(plain).into_owned(),
            before: before.bytes().rev().collect(),
            behind: behind.into(),
        })
    }

    /// The text with the secret replaced.
    pub(super) fn hide_in(&self, text: Bytes) -> Bytes {
        self.hidden_in(&text).map_or(text, Bytes::from)
    }

    /// Replaces the secret in the headers of a reply.
    pub(super) fn hide_in_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            if let Some(hidden) = self.hidden_in(value.as_bytes()) {
                let hidden = HeaderValue::from_bytes(&hidden);
                *value = hidden.unwrap_or_else(|_| HeaderValue::from_static(HIDDEN));
            }
        }
    }

    /// The text with the secret replaced; `None` if it is not there.
    fn hidden_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        let plain = self.plain.needle().len();
        // Hardly any header is long enough to contain a key.
        if text.len() < self.before.len() + plain + self.behind.len() {
            return None;
        }
        let mut hidden = Vec::new();
        let (mut rest, mut from) = (0, 0);
        while let Some(at) = text.get(from..).and_then(|text| self.plain.find(text)) {
            let at = from + at;
            from = at + 1;
            if let Some(kept) = self.before(&text[rest..at])
                && let Some(left) = self.behind(&text[at + plain..])
            {
                hidden.extend_from_slice(kept);
                hidden.extend_from_slice(HIDDEN.as_bytes());
                rest = text.len() - left.len();
                from = rest;
            }
        }
        if rest == 0 {
            return None;
        }
        hidden.extend_from_slice(&text[rest..]);
        Some(hidden)
    }

    /// What comes before the secret, whose plain part follows this text.
    fn before<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let bytes = self.before.iter();
        let mut left = bytes.copied().try_fold(text, without_last)?;
        let first = self.before.last();
        if first.is_some_and(|first| !first.is_ascii_alphanumeric()) {
            // They escape it.
            while let Some(shorter) = left.strip_suffix(b"\\") {
                left = shorter;
            }
        }
        Some(left)
    }

    /// What comes behind the secret, whose plain part this text follows.
    fn behind<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        self.behind.iter().copied().try_fold(text, without_first)
    }
}

impl fmt::Debug for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spelling(****)")
    }
}

/// The text before its last character, if that is this one.
fn without_last(mut text: &[u8], byte: u8) -> Option<&[u8]> {
    for _ in 0..=MOST_BACKSLASHES {
        if let Some(left) = text.strip_suffix(&[byte]) {
            return Some(left);
        }
        let escaped = escapes(byte).into_iter().find_map(|escape| {
            let (left, last) = text.split_at(text.len().checked_sub(escape.len())?);
            last.eq_ignore_ascii_case(escape.as_bytes()).then_some(left)
        });
        match escaped {
            Some(left) => return Some(left),
            None => text = text.strip_suffix(b"\\")?,
        }
    }
    None
}

/// The text behind its first character, if that is this one.
fn without_first(mut text: &[u8], byte: u8) -> Option<&[u8]> {
    for _ in 0..=MOST_BACKSLASHES {
        if let Some(left) = text.strip_prefix(&[byte]) {
            return Some(left);
        }
        let escaped = escapes(byte).into_iter().find_map(|escape| {
            let (first, left) = text.split_at_checked(escape.len())?;
            first
                .eq_ignore_ascii_case(escape.as_bytes())
                .then_some(left)
        });
        match escaped {
            Some(left) => return Some(left),
            None => text = text.strip_prefix(b"\\")?,
        }
    }
    None
}

/// How a character may be written besides as it is, and with backslashes before it.
fn escapes(byte: u8) -> [String; 5] {
    [
        format!("%{byte:02x}"),
        format!("%25{byte:02x}"),
        format!("\\u00{byte:02x}"),
        format!("&#x{byte:x};"),
        format!("&#{byte};"),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Spelling, escapes};

    fn hidden(secret: &str, text: &str) -> String {
        let spelling = Spelling::of(secret).unwrap();
        let hidden = spelling.hidden_in(text.as_bytes());
        hidden.map_or_else(|| text.to_owned(), |text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_secret_is_found_however_it_is_escaped() {
        for text in [
            "aB/cd+efgh==",
            "aB%2Fcd%2Befgh%3D%3D",
            "aB%2fcd%2befgh%3d%3d",
            "aB%252Fcd%252Befgh%253D%253D",
            r"aB\/cd+efgh==",
            r"aB\/cd\u002Befgh\u003d\u003d",
            r"aB\\\/cd\\u002befgh\\\\u003d=",
            "aB&#x2F;cd&#43;efgh&#x3D;=",
        ] {
            let around = format!("the key {text}, and {text}{text}.");
            let expected = "the key ***, and ******.";
            assert_eq!(hidden("aB/cd+efgh==", &around), expected, "{text}");
        }
    }

    #[test]
    fn what_differs_by_one_character_is_another_text() {
        for text in [
            "aB/cd+efgh=",
            "AB/cd+efgh==",
            "AB%2FCD%2BEFGH%3D%3D",
            "aB%2Ecd%2Befgh%3D%3D",
            "aBu002fcd+efgh==",
            r"aB\\\\\\\\/cd+efgh==",
            "efgh==",
            "",
        ] {
            assert_eq!(hidden("aB/cd+efgh==", text), text);
        }
    }

    #[test]
    fn its_escapes_go_with_it_and_nothing_else_does() {
        let json = r#"{"key":"\\u002dabcdefgh\\u002d\n"}"#;
        assert_eq!(hidden("-abcdefgh-", json), r#"{"key":"***\n"}"#);
        assert_eq!(hidden("abcdefgh", r"\nabcdefgh\n"), r"\n***\n");
        assert_eq!(hidden("abcd-abcdefgh", "abcd-abcd-abcdefgh"), "abcd-***");
        assert_eq!(hidden("++++++++", "a+++++++++"), "a***+");
        assert!(Spelling::of("none").is_none());
    }

    proptest! {
        #[test]
        fn no_mixture_of_escapes_hides_a_secret_from_us(secret in "[a-c/+=_.-]{8,20}", how in prop::collection::vec(0_usize..8, 20)) {
            let written: String = secret
                .chars()
                .zip(how)
                .map(|(c, how)| match escapes(c as u8).get(how) {
                    Some(escape) if !c.is_ascii_alphanumeric() => escape.clone(),
                    _ => c.to_string(),
                })
                .collect();
            let shown = hidden(&secret, &format!("<{written}>"));
            prop_assert_eq!(shown, "<***>");
        }
    }
}
