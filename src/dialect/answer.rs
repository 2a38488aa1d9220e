//! Whether a body that came with 200 really is an answer.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::finish::{Finish, finish};
use super::openai::classify_inner;
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;

/// Checks a whole body: `Ok` if it answers the request, else the outcome that it stands for.
pub fn inspect(
    endpoint: Endpoint,
    body: &[u8],
    retry_after: Option<Duration>,
) -> Result<(), Outcome> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Outcome::InvalidReply(Defect::Empty));
    }
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|_| Outcome::InvalidReply(Defect::Unparsable))?;
    if let Some(error) = answer.error {
        return Err(classify_inner(error, retry_after));
    }
    let has_answer = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => {
            if let Some(choices) = answer.choices.filter(|choices| has_failed(choices)) {
                return Err(failure(choices, retry_after));
            }
            has_entries(answer.choices)
        }
        Endpoint::Embeddings => has_entries(answer.data),
        // `output` may be empty if the answer was cut short; `status` says so.
        Endpoint::Responses => {
            has_entries(answer.output)
                || matches!(answer.status, Some("incomplete" | "in_progress" | "queued"))
        }
        // A message may have no content if `stop_reason` says why.
        Endpoint::Messages => {
            has_entries(answer.content)
                || answer
                    .stop_reason
                    .is_some_and(|reason| reason != "end_turn")
        }
        Endpoint::CountTokens => answer.input_tokens.is_some(),
        Endpoint::Realtime | Endpoint::Other => true,
    };
    if has_answer {
        Ok(())
    } else if answer.code.is_some() && answer.message.is_some() {
        // Some providers put code and message at the top level, with 200.
        serde_json::from_slice(body).map_or(Err(Outcome::InvalidReply(Defect::NoAnswer)), |error| {
            Err(classify_inner(error, retry_after))
        })
    } else {
        Err(Outcome::InvalidReply(Defect::NoAnswer))
    }
}

/// The part of a choice that shows whether it failed.
#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

fn choices(choices: &RawValue) -> Vec<Choice<'_>> {
    serde_json::from_str(choices.get()).unwrap_or_default()
}

fn has_failed(list: &RawValue) -> bool {
    choices(list).iter().any(|choice| {
        let reason = choice.finish_reason.as_deref().unwrap_or_default();
        finish(reason) == Finish::Failed
    })
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
}

pub(super) fn has_entries(list: Option<&RawValue>) -> bool {
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
        inspect(endpoint, body.as_bytes(), None).map_or_else(|outcome| outcome.label(), |()| "ok")
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
