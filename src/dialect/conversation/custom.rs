//! Custom tools take plain text. Where an API has only functions, they are functions with one text as their input.

use serde_json::{Value, json};

use super::arguments::escape;

/// The name of the one argument.
const INPUT: &str = "input";

/// The arguments of the function for a custom tool.
pub fn as_arguments(input: &str) -> String {
    json!({ INPUT: input }).to_string()
}

/// The schema of the function for a custom tool.
pub fn parameters() -> Value {
    let text = json!({ "type": "string", "description": "The whole input, as it is." });
    json!({
        "type": "object", "properties": { INPUT: text },
        "required": [INPUT], "additionalProperties": false,
    })
}

/// Its description. A grammar cannot be enforced, so it is explained.
pub fn described(description: Option<String>, format: &Value) -> Option<String> {
    let Some(grammar) = format["definition"].as_str() else {
        return description;
    };
    let syntax = format["syntax"].as_str().unwrap_or_default();
    let rule = format!("The input is a text that matches this {syntax} grammar:\n{grammar}");
    Some(match description {
        Some(description) => format!("{description}\n\n{rule}"),
        None => rule,
    })
}

/// Takes the text out of a function's arguments while they come, in pieces that are cut anywhere.
#[derive(Clone, Debug, Default)]
pub struct InputDecoder {
    /// What has not been decoded yet.
    rest: String,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the text.
    #[default]
    Before,
    Within,
    /// Behind it.
    After,
}

impl InputDecoder {
    /// The text that follows from these further arguments.
    pub fn push(&mut self, arguments: &str) -> String {
        self.rest.push_str(arguments);
        if self.state == State::Before
            && let Some(begin) = begin_of_text(&self.rest)
        {
            self.rest.drain(..begin);
            self.state = State::Within;
        }
        if self.state != State::Within {
            return String::new();
        }
        let (text, taken, is_over) = decode(&self.rest);
        self.rest.drain(..taken);
        if is_over {
            self.state = State::After;
        }
        text
    }

    /// Whether the text has begun and has no end, with these further arguments.
    pub fn lacks_an_end(&self, arguments: &str) -> bool {
        let mut decoder = self.clone();
        decoder.push(arguments);
        decoder.state == State::Within
    }

    /// What is still to be told when the call is complete. `arguments`: all of them. A model may call the function in another
    /// way than it was asked to: then its arguments are the text, unless they say nothing.
    pub fn finish(self, arguments: &str) -> String {
        if self.state != State::Before {
            return String::new();
        }
        match serde_json::from_str::<Value>(arguments) {
            Ok(Value::Null) => String::new(),
            Ok(Value::Object(fields)) if fields.is_empty() => String::new(),
            Ok(Value::Object(mut fields)) => match fields.get_mut(INPUT) {
                Some(Value::String(text)) => std::mem::take(text),
                Some(Value::Null) => String::new(),
                _ => arguments.to_owned(),
            },
            Ok(Value::String(text)) => text,
            _ => arguments.to_owned(),
        }
    }
}

/// Where the text begins, behind `{"input": "`.
fn begin_of_text(arguments: &str) -> Option<usize> {
    let mut rest = arguments.trim_start().strip_prefix('{')?.trim_start();
    rest = rest.strip_prefix('"')?.strip_prefix(INPUT)?;
    rest = rest.strip_prefix('"')?.trim_start();
    rest = rest.strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(arguments.len() - rest.len())
}

/// The text so far, how many bytes of the JSON it takes, and whether it is over.
fn decode(json: &str) -> (String, usize, bool) {
    let mut end = 0;
    let mut is_over = false;
    let bytes = json.as_bytes();
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' => {
                is_over = true;
                break;
            }
            b'\\' => match escape(&bytes[end..]) {
                Some(length) => end += length,
                None => break,
            },
            _ => end += 1,
        }
    }
    (text_of(&json[..end]), end + usize::from(is_over), is_over)
}

/// The text of whole characters and whole escapes. Models break lines in it without an escape, halve emojis, and escape what
/// needs none.
fn text_of(escaped: &str) -> String {
    let decoded = |json: &str| serde_json::from_str::<String>(&format!("\"{json}\""));
    if let Ok(text) = decoded(escaped) {
        return text;
    }
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '\\' => escape(rest.as_bytes()).unwrap_or(rest.len()),
            _ => letter.len_utf8(),
        };
        let (unit, behind) = rest.split_at(length);
        match decoded(unit) {
            Ok(letters) => text += &letters,
            // Half an emoji.
            Err(_) if length == 6 => text.push(char::REPLACEMENT_CHARACTER),
            Err(_) => text += unit,
        }
        rest = behind;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{InputDecoder, as_arguments};

    #[test]
    fn a_text_comes_out_wherever_it_is_cut() {
        let text = "*** Begin\n\"quoted\" \\ äöü 😀 \u{7}\tend";
        let escaped = "{\"input\": \"*** \\ud83d\\ude00 \\u00e4 x\"}";
        for (arguments, expected) in [
            (as_arguments(text), text),
            (escaped.to_owned(), "*** 😀 ä x"),
            // What models write though JSON does not have it.
            ("{\"input\":\"a\nb\\nc\"}".to_owned(), "a\nb\nc"),
            ("{\"input\":\"\\ud83daäöü\"}".to_owned(), "\u{fffd}aäöü"),
            ("{\"input\":\"x\\ud83d\"}".to_owned(), "x\u{fffd}"),
            (
                "{\"input\":\"\\ä \\uä12345 \\d+\\n\"}".to_owned(),
                "\\ä \\uä12345 \\d+\n",
            ),
        ] {
            let places = (0..=arguments.len()).filter(|at| arguments.is_char_boundary(*at));
            for cut in places {
                let mut decoder = InputDecoder::default();
                let mut sent = decoder.push(&arguments[..cut]);
                sent += &decoder.push(&arguments[cut..]);
                sent += &decoder.finish(&arguments);
                assert_eq!(sent, expected, "{cut}");
            }
        }
    }

    #[test]
    fn a_text_that_was_cut_has_no_end() {
        for (arguments, rest) in [
            ("{\"input\":\"a", true),
            ("{\"input\":\"a\\\"", true),
            ("{\"input\":\"a\"", false),
            ("{\"inp", false),
            ("a", false),
        ] {
            assert_eq!(
                InputDecoder::default().lacks_an_end(arguments),
                rest,
                "{arguments}"
            );
        }
    }

    #[test]
    fn what_is_called_in_another_way_is_the_text() {
        for (arguments, expected) in [
            ("no JSON", "no JSON"),
            ("{\"x\":1,\"input\":\"b\"}", "b"),
            ("{\"patch\":1}", "{\"patch\":1}"),
            ("\"b\"", "b"),
            ("{ }", ""),
            ("null", ""),
            ("{\"input\": null}", ""),
        ] {
            let mut decoder = InputDecoder::default();
            let mut sent = decoder.push(arguments);
            sent += &decoder.finish(arguments);
            assert_eq!(sent, expected);
        }
    }
}
