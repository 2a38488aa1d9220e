//! What a translation leaves out.

use serde_json::Value;

use crate::request::Endpoint;

/// The fields of a request that are none of those that are `said` in other words. Names that cannot stand in a header, and
/// more than anybody would read, are not told.
pub(super) fn left_out(body: &Value, said: &[&str]) -> Vec<String> {
    const MOST: usize = 32;
    let can_be_told =
        |name: &str| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic());
    let fields = body.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| {
            !value.is_null() && !said.contains(&name.as_str()) && can_be_told(name)
        })
        .map(|(name, _)| name.clone())
        .take(MOST)
        .collect()
}

/// What fields of a chat are called in a Messages request.
const OF_MESSAGES: [(&str, &str); 4] = [
    ("parallel_tool_calls", "tool_choice"),
    ("reasoning_effort", "thinking"),
    ("stop", "stop_sequences"),
    ("user", "metadata"),
];
/// What they are called in a request for a response.
const OF_RESPONSES: [(&str, &str); 2] = [
    ("reasoning_effort", "reasoning"),
    ("response_format", "text.format"),
];

/// The fields that a translated request has lost on its way through a chat, as its client calls them.
pub(super) fn in_clients_words(endpoint: Endpoint, fields: Vec<String>) -> Vec<String> {
    let names: &[(&str, &str)] = match endpoint {
        Endpoint::Messages => &OF_MESSAGES,
        Endpoint::Responses => &OF_RESPONSES,
        _ => return fields,
    };
    let mut reported = Vec::with_capacity(fields.len());
    for field in fields {
        let name = names.iter().find(|(of_chat, _)| *of_chat == field);
        let name = name.map_or_else(|| field.clone(), |(_, name)| (*name).to_owned());
        if !reported.contains(&name) {
            reported.push(name);
        }
    }
    reported
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{in_clients_words, left_out};
    use crate::request::Endpoint;

    #[test]
    fn clients_are_told_in_their_own_words() {
        let reported = |endpoint| {
            let fields = ["thinking", "stop", "reasoning_effort", "temperature"];
            in_clients_words(endpoint, fields.map(str::to_owned).to_vec())
        };
        let expected = ["thinking", "stop_sequences", "temperature"];
        assert_eq!(reported(Endpoint::Messages), expected);
        let expected = ["thinking", "stop", "reasoning", "temperature"];
        assert_eq!(reported(Endpoint::Responses), expected);
        let expected = ["thinking", "stop", "reasoning_effort", "temperature"];
        assert_eq!(reported(Endpoint::ChatCompletions), expected);
    }

    #[test]
    fn what_nobody_has_said_is_told() {
        let body =
            json!({"model": "m", "seed": 1, "user": null, "brand_new": {}, "a\nb": 1, "é": 1});
        assert_eq!(left_out(&body, &["model"]), ["seed", "brand_new"]);
    }
}
