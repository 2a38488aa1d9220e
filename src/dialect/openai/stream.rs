//! What the events of a stream mean: whether there is content yet, whether the answer is complete, how to end a
//! stream that broke.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::classify_inner;
use super::response::has_entries;
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;
use crate::wire::sse::Event;

/// What one event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing of the answer yet: comments, a role, `choices: []`, `response.created`.
    Preamble,
    /// Part of the answer.
    Content,
    /// The upstream says that the answer failed, or sends what is no event of this API.
    Failed(Outcome),
}

/// Follows the events of one stream.
#[derive(Debug)]
pub struct StreamReader {
    endpoint: Endpoint,
    has_content: bool,
    is_complete: bool,
    has_done: bool,
    response_id: Option<String>,
    sequence_number: u64,
}

impl StreamReader {
    /// A reader for the stream that answers a request of this kind.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            has_content: false,
            is_complete: false,
            has_done: false,
            response_id: None,
            sequence_number: 0,
        }
    }

    /// Whether the terminal event has been seen (`finish_reason`, `response.completed`): what comes after it cannot
    /// spoil the answer any more.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Reads the next event.
    pub fn read(&mut self, event: &Event<'_>) -> Signal {
        let signal = match event.data.as_deref() {
            None | Some(b"") => Signal::Preamble,
            Some(data) if data.trim_ascii() == b"[DONE]" => self.read_done(),
            Some(data) if self.endpoint == Endpoint::Responses => self.read_response_event(data),
            Some(data) => self.read_chunk(data),
        };
        self.has_content |= signal == Signal::Content;
        signal
    }

    /// The bytes that an upstream left out at the end of a complete stream.
    pub fn missing_end(&self) -> &'static [u8] {
        match self.endpoint {
            Endpoint::ChatCompletions | Endpoint::Completions if !self.has_done => {
                b"data: [DONE]\n\n"
            }
            _ => b"",
        }
    }

    /// The error event with which a stream that broke ends, in the API's own form and never followed by `[DONE]`.
    pub fn interruption(&self, message: &str) -> Vec<u8> {
        let message = serde_json::Value::from(message);
        if self.endpoint == Endpoint::Responses {
            return self.response_interruption(&message);
        }
        format!(
            "data: {{\"error\":{{\"message\":{message},\"type\":\"upstream_error\",\"param\":null,\
             \"code\":\"stream_interrupted\"}}}}\n\n"
        )
        .into_bytes()
    }

    /// `[DONE]` ends an answer that has some; alone it is no answer.
    fn read_done(&mut self) -> Signal {
        self.has_done = true;
        if self.has_content {
            Signal::Content
        } else {
            Signal::Failed(Outcome::InvalidReply(Defect::NoAnswer))
        }
    }

    fn read_chunk(&mut self, data: &[u8]) -> Signal {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            return Signal::Failed(Outcome::InvalidReply(Defect::Unparsable));
        };
        if let Some(error) = chunk.error {
            return Signal::Failed(classify_inner(error, None));
        }
        let mut signal = Signal::Preamble;
        for choice in chunk.choices.unwrap_or_default() {
            if choice.finish_reason.as_deref() == Some("error") {
                return Signal::Failed(Outcome::ServerError { status: 500 });
            }
            self.is_complete |= choice.finish_reason.is_some();
            if choice.finish_reason.is_some() || choice.has_content() {
                signal = Signal::Content;
            }
        }
        signal
    }

    fn read_response_event(&mut self, data: &[u8]) -> Signal {
        let Ok(event) = serde_json::from_slice::<ResponseEvent<'_>>(data) else {
            return Signal::Failed(Outcome::InvalidReply(Defect::Unparsable));
        };
        if let Some(number) = event.sequence_number {
            self.sequence_number = number;
        }
        match &*event.kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(id) = event.response.and_then(|response| response.id) {
                    self.response_id = Some(id.into_owned());
                }
                Signal::Preamble
            }
            "keepalive" => Signal::Preamble,
            "response.output_item.added" | "response.content_part.added" if event.is_hollow() => {
                Signal::Preamble
            }
            "error" => Signal::Failed(
                serde_json::from_slice(data).map_or(Outcome::ServerError { status: 500 }, |flat| {
                    classify_inner(event.error.unwrap_or(flat), None)
                }),
            ),
            "response.failed" => Signal::Failed(
                event
                    .response
                    .and_then(|response| response.error)
                    .map_or(Outcome::ServerError { status: 500 }, |error| {
                        classify_inner(error, None)
                    }),
            ),
            "response.completed" if !self.has_content && !event.has_output() => {
                Signal::Failed(Outcome::InvalidReply(Defect::NoAnswer))
            }
            "response.completed" | "response.incomplete" => {
                self.is_complete = true;
                Signal::Content
            }
            _ => Signal::Content,
        }
    }

    /// SDKs differ in what they raise on: the error event carries its fields both flat and nested, and
    /// `response.failed` closes the stream for those that wait for a terminal event.
    fn response_interruption(&self, message: &serde_json::Value) -> Vec<u8> {
        let error = format!("\"code\":\"stream_interrupted\",\"message\":{message},\"param\":null");
        let id = serde_json::Value::from(self.response_id.as_deref().unwrap_or("resp_interrupted"));
        let next = self.sequence_number + 1;
        format!(
            "event: error\ndata: {{\"type\":\"error\",{error},\"sequence_number\":{next},\
             \"error\":{{\"type\":\"upstream_error\",{error}}}}}\n\n\
             event: response.failed\ndata: {{\"type\":\"response.failed\",\"sequence_number\":{after},\
             \"response\":{{\"id\":{id},\"object\":\"response\",\"status\":\"failed\",\"output\":[],\
             \"error\":{{\"code\":\"server_error\",\"message\":{message}}}}}}}\n\n",
            after = next + 1,
        )
        .into_bytes()
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    delta: Option<Delta>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

impl Choice<'_> {
    /// Whatever is not known to be empty counts as content: taking preamble for content costs a missed failover,
    /// taking content for preamble could repeat or lose part of an answer.
    fn has_content(&self) -> bool {
        self.text.is_some_and(is_filled) || self.delta.as_ref().is_some_and(|delta| delta.is_filled)
    }
}

