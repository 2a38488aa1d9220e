//! The arguments of a call: the JSON of an object, if the model did well.

use serde::de::IgnoredAny;
use serde_json::json;

/// Whether a text is the JSON of a whole object.
pub fn is_object(arguments: &str) -> bool {
    let arguments = arguments.trim();
    arguments.starts_with('{')
        && arguments.ends_with('}')
        && serde_json::from_str::<IgnoredAny>(arguments).is_ok()
}

/// The object that is said in another way: nothing or null for an empty one, or its JSON in a text, as some write it.
pub fn object_in(arguments: &str) -> Option<String> {
    if matches!(arguments.trim(), "" | "null") {
        return Some("{}".to_owned());
    }
    let within = serde_json::from_str::<String>(arguments).ok();
    within.filter(|within| is_object(within))
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

#[cfg(test)]
mod tests {
    use super::mended;

    #[test]
    fn arguments_become_an_object_that_says_the_same() {
        for (arguments, expected) in [
            (r#" {"a":1.0} "#, None),
            ("{}", None),
            ("", Some("{}")),
            (" null\n", Some("{}")),
            (r#""{\"a\":1}""#, Some(r#"{"a":1}"#)),
            (r#"{"a":"#, Some(r#"{"arguments":"{\"a\":"}"#)),
            ("{}{}", Some(r#"{"arguments":"{}{}"}"#)),
            ("[1]", Some(r#"{"arguments":"[1]"}"#)),
            (r#""x""#, Some(r#"{"arguments":"\"x\""}"#)),
        ] {
            assert_eq!(mended(arguments).as_deref(), expected, "{arguments}");
        }
    }
}
