//! Whether a body that came with 200 really is an answer.

use std::time::Duration;

use serde_json::value::RawValue;

use super::choices::Choices;
use super::conversation::End;
use super::errors::classify_inner;
use super::{said, usage};
use crate::event::Tokens;
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;
use crate::wire::json::{Broken, Field, Reader, Wanted, pick};

/// What is known of a whole answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inspected {
    /// Whether nothing is said in it, without a reason for that.
    pub(super) is_silent: bool,
    /// What it costs.
    pub(super) tokens: Option<Tokens>,
}

/// Checks a whole body that came with 200: what is known of it if it answers the request, else the outcome that it stands
/// for.
pub(super) fn inspect(
    endpoint: Endpoint,
    body: &[u8],
    retry_after: Option<Duration>,
) -> Result<Inspected, Outcome> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Outcome::InvalidReply(Defect::Empty));
    }
    let answer: Answer<'_> = pick(body).map_err(|_| Outcome::InvalidReply(Defect::Unparsable))?;
    if let Some(error) = answer.error.get() {
        return Err(classify_inner(raw(error), retry_after));
    }
    let usage = answer.usage.get();
    let tokens = usage.and_then(|usage| usage::tokens(endpoint, usage));
    let known = |is_silent| Ok(Inspected { is_silent, tokens });
    match content(endpoint, &answer, retry_after)? {
        Content::Some => known(false),
        Content::Silent => known(true),
        // Some providers put code and message at the top level, with 200.
        Content::None if answer.code.get().is_some() && answer.message.get().is_some() => {
            let error = serde_json::from_slice(body).unwrap_or(RawValue::NULL);
            Err(classify_inner(error, retry_after))
        }
        Content::None => Err(Outcome::InvalidReply(Defect::NoAnswer)),
    }
}

/// What an answer has in it.
enum Content {
    /// Something, or a reason why there is nothing.
    Some,
    /// It is an answer, but nothing is said in it.
    Silent,
    /// It is no answer.
    None,
}

impl Content {
    fn if_there(is_there: bool) -> Self {
        match is_there {
            true => Self::Some,
            false => Self::None,
        }
    }
}

fn content(
    endpoint: Endpoint,
    answer: &Answer<'_>,
    retry_after: Option<Duration>,
) -> Result<Content, Outcome> {
    Ok(match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => {
            let choices = &answer.choices;
            if choices.have_failed() {
                return Err(failure(choices.error, retry_after));
            }
            if endpoint == Endpoint::ChatCompletions && choices.say_nothing() {
                return Ok(Content::Silent);
            }
            Content::if_there(choices.are_there())
        }
        Endpoint::Embeddings => Content::if_there(has_entries(answer.data)),
        // `output` may be empty if the answer was cut short; `status` says so.
        Endpoint::Responses => {
            let output = answer.output.get();
            match answer.status.text().as_deref() {
                Some("incomplete" | "in_progress" | "queued") => Content::Some,
                Some("completed") if output.is_some_and(|output| !said::in_list(output)) => {
                    Content::Silent
                }
                _ => Content::if_there(output.is_some_and(said::in_list)),
            }
        }
        // A message may have no content if `stop_reason` says why.
        Endpoint::Messages => {
            let has_said = answer.content.get().map(said::in_list);
            match answer.stop_reason.text().as_deref().and_then(End::of) {
                Some(End::Failed) => return Err(Outcome::ServerError { status: 500 }),
                Some(end) if has_said == Some(false) && !end.explains_silence() => Content::Silent,
                Some(_) if has_said == Some(false) => Content::Some,
                _ => Content::if_there(has_said == Some(true)),
            }
        }
        Endpoint::CountTokens => Content::if_there(answer.input_tokens.get().is_some()),
        Endpoint::Realtime | Endpoint::Other => Content::Some,
    })
}

/// The outcome of the choice that failed, if it names one.
fn failure(error: Option<&str>, retry_after: Option<Duration>) -> Outcome {
    match error {
        Some(error) => classify_inner(raw(error), retry_after),
        None => Outcome::ServerError { status: 500 },
    }
}

fn raw(value: &str) -> &RawValue {
    serde_json::from_str(value).unwrap_or(RawValue::NULL)
}

/// The fields of an answer, of whatever API, that show whether it is one.
#[derive(Debug, Default)]
struct Answer<'a> {
    error: Field<'a>,
    choices: Choices<'a>,
    data: Field<'a>,
    output: Field<'a>,
    content: Field<'a>,
    stop_reason: Field<'a>,
    input_tokens: Field<'a>,
    code: Field<'a>,
    message: Field<'a>,
    status: Field<'a>,
    usage: Field<'a>,
}