fn is_filled(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "\"\"" | "[]" | "{}")
}

/// Whether a delta has anything in it but a role. Its fields are looked at as they are read, and none is kept: this
/// happens to every event.
struct Delta {
    is_filled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeltaField {
    Role,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DeltaVisitor)
    }
}

struct DeltaVisitor;

impl<'de> Visitor<'de> for DeltaVisitor {
    type Value = Delta;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Delta, M::Error> {
        let mut delta = Delta { is_filled: false };
        while let Some((field, value)) = map.next_entry::<DeltaField, &'de RawValue>()? {
            delta.is_filled |= matches!(field, DeltaField::Other) && is_filled(value);
        }
        Ok(delta)
    }
}

#[derive(Deserialize)]
struct ResponseEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    sequence_number: Option<u64>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<ResponseHead<'a>>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    part: Option<&'a RawValue>,
}

impl ResponseEvent<'_> {
    /// Whether it announces a message or a text that has nothing in it yet. Other items say something by their kind.
    fn is_hollow(&self) -> bool {
        let is_empty =
            |raw: Option<&RawValue>| raw.is_none_or(|raw| matches!(raw.get(), "[]" | "\"\""));
        let piece = self.item.or(self.part);
        let piece = piece.and_then(|raw| serde_json::from_str::<Piece<'_>>(raw.get()).ok());
        piece.is_some_and(|piece| match &*piece.kind {
            "message" => is_empty(piece.content),
            "output_text" => is_empty(piece.text),
            _ => false,
        })
    }

    fn has_output(&self) -> bool {
        let response = self.response.as_ref();
        response.is_some_and(|response| has_entries(response.output))
    }
}

