//! Custom tools take plain text. Where an API has only functions, they are functions with one text as their input.

use serde_json::{Value, json};

/// The name of the one argument.
const INPUT: &str = "input";

/// The arguments of the function for a custom tool.
pub fn as_arguments(input: &str) -> String {
    json!({ INPUT: input }).to_string()
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

    /// What is still to be told when the call is complete. `arguments`: all of them. A model may call the function in another
    /// way than it was asked to: then its arguments are the text.
    pub fn finish(self, arguments: &str) -> String {
        if self.state != State::Before {
            return String::new();
        }
        match serde_json::from_str::<Value>(arguments) {
            Ok(Value::Object(mut fields)) => match fields.get_mut(INPUT) {
                Some(Value::String(text)) => std::mem::take(text),
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
    // The JSON text of whole characters and whole escapes.
    let text = serde_json::from_str(&format!("\"{}\"", &json[..end])).unwrap_or_default();
    (text, end + usize::from(is_over), is_over)
}

/// The length of an escape; `None`: it is not whole yet. A high surrogate needs its other half.
fn escape(bytes: &[u8]) -> Option<usize> {
    if *bytes.get(1)? != b'u' {
        return Some(2);
    }
    let digits = std::str::from_utf8(bytes.get(2..6)?).ok()?;
    let code = u16::from_str_radix(digits, 16).unwrap_or(0);
    let is_half = (0xd800..0xdc00).contains(&code);
    if !is_half {
        return Some(6);
    }
    (bytes.len() >= 12).then_some(12)
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
    fn what_is_called_in_another_way_is_the_text() {
        for (arguments, expected) in [
            ("no JSON", "no JSON"),
            ("{\"x\":1,\"input\":\"b\"}", "b"),
            ("{\"patch\":1}", "{\"patch\":1}"),
            ("\"b\"", "b"),
        ] {
            let mut decoder = InputDecoder::default();
            let mut sent = decoder.push(arguments);
            sent += &decoder.finish(arguments);
            assert_eq!(sent, expected);
        }
    }
}
