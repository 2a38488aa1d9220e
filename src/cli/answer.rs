//! Reading what a running backstop answers.

use serde_json::Value;

/// What it answers. Some of its texts are an upstream's words: their control characters become spaces, so that none of them
/// reaches a terminal.
pub(super) fn read(body: &[u8]) -> serde_json::Result<Value> {
    let mut answer = serde_json::from_slice(body)?;
    make_plain(&mut answer);
    Ok(answer)
}

fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(char::is_control) => {
            *text = text.replace(char::is_control, " ");
        }
        Value::Array(values) => values.iter_mut().for_each(make_plain),
        Value::Object(fields) => fields.values_mut().for_each(make_plain),
        _ => {}
    }
}

/// The entries of a list; none if it is no list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text; an empty one if it is none.
pub(super) fn said(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{list, read};

    #[test]
    fn what_an_upstream_says_cannot_move_the_cursor() {
        let body =
            r#"{"problems": [{"because": "503 \u001b[2J\u009b31m overloaded\n"}], "count": 1}"#;
        let answer = read(body.as_bytes()).unwrap();
        let problem = list(&answer["problems"]).next().unwrap();
        assert_eq!(problem["because"], "503  [2J 31m overloaded ");
        assert_eq!(answer["count"], 1);
        assert!(read(b"{").is_err());
    }
}