/// An item of the output, or a part of an item.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ResponseHead<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::{Signal, StreamReader};
    use crate::request::Endpoint;
    use crate::wire::sse;

    fn read(reader: &mut StreamReader, text: &str) -> Vec<Signal> {
        sse::events(text.as_bytes())
            .map(|event| reader.read(&event))
            .collect()
    }

    fn signal(endpoint: Endpoint, data: &str) -> Signal {
        read(
            &mut StreamReader::new(endpoint),
            &format!("data: {data}\n\n"),
        )
        .remove(0)
    }

    #[test]
    fn roles_comments_and_empty_choices_are_preamble() {
        let chat = Endpoint::ChatCompletions;
        for data in [
            r#"{"choices":[{"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}"#,
            r#"{"choices":[],"prompt_filter_results":[]}"#,
            r#"{"choices":[{"delta":{}}]}"#,
        ] {
            assert_eq!(signal(chat, data), Signal::Preamble, "{data}");
        }
        assert_eq!(
            read(&mut StreamReader::new(chat), ": ping\n\n"),
            [Signal::Preamble]
        );
    }

    #[test]
    fn text_tool_calls_and_unknown_fields_are_content() {
        for data in [
            r#"{"choices":[{"delta":{"content":"x"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#,
            r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
            r#"{"choices":[{"text":"x"}]}"#,
        ] {
            assert_eq!(
                signal(Endpoint::ChatCompletions, data),
                Signal::Content,
                "{data}"
            );
        }
    }

    #[test]
    fn a_finish_reason_completes_the_answer_and_the_missing_end_is_known() {
        let mut reader = StreamReader::new(Endpoint::ChatCompletions);
        read(
            &mut reader,
            "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
        );
        assert!(!reader.is_complete());
        read(
            &mut reader,
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        );
        assert!(reader.is_complete());
        assert_eq!(reader.missing_end(), b"data: [DONE]\n\n");
        read(&mut reader, "data: [DONE]\n\n");
        assert_eq!(reader.missing_end(), b"");
    }

    #[test]
    fn errors_and_garbage_in_a_stream_are_failures() {
        let label = |endpoint, data: &str| match signal(endpoint, data) {
            Signal::Failed(outcome) => outcome.label(),
            other => panic!("{data}: {other:?}"),
        };
        let chat = Endpoint::ChatCompletions;
        assert_eq!(label(chat, "[DONE]"), "no_answer");
        assert_eq!(label(chat, "<html>"), "unparsable_reply");
        assert_eq!(
            label(chat, r#"{"error":{"code":"rate_limit_exceeded"}}"#),
            "rate_limited"
        );
        assert_eq!(
            label(
                chat,
                r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#
            ),
            "server_error"
        );
        let responses = Endpoint::Responses;
        assert_eq!(
            label(
                responses,
                r#"{"type":"error","code":"rate_limit_exceeded","message":"m"}"#
            ),
            "rate_limited"
        );
        assert_eq!(
            label(
                responses,
                r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#
            ),
            "server_error"
        );
    }

    #[test]
    fn a_responses_stream_ends_with_both_error_forms_and_its_own_id() {
        let mut reader = StreamReader::new(Endpoint::Responses);
        let signals = read(
            &mut reader,
            "data: {\"type\":\"response.created\",\"sequence_number\":4,\"response\":{\"id\":\"resp_7\"}}\n\n\
             data: {\"type\":\"response.output_text.delta\",\"sequence_number\":5,\"delta\":\"x\"}\n\n",
        );
        assert_eq!(signals, [Signal::Preamble, Signal::Content]);
        let end = String::from_utf8(reader.interruption("gone")).unwrap();
        assert!(end.contains("\"sequence_number\":6"), "{end}");
        assert!(end.contains("\"id\":\"resp_7\""), "{end}");
        for line in end.lines().filter_map(|line| line.strip_prefix("data: ")) {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}
