//! One parameter of a query: reading it, and replacing it without changing the rest; also percent-encoding in paths.

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Characters that are always escaped.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// Model names contain slashes and colons, which a query may contain unescaped.
const IN_A_QUERY: &AsciiSet = &RESERVED.remove(b'/').remove(b':').remove(b'@');

/// The decoded value of the first parameter with this name; `None` if there is none, or it is not UTF-8.
pub fn parameter(path: &str, name: &str) -> Option<String> {
    let span = value_span(path, name)?;
    unescaped(&path[span].replace('+', " "))
}

/// A decoded part of a path; `None` if an escape is invalid, or the result is not UTF-8. A plus means a space in
/// queries only.
pub fn unescaped(part: &str) -> Option<String> {
    let is_escape = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let is_well_formed = part.split('%').skip(1).all(is_escape);
    let decoded = percent_decode_str(part).decode_utf8().ok()?;
    is_well_formed.then(|| decoded.into_owned())
}

/// A text in which every character with a meaning in a path or a query is escaped (RFC 3986, section 2.3).
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Whether a parameter occurs more than once: servers disagree about which one counts.
pub fn is_repeated(path: &str, name: &str) -> bool {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let named = |pair: &&str| is_named(pair, |is| is == name);
    query.split('&').filter(named).count() > 1
}

/// A query without the unwanted parameters.
pub fn without(query: &str, is_unwanted: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let unwanted = |pair: &&str| is_named(pair, &is_unwanted);
    if !query.split('&').any(|pair| unwanted(&pair)) {
        return query.into();
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !unwanted(pair)).collect();
    kept.join("&").into()
}

/// Whether a parameter's decoded name satisfies the condition.
fn is_named(pair: &str, is_it: impl Fn(&str) -> bool) -> bool {
    let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
    if !name.contains(['%', '+']) {
        return is_it(name);
    }
    unescaped(&name.replace('+', " ")).is_some_and(|name| is_it(&name))
}

/// The path and query with another value for the parameter; unchanged if there is no such parameter.
pub fn with_parameter(path: &str, name: &str, value: &str) -> String {
    match value_span(path, name) {
        Some(span) => [
            &path[..span.start],
            &utf8_percent_encode(value, IN_A_QUERY).to_string(),
            &path[span.end..],
        ]
        .concat(),
        None => path.to_owned(),
    }
}

fn value_span(path: &str, name: &str) -> Option<Range<usize>> {
    let mut start = path.find('?')? + 1;
    loop {
        let end = path[start..].find('&').map_or(path.len(), |at| start + at);
        let pair = &path[start..end];
        if pair.contains('=') && is_named(pair, |is| is == name) {
            let value = pair.find('=').map_or("", |at| &pair[at + 1..]);
            return Some(end - value.len()..end);
        }
        if end == path.len() {
            return None;
        }
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{is_repeated, parameter, unescaped, with_parameter, without};

    #[test]
    fn a_parameter_is_read_wherever_it_stands() {
        let model = |path| parameter(path, "model");
        assert_eq!(model("/realtime?model=gpt-4o").as_deref(), Some("gpt-4o"));
        assert_eq!(
            model("/realtime?a=1&model=openai%2Fgpt+4&b=2").as_deref(),
            Some("openai/gpt 4")
        );
        assert_eq!(model("/realtime?model=").as_deref(), Some(""));
        assert_eq!(model("/realtime?mod%65l=x").as_deref(), Some("x"));
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

    #[test]
    fn parameters_go_by_their_names_however_those_are_written() {
        let rest = |query| without(query, |name| name == "key");
        assert_eq!(rest("a=1&key=2&b=3&k%65y=4&key"), "a=1&b=3");
        assert_eq!(rest("key=1"), "");
        assert_eq!(rest("keys=1&a=key&a&&%zz=1"), "keys=1&a=key&a&&%zz=1");
        assert!(is_repeated("/realtime?model=a&x=1&mod%65l=b", "model"));
        for once in ["/realtime?model=a&models=b", "/realtime?model", "/model"] {
            assert!(!is_repeated(once, "model"), "{once}");
        }
    }
}
