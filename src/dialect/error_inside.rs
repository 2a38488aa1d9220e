//! Errors in replies of unknown meaning that came with 200: nothing but an error is in them.

use std::time::Duration;

use memchr::memmem;
use serde_json::value::RawValue;

use super::errors::classify_inner;
use crate::outcome::Outcome;
use crate::wire::json::{Broken, Field, Reader, Wanted, pick};
use crate::wire::sse::Event;

/// What such a reply has, of whatever API.
#[derive(Debug, Default)]
struct Said<'a> {
    error: Field<'a>,
    kind: Field<'a>,
    /// Whether it has what an answer or a stored object has: one that has failed names its error, too.
    is_answer: bool,
}

impl<'a> Wanted<'a> for Said<'a> {
    fn field(&mut self, name: &[u8]) -> Option<&mut Field<'a>> {
        Some(match name {
            b"error" => &mut self.error,
            b"type" => &mut self.kind,
            _ => return None,
        })
    }

    fn read(&mut self, name: &[u8], reader: &mut Reader<'a>) -> Result<bool, Broken> {
        let is_theirs = matches!(
            name,
            b"id"
                | b"data"
                | b"results"
                | b"output"
                | b"text"
                | b"choices"
                | b"content"
                | b"input_tokens"
        );
        if is_theirs {
            self.is_answer |= reader.value()? != "null";
        }
        Ok(is_theirs)
    }
}

impl<'a> Said<'a> {
    /// What is said of a failure, if nothing else is said.
    fn error(&self) -> Option<&'a RawValue> {
        let is_one = |raw: &&str| !matches!(*raw, "false" | "0" | "\"\"" | "{}" | "[]");
        let error = self.error.get().filter(is_one);
        let error = error.filter(|_| !self.is_answer)?;
        serde_json::from_str(error).ok()
    }
}

/// The outcome that a whole body stands for which came with 200, if it is an error.
pub fn error_inside(body: &[u8], retry_after: Option<Duration>) -> Option<Outcome> {
    // Most are none, and some are large.
    memmem::find(body, b"\"error\"")?;
    let said: Said<'_> = pick(body).ok()?;
    Some(classify_inner(said.error()?, retry_after))
}

/// The outcome that an event of a stream stands for, if it is an error. Its fields are in an `error` object or at the top
/// level.
pub fn error_in_event(event: &Event<'_>, retry_after: Option<Duration>) -> Option<Outcome> {
    memmem::find(event.raw, b"error")?;
    let data = event.data.as_deref()?;
    let said: Said<'_> = pick(data).unwrap_or_default();
    let is_error = || event.name == Some(b"error") || said.kind.get() == Some("\"error\"");
    let error = said.error().or_else(|| {
        let whole = serde_json::from_slice(data).unwrap_or(RawValue::NULL);
        is_error().then_some(whole)
    });
    Some(classify_inner(error?, retry_after))
}

#[cfg(test)]
mod tests {
    use super::{error_in_event, error_inside};
    use crate::wire::sse;

    fn look(body: &str) -> &'static str {
        error_inside(body.as_bytes(), None).map_or("ok", |outcome| outcome.label())
    }

    #[test]
    fn an_error_without_an_answer_is_one() {
        for (body, expected) in [
            (r#"{"error":{"message":"m","code":429}}"#, "rate_limited"),
            (r#"{"error":{"message":"m"},"data":null}"#, "server_error"),
            (r#"{"error":{"message":"m"},"user_id":"u"}"#, "server_error"),
            (r#"{"error":"out of memory"}"#, "server_error"),
            (
                r#"{"error":"Unexpected endpoint or method. (POST /v1/files)"}"#,
                "unsupported",
            ),
        ] {
            assert_eq!(look(body), expected, "{body}");
        }
    }

    #[test]
    fn an_object_that_has_failed_is_none_and_neither_is_part_of_a_body() {
        for body in [
            r#"{"id":"ftjob-1","error":{"code":"invalid_training_file"}}"#,
            r#"{"data":[{"url":"u"}],"error":{"message":"one of two failed"}}"#,
            r#"{"text":"say \"error\""}"#,
            r#"{"error":null}"#,
            r#"{"error":{}}"#,
            r#"{"error":false}"#,
            r#"{"error":{"message":"#,
            r#"[{"error":{"message":"m"}}]"#,
            "",
        ] {
            assert_eq!(look(body), "ok", "{body}");
        }
    }

    #[test]
    fn an_event_is_an_error_by_its_name_its_type_or_its_object() {
        for (text, expected) in [
            (
                "event: error\ndata: {\"message\":\"m\"}\n\n",
                "server_error",
            ),
            ("event: error\ndata: no JSON\n\n", "server_error"),
            (
                "data: {\"type\":\"error\",\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n",
                "rate_limited",
            ),
            (
                "data: {\"type\":\"error\",\"code\":\"429\"}\n\n",
                "rate_limited",
            ),
            ("data: {\"error\":{\"message\":\"m\"}}\n\n", "server_error"),
            (
                "data: {\"type\":\"image_generation.completed\",\"error\":null}\n\n",
                "ok",
            ),
            ("data: {\"delta\":\"an error\"}\n\n", "ok"),
            (": error\n\n", "ok"),
            ("data: [DONE]\n\n", "ok"),
        ] {
            let event = sse::event_at(text.as_bytes(), 0);
            let outcome = error_in_event(&event, None);
            assert_eq!(
                outcome.map_or("ok", |outcome| outcome.label()),
                expected,
                "{text}"
            );
        }
    }
}