impl<'a> Wanted<'a> for Answer<'a> {
    fn field(&mut self, name: &str) -> Option<&mut Field<'a>> {
        Some(match name {
            "error" => &mut self.error,
            "data" => &mut self.data,
            "output" => &mut self.output,
            "content" => &mut self.content,
            "stop_reason" => &mut self.stop_reason,
            "input_tokens" => &mut self.input_tokens,
            "code" => &mut self.code,
            "message" => &mut self.message,
            "status" => &mut self.status,
            "usage" => &mut self.usage,
            _ => return None,
        })
    }

    fn read(&mut self, name: &str, reader: &mut Reader<'a>) -> Result<bool, Broken> {
        let is_theirs = name == "choices";
        if is_theirs {
            self.choices.read(reader)?;
        }
        Ok(is_theirs)
    }
}

fn has_entries(list: Field<'_>) -> bool {
    let list = list.get().and_then(|list| list.strip_prefix('['));
    list.is_some_and(|rest| !rest.trim_start().starts_with(']'))
}

#[cfg(test)]
mod tests {
    use super::inspect;
    use crate::request::Endpoint;

    fn look(endpoint: Endpoint, body: &str) -> &'static str {
        match inspect(endpoint, body.as_bytes(), None) {
            Ok(inspected) if inspected.is_silent => "no_answer",
            Ok(_) => "ok",
            Err(outcome) => outcome.label(),
        }
    }

    #[test]
    fn an_answer_is_told_from_what_only_looks_like_one() {
        let chat = Endpoint::ChatCompletions;
        assert_eq!(
            look(chat, r#"{"choices":[{"index":0}],"error":null}"#),
            "ok"
        );
        assert_eq!(look(chat, "\n\n"), "empty_reply");
        assert_eq!(look(chat, "<html>"), "unparsable_reply");
        assert_eq!(look(chat, r#"{"choices":[{"ind"#), "unparsable_reply");
        assert_eq!(look(chat, r#"{"choices":[ ]}"#), "no_answer");
        let failed = r#"{"choices":[{"finish_reason":"error","message":{"content":"Hal"}}]}"#;
        assert_eq!(look(chat, failed), "server_error");
        let slow = r#"{"choices":[{"finish_reason":"error","error":{"code":429,"message":"m"}}]}"#;
        assert_eq!(look(chat, slow), "rate_limited");
        assert_eq!(look(chat, "{}"), "no_answer");
        for (reason, outcome) in [
            ("stop", "no_answer"),
            ("tool_calls", "no_answer"),
            ("length", "ok"),
            ("SAFETY", "ok"),
            (
                "function_call_filter: MALFORMED_FUNCTION_CALL",
                "server_error",
            ),
        ] {
            let silent = format!(
                r#"{{"choices":[{{"finish_reason":"{reason}","message":{{"role":"assistant","content":""}}}}]}}"#
            );
            assert_eq!(look(chat, &silent), outcome, "{reason}");
            assert_eq!(
                look(chat, &silent.replace(":\"\"", ":\"x\"")).replace("server_error", ""),
                if outcome == "server_error" { "" } else { "ok" }
            );
        }
        let plain = r#"{"choices":[{"finish_reason":"stop","text":""}]}"#;
        assert_eq!(look(Endpoint::Completions, plain), "ok");
        assert_eq!(look(chat, plain), "no_answer");
        assert_eq!(look(chat, &plain.replace(":\"\"", ":\"x\"")), "ok");
        assert_eq!(
            look(chat, r#"{"error":{"type":"server_error"}}"#),
            "server_error"
        );
        assert_eq!(
            look(
                chat,
                r#"{"code":"rpm_rate_limit_exceeded","message":"m","choices":null}"#
            ),
            "rate_limited"
        );
        assert_eq!(
            look(Endpoint::Embeddings, r#"{"data":[{"embedding":[]}]}"#),
            "ok"
        );
    }

    #[test]
    fn a_message_may_lack_content_only_if_its_reason_says_why() {
        for (reason, outcome) in [
            ("end_turn", "no_answer"),
            ("tool_use", "no_answer"),
            ("max_tokens", "ok"),
            ("refusal", "ok"),
            ("stop_sequence", "ok"),
        ] {
            let silent =
                format!(r#"{{"content":[{{"type":"text","text":""}}],"stop_reason":"{reason}"}}"#);
            assert_eq!(look(Endpoint::Messages, &silent), outcome, "{reason}");
            let empty = format!(r#"{{"content":[],"stop_reason":"{reason}"}}"#);
            assert_eq!(look(Endpoint::Messages, &empty), outcome, "{reason}");
        }
    }

    #[test]
    fn a_response_may_lack_output_only_if_its_status_says_why() {
        let responses = Endpoint::Responses;
        assert_eq!(
            look(
                responses,
                r#"{"status":"completed","error":null,"output":[{}]}"#
            ),
            "ok"
        );
        assert_eq!(
            look(responses, r#"{"status":"incomplete","output":[]}"#),
            "ok"
        );
        assert_eq!(
            look(responses, r#"{"status":"completed","output":[]}"#),
            "no_answer"
        );
        assert_eq!(
            look(
                responses,
                r#"{"status":"failed","error":{"code":"server_error","message":"m"}}"#
            ),
            "server_error"
        );
    }
}
