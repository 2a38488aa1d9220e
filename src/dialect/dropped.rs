//! The fields that a translation drops.

use serde_json::Value;

use crate::request::Endpoint;

/// The fields of a request that are not among the `translated`, translated ones. Names that are not allowed in a header are
/// left out, and so are more than anybody would read.
pub(super) fn left_out(body: &Value, translated: &[&str]) -> Vec<String> {
    const MOST: usize = 32;
    let is_printable =
        |name: &str| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic());
    let fields = body.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| {
            !value.is_null() && !translated.contains(&name.as_str()) && is_printable(name)
        })
        .map(|(name, _)| name.clone())
        .take(MOST)
        .collect()
}

/// The names of a chat's fields in a Messages request.
const OF_MESSAGES: [(&str, &str); 4] = [
    ("parallel_tool_calls", "tool_choice"),
    ("reasoning_effort", "thinking"),
    ("stop", "stop_sequences"),
    ("user", "metadata"),
];
/// Their names in a Responses request.
const OF_RESPONSES: [(&str, &str); 2] = [
    ("reasoning_effort", "reasoning"),
    ("response_format", "text.format"),
];

/// The fields that a translation by way of a chat has dropped, under the client's names for them.
pub(super) fn in_clients_words(endpoint: Endpoint, fields: Vec<String>) -> Vec<String> {
    let names: &[(&str, &str)] = match endpoint {
        Endpoint::Messages => &OF_MESSAGES,
        Endpoint::Responses => &OF_RESPONSES,
        _ => return fields,
    };
    let mut dropped = Vec::with_capacity(fields.len());
    for field in fields {
        let name = names.iter().find(|(of_chat, _)| *of_chat == field);
        let name = name.map_or_else(|| field.clone(), |(_, name)| (*name).to_owned());
        if !dropped.contains(&name) {
            dropped.push(name);
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{in_clients_words, left_out};
    use crate::request::Endpoint;

    #[test]
    fn clients_are_told_in_their_own_words() {
        let names = |endpoint| {
            let fields = ["thinking", "stop", "reasoning_effort", "temperature"];
            in_clients_words(endpoint, fields.map(str::to_owned).to_vec())
        };
        let expected = ["thinking", "stop_sequences", "temperature"];
        assert_eq!(names(Endpoint::Messages), expected);
        let expected = ["thinking", "stop", "reasoning", "temperature"];
        assert_eq!(names(Endpoint::Responses), expected);
        let expected = ["thinking", "stop", "reasoning_effort", "temperature"];
        assert_eq!(names(Endpoint::ChatCompletions), expected);
    }

    #[test]
    fn what_nobody_has_said_is_told() {
        let body =
            json!({"model": "m", "seed": 1, "user": null, "brand_new": {}, "a\nb": 1, "é": 1});
        assert_eq!(left_out(&body, &["model"]), ["seed", "brand_new"]);
    }
}
