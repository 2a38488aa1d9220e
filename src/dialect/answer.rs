//! Whether a body that came with 200 really is an answer.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::conversation::End;
use super::errors::classify_inner;
use super::{said, usage};
use crate::event::Tokens;
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;

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
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|_| Outcome::InvalidReply(Defect::Unparsable))?;
    if let Some(error) = answer.error {
        return Err(classify_inner(error, retry_after));
    }
    let tokens = answer
        .usage
        .and_then(|usage| usage::tokens(endpoint, usage));
    let silent = Ok(Inspected {
        is_silent: true,
        tokens,
    });
    let has_answer = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => {
            if let Some(choices) = answer.choices.filter(|choices| has_failed(choices)) {
                return Err(failure(choices, retry_after));
            }
            if endpoint == Endpoint::ChatCompletions && says_nothing(answer.choices) {
                return silent;
            }
            has_entries(answer.choices)
        }
        Endpoint::Embeddings => has_entries(answer.data),
        // `output` may be empty if the answer was cut short; `status` says so.
        Endpoint::Responses => match answer.status {
            Some("incomplete" | "in_progress" | "queued") => true,
            Some("completed") if answer.output.is_some() && !said::in_output(answer.output) => {
                return silent;
            }
            _ => said::in_output(answer.output),
        },
        // A message may have no content if `stop_reason` says why.
        Endpoint::Messages => match answer.stop_reason.and_then(End::of) {
            Some(End::Failed) => return Err(Outcome::ServerError { status: 500 }),
            Some(end) if answer.content.is_some() && !said::in_blocks(answer.content) => {
                if !end.explains_silence() {
                    return silent;
                }
                true
            }
            _ => said::in_blocks(answer.content),
        },
        Endpoint::CountTokens => answer.input_tokens.is_some(),
        Endpoint::Realtime | Endpoint::Other => true,
    };
    if has_answer {
        Ok(Inspected {
            is_silent: false,
            tokens,
        })
    } else if answer.code.is_some() && answer.message.is_some() {
        // Some providers put code and message at the top level, with 200.
        serde_json::from_slice(body).map_or(Err(Outcome::InvalidReply(Defect::NoAnswer)), |error| {
            Err(classify_inner(error, retry_after))
        })
    } else {
        Err(Outcome::InvalidReply(Defect::NoAnswer))
    }
}

/// The part of a choice that shows whether it failed, and whether it says anything.
#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    /// Some servers answer chats in the words of `/completions`.
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Choice<'_> {
    fn end(&self) -> Option<End> {
        End::of(self.finish_reason.as_deref()?)
    }

    /// Whether it has ended, has nothing in it, and does not say why.
    fn says_nothing(&self) -> bool {
        let is_empty = self
            .message
            .is_none_or(|message| !said::in_message(message));
        let is_empty = is_empty && !self.text.is_some_and(said::is_filled);
        is_empty && self.end().is_some_and(|end| !end.explains_silence())
    }
}

fn choices(choices: &RawValue) -> Vec<Choice<'_>> {
    serde_json::from_str(choices.get()).unwrap_or_default()
}

fn has_failed(list: &RawValue) -> bool {
    let is_failed = |choice: &Choice<'_>| choice.end() == Some(End::Failed);
    choices(list).iter().any(is_failed)
}

fn says_nothing(list: Option<&RawValue>) -> bool {
    let choices = list.map(choices).unwrap_or_default();
    !choices.is_empty() && choices.iter().all(Choice::says_nothing)
}

/// The outcome of the choice that failed, if it names one.
fn failure(list: &RawValue, retry_after: Option<Duration>) -> Outcome {
    let error = choices(list).into_iter().find_map(|choice| choice.error);
    match error {
        Some(error) => classify_inner(error, retry_after),
        None => Outcome::ServerError { status: 500 },
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    stop_reason: Option<&'a str>,
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    status: Option<&'a str>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

fn has_entries(list: Option<&RawValue>) -> bool {
    list.is_some_and(|list| {
        list.get()
            .strip_prefix('[')
            .is_some_and(|rest| !rest.trim_start().starts_with(']'))
    })
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
