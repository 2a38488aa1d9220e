//! Values of `LiteLLM`'s file, in our notation.

use serde_yaml::Value;

/// How that file refers to an environment variable.
const VARIABLE: &str = "os.environ/";

/// A text as we write it: `os.environ/NAME` is `${NAME}`, and what would be a reference for us is escaped. `None`: it is no
/// text, or empty.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null
        | Value::Bool(_)
        | Value::Sequence(_)
        | Value::Mapping(_)
        | Value::Tagged(_) => return None,
    };
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match text.strip_prefix(VARIABLE) {
        Some(name) if is_name(name) => Some(variable(name)),
        Some(_) => None,
        None if text.is_empty() => None,
        None => Some(text.replace("${", "$${")),
    }
}

/// A reference to a variable.
pub(super) fn variable(name: &str) -> String {
    format!("${{{name}}}")
}

/// Whether a text of ours is nothing but a reference to a variable.
pub(super) fn is_variable(text: &str) -> bool {
    text.starts_with("${") && text.find('}') == Some(text.len() - 1)
}

/// A number of seconds, requests or the like, also as a text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null
        | Value::Bool(_)
        | Value::Sequence(_)
        | Value::Mapping(_)
        | Value::Tagged(_) => None,
    };
    number.filter(|number: &f64| number.is_finite() && *number > 0.0)
}

/// A number of seconds as we write it.
pub(super) fn seconds(value: f64) -> String {
    match value >= 1.0 {
        true => format!("{}s", value.round()),
        false => format!("{}ms", (value * 1000.0).round().max(1.0)),
    }
}

/// The entries of a mapping whose keys are texts.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let mapping = value.as_mapping().into_iter().flatten();
    mapping.filter_map(|(key, value)| Some((key.as_str()?, value)))
}

/// The elements of a list; one element that stands alone counts as a list.
pub(super) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Sequence(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::{is_variable, seconds, text};

    #[test]
    fn references_are_translated_and_what_looks_like_ours_is_escaped() {
        let read = |yaml: &str| text(&serde_yaml::from_str::<Value>(yaml).unwrap());
        assert_eq!(read("os.environ/A_B").as_deref(), Some("${A_B}"));
        assert_eq!(read("os.environ/a b"), None);
        assert_eq!(read("\"a${B}\"").as_deref(), Some("a$${B}"));
        assert_eq!(read("5").as_deref(), Some("5"));
        assert_eq!(read("\"\""), None);
        assert_eq!(read("[a]"), None);
        assert!(is_variable("${A}") && !is_variable("${A}/openai") && !is_variable("$${A}"));
        assert_eq!(
            (seconds(30.0), seconds(0.25)),
            ("30s".to_owned(), "250ms".to_owned())
        );
    }
}
