//! The arguments of a call: the JSON of an object, if the model did well.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::json;

/// Escapes within texts what JSON does not take there: control characters, and backslashes that escape nothing (`\d`).
/// Local models, Gemini and others write them; strict parsers refuse them. The JSON may come in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Escapes {
    is_in_text: bool,
}

impl Escapes {
    /// The next piece, escaped, and how many of its bytes that is: a backslash at its end waits for what follows.
    pub(super) fn push<'a>(&mut self, json: &'a str) -> (Cow<'a, str>, usize) {
        let bytes = json.as_bytes();
        let (mut escaped, mut copied, mut place) = (String::new(), 0, 0);
        while let Some(byte) = bytes.get(place) {
            let better = match (byte, bytes.get(place + 1)) {
                (b'"', _) => {
                    self.is_in_text = !self.is_in_text;
                    None
                }
                (_, _) if !self.is_in_text => None,
                (b'\\', None) => break,
                (b'\\', Some(next)) if b"\"\\/bfnrtu".contains(next) => {
                    place += 1;
                    None
                }
                (b'\\', Some(_)) => Some(r"\\".to_owned()),
                (b'\n', _) => Some(r"\n".to_owned()),
                (b'\t', _) => Some(r"\t".to_owned()),
                (b'\r', _) => Some(r"\r".to_owned()),
                (0..0x20, _) => Some(format!(r"\u{byte:04x}")),
                _ => None,
            };
            if let Some(better) = better {
                escaped += &json[copied..place];
                escaped += &better;
                copied = place + 1;
            }
            place += 1;
        }
        if copied == 0 {
            return (Cow::Borrowed(&json[..place]), place);
        }
        escaped += &json[copied..place];
        (Cow::Owned(escaped), place)
    }
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
        let written = "{\n\"a\":\t\"1\n2\r3\t4\u{0}5\\d\\\n\\\"\\\\\\n\\u00e4ä\"}";
        let expected = "{\n\"a\":\t\"1\\n2\\r3\\t4\\u00005\\\\d\\\\\\n\\\"\\\\\\n\\u00e4ä\"}";
        assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
        for cut in (0..=written.len()).filter(|at| written.is_char_boundary(*at)) {
            let mut escapes = Escapes::default();
            let (first, taken) = escapes.push(&written[..cut]);
            let (rest, _) = escapes.push(&written[taken..]);
            assert_eq!(format!("{first}{rest}"), expected, "{cut}");
        }
    }
}
