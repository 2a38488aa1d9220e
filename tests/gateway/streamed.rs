//! Reading a stream as an SDK would.

use serde_json::Value;

/// A stream as an SDK would read it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Streamed {
    pub(crate) text: String,
    /// Whether an event marks the answer as complete.
    pub(crate) claims_end: bool,
    /// The codes of the error events.
    pub(crate) errors: Vec<String>,
    /// Whether the last event marks the answer as failed.
    pub(crate) ends_with_failure: bool,
}

pub(crate) fn read(body: &str) -> Streamed {
    let mut streamed = Streamed::default();
    let mut number = None;
    for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if data == "[DONE]" {
            streamed.claims_end = true;
            streamed.ends_with_failure = false;
            continue;
        }
        let event: Value =
            serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {body}"));
        let kind = event["type"].as_str().unwrap_or("");
        let choice = &event["choices"][0];
        streamed.text += choice["delta"]["content"].as_str().unwrap_or("");
        if kind == "response.output_text.delta" {
            streamed.text += event["delta"].as_str().unwrap();
        }
        streamed.claims_end |= choice["finish_reason"].is_string() || kind == "response.completed";
        if let Some(code) = event["error"]["code"].as_str() {
            streamed.errors.push(code.to_owned());
        }
        streamed.ends_with_failure =
            kind == "response.failed" || (kind.is_empty() && event["error"].is_object());
        // A sign of life of ours repeats the last number.
        if let Some(next) = event["sequence_number"].as_u64()
            && kind != "keepalive"
        {
            assert!(number < Some(next), "events out of order: {body}");
            number = Some(next);
        }
    }
    streamed
}
