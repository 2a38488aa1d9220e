//! One parameter of a query: reading it, and replacing it without touching the rest. And what is escaped in a path.

use std::ops::Range;

/// The value of the first parameter of this name, decoded; `None` if there is none, or it is no text.
pub fn parameter(path: &str, name: &str) -> Option<String> {
    let span = value_span(path, name)?;
    unescaped(&path[span].replace('+', " "))
}

/// A part of a path without its escapes; `None` if they are none, or it is no text. Only in a query a plus is a space.
pub fn unescaped(part: &str) -> Option<String> {
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// The path and query with another value for the parameter; as it is, where there is no such parameter.
pub fn with_parameter(path: &str, name: &str, value: &str) -> String {
    match value_span(path, name) {
        Some(span) => [&path[..span.start], &encode(value), &path[span.end..]].concat(),
        None => path.to_owned(),
    }
}

fn value_span(path: &str, name: &str) -> Option<Range<usize>> {
    let mut start = path.find('?')? + 1;
    loop {
        let end = path[start..].find('&').map_or(path.len(), |at| start + at);
        let pair = &path[start..end];
        if let Some(value) = pair
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(end - value.len()..end);
        }
        if end == path.len() {
            return None;
        }
        start = end + 1;
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        // Names of models have slashes and colons in them, both of which a query may hold as they are.
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{parameter, unescaped, with_parameter};

    #[test]
    fn a_parameter_is_read_wherever_it_stands() {
        let model = |path| parameter(path, "model");
        assert_eq!(model("/realtime?model=gpt-4o").as_deref(), Some("gpt-4o"));
        assert_eq!(
            model("/realtime?a=1&model=openai%2Fgpt+4&b=2").as_deref(),
            Some("openai/gpt 4")
        );
        assert_eq!(model("/realtime?model=").as_deref(), Some(""));
        for none in [
            "/realtime",
            "/realtime?",
            "/realtime?models=x&supermodel=y",
            "/realtime?model",
            "/realtime?model=%f",
            "/realtime?model=%zz",
            "/realtime?model=%ff",
        ] {
            assert_eq!(model(none), None, "{none}");
        }
    }

    #[test]
    fn in_a_path_a_plus_is_a_plus() {
        let name = unescaped("meta-llama%2fLlama+3%2B%20x");
        assert_eq!(name.as_deref(), Some("meta-llama/Llama+3+ x"));
        assert_eq!(parameter("/x?a=1+2%2B3", "a").as_deref(), Some("1 2+3"));
        for none in ["%f", "%zz", "%ff", "%"] {
            assert_eq!(unescaped(none), None, "{none}");
        }
    }

    #[test]
    fn only_the_parameter_changes() {
        assert_eq!(
            with_parameter("/realtime?a=%20&model=gpt-4o&b=2", "model", "llama 3&x"),
            "/realtime?a=%20&model=llama%203%26x&b=2"
        );
        assert_eq!(
            with_parameter("/realtime?model=x", "model", "openai/gpt:1"),
            "/realtime?model=openai/gpt:1"
        );
        assert_eq!(with_parameter("/responses", "model", "y"), "/responses");
    }
}
