//! The arguments of a call: the JSON of an object, if the model did well.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::json;

use crate::wire::json::{Half, SURROGATE, mended as without_halves, surrogate};

/// Escapes within texts what JSON does not take there: control characters, backslashes that escape nothing (`\d`, `\users`),
/// and halves of surrogate pairs, in whose place comes U+FFFD. Local models, Gemini and others write them; strict parsers
/// refuse them. The JSON may come in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Escapes {
    is_in_text: bool,
}

impl Escapes {
    /// The next piece, escaped, and how many of its bytes that is: an escape at its end waits for what follows.
    pub(super) fn push<'a>(&mut self, json: &'a str) -> (Cow<'a, str>, usize) {
        let bytes = json.as_bytes();
        let (mut escaped, mut copied, mut place) = (String::new(), 0, 0);
        while let Some(byte) = bytes.get(place) {
            let (length, better) = match byte {
                b'"' => {
                    self.is_in_text = !self.is_in_text;
                    (1, None)
                }
                _ if !self.is_in_text => (1, None),
                b'\\' => match escape(&bytes[place..]) {
                    Some(length) => fitting(&bytes[place..place + length]),
                    None => break,
                },
                b'\n' => (1, Some(r"\n".to_owned())),
                b'\t' => (1, Some(r"\t".to_owned())),
                b'\r' => (1, Some(r"\r".to_owned())),
                0..0x20 => (1, Some(format!(r"\u{byte:04x}"))),
                _ => (1, None),
            };
            if let Some(better) = better {
                escaped += &json[copied..place];
                escaped += &better;
                copied = place + length;
            }
            place += length;
        }
        if copied == 0 {
            return (Cow::Borrowed(&json[..place]), place);
        }
        escaped += &json[copied..place];
        (Cow::Owned(escaped), place)
    }
}

/// How much of an escape is taken at once, and what is said in its place; `None`: it is fine.
fn fitting(escape: &[u8]) -> (usize, Option<String>) {
    match escape {
        _ if surrogate(escape, 0).is_some() && escape.len() == SURROGATE => {
            (escape.len(), Some(r"\ufffd".to_owned()))
        }
        [_, b'u', _, ..] | [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'] => {
            (escape.len(), None)
        }
        _ => (1, Some(r"\\".to_owned())),
    }
}

/// The length of an escape; `None`: it is not whole yet. A high surrogate is whole with its other half.
pub(super) fn escape(bytes: &[u8]) -> Option<usize> {
    let letter = bytes.get(1)?;
    if *letter != b'u' {
        return Some(1 + usize::from(letter.is_ascii()));
    }
    let digits = &bytes[2..bytes.len().min(6)];
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Some(2);
    }
    bytes.get(..SURROGATE)?;
    if surrogate(bytes, 0) != Some(Half::First) {
        return Some(SURROGATE);
    }
    if *bytes.get(SURROGATE)? != b'\\' || *bytes.get(SURROGATE + 1)? != b'u' {
        return Some(SURROGATE);
    }
    bytes.get(..2 * SURROGATE)?;
    let is_pair = surrogate(bytes, SURROGATE) == Some(Half::Second);
    Some(if is_pair { 2 * SURROGATE } else { SURROGATE })
}

/// Whether a text is the JSON of a whole object, once it is escaped.
pub fn is_whole(arguments: &str) -> bool {
    is_object(arguments) || is_object(&escaped(arguments))
}

/// The object that is said in another way: nothing or null for an empty one, with what should have been escaped, or its
/// JSON in a text, as some write it.
pub(super) fn object_in(arguments: &str) -> Option<String> {
    if matches!(arguments.trim(), "" | "null") {
        return Some("{}".to_owned());
    }
    let escaped = escaped(arguments);
    if is_object(&escaped) {
        return Some(escaped.into_owned());
    }
    let within = serde_json::from_str::<String>(&escaped).ok()?;
    is_whole(&within).then(|| self::escaped(&within).into_owned())
}

/// What is said in place of arguments that are not the JSON of an object, which providers refuse with the whole history
/// (an answer was cut at its limit, or the model slipped); `None`: they are fine. What was said is kept, as the only
/// argument.
pub fn mended(arguments: &str) -> Option<String> {
    if is_object(arguments) {
        return None;
    }
    let object = object_in(arguments);
    Some(object.unwrap_or_else(|| json!({ "arguments": arguments }).to_string()))
}

fn is_object(arguments: &str) -> bool {
    let arguments = arguments.trim();
    arguments.starts_with('{')
        && arguments.ends_with('}')
        && serde_json::from_str::<IgnoredAny>(arguments).is_ok()
        && without_halves(arguments.as_bytes()).is_none()
}

fn escaped(arguments: &str) -> Cow<'_, str> {
    Escapes::default().push(arguments).0
}

#[cfg(test)]
mod tests {
    use super::{Escapes, mended};

    #[test]
    fn arguments_become_an_object_that_says_the_same() {
        for (arguments, expected) in [
            (r#" {"a":1.0} "#, None),
            ("{\n\t\"a\": \"\u{7f}\"\r\n}", None),
            ("{}", None),
            ("", Some("{}")),
            (" null\n", Some("{}")),
            (r#""{\"a\":1}""#, Some(r#"{"a":1}"#)),
            (r#""{\"a\":\"x\ny\"}""#, Some(r#"{"a":"x\ny"}"#)),
            ("\"{\\\"a\\\":\n1}\"", Some("{\"a\":\n1}")),
            ("{\"a\":\"x\ny\"}", Some(r#"{"a":"x\ny"}"#)),
            (r#"{"a":"\ud83d\ude00"}"#, None),
            (
                r#"{"a":"\ud83d x\ude00"}"#,
                Some(r#"{"a":"\ufffd x\ufffd"}"#),
            ),
            (r#"{"a":"C:\users\u12"}"#, Some(r#"{"a":"C:\\users\\u12"}"#)),
            (r#"{"a":"\u1"}"#, Some(r#"{"a":"\\u1"}"#)),
            (r#"{"a":"#, Some(r#"{"arguments":"{\"a\":"}"#)),
            ("{}{}", Some(r#"{"arguments":"{}{}"}"#)),
            ("[1]", Some(r#"{"arguments":"[1]"}"#)),
            (r#""x""#, Some(r#"{"arguments":"\"x\""}"#)),
        ] {
            assert_eq!(mended(arguments).as_deref(), expected, "{arguments}");
        }
    }

    #[test]
    fn what_is_escaped_is_the_same_wherever_it_is_cut() {
        let written = "{\n\"a\":\t\"1\n2\r3\t4\u{0}5\\d\\\n\\\"\\\\\\n\\u00e4ä\\ud83d\\ude00\\ud83d.\\ude00\\u1x\"}";
        let expected = "{\n\"a\":\t\"1\\n2\\r3\\t4\\u00005\\\\d\\\\\\n\\\"\\\\\\n\\u00e4ä\\ud83d\\ude00\\ufffd.\\ufffd\\\\u1x\"}";
        assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
        for cut in (0..=written.len()).filter(|at| written.is_char_boundary(*at)) {
            let mut escapes = Escapes::default();
            let (first, taken) = escapes.push(&written[..cut]);
            let (rest, _) = escapes.push(&written[taken..]);
            assert_eq!(format!("{first}{rest}"), expected, "{cut}");
        }
    }
}
