//! Batches of messages: the replies have a whole URL for their results.

use bytes::Bytes;
use serde_json::Value;

/// Whether this is a path of batches.
pub fn is_batches(path: &str) -> bool {
    path.strip_prefix("/messages/batches")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// A reply about batches, with only the path of each `results_url`. SDKs fetch that URL with the client's key: with a
/// whole URL they would bypass the proxy, and send the provider a key that is not its own.
pub fn results_here(body: Bytes) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else {
        return body;
    };
    let mut is_changed = shorten(&mut answer);
    let batches = answer.get_mut("data").and_then(Value::as_array_mut);
    for batch in batches.into_iter().flatten() {
        is_changed |= shorten(batch);
    }
    if is_changed {
        answer.to_string().into()
    } else {
        body
    }
}

fn shorten(batch: &mut Value) -> bool {
    let path = batch["results_url"].as_str().and_then(|url| {
        let (_, rest) = url.split_once("://")?;
        Some(rest[rest.find('/')?..].to_owned())
    });
    let Some(path) = path else {
        return false;
    };
    batch["results_url"] = path.into();
    true
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{is_batches, results_here};

    fn here(body: &'static str) -> String {
        String::from_utf8(results_here(Bytes::from_static(body.as_bytes())).to_vec()).unwrap()
    }

    #[test]
    fn results_are_got_by_the_way_that_the_batch_was_made() {
        assert_eq!(
            here(r#"{"id":"b","results_url":"https://api.example/v1/messages/batches/b/results"}"#),
            r#"{"id":"b","results_url":"/v1/messages/batches/b/results"}"#
        );
        assert_eq!(
            here(r#"{"data":[{"results_url":"http://x/y"},{"results_url":null}]}"#),
            r#"{"data":[{"results_url":"/y"},{"results_url":null}]}"#
        );
        for untouched in [
            r#"{ "id" : "b" }"#,
            r#"{"results_url": null}"#,
            "no json",
            "[]",
        ] {
            assert_eq!(here(untouched), untouched);
        }
    }

    #[test]
    fn batches_are_known_by_their_path() {
        assert!(is_batches("/messages/batches?limit=1") && is_batches("/messages/batches/b"));
        assert!(!is_batches("/messages") && !is_batches("/messages/batches2"));
    }
}
