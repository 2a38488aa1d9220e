//! Whether a body that came with 200 really is an answer.

use std::time::Duration;

use serde_json::value::RawValue;

use super::choices::Choices;
use super::conversation::End;
use super::errors::{classify_inner, failure};
use super::said;
use super::usage::Counted;
use crate::event::Tokens;
use crate::outcome::{Defect, Outcome};
use crate::request::Endpoint;
use crate::wire::json::{Broken, Field, Reader, Wanted, pick, wanted};

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
    let fields = &answer.fields;
    if let Some(error) = fields.error.get() {
        return Err(classify_inner(raw(error), retry_after));
    }
    let tokens = answer.usage.tokens(endpoint);
    let known = |is_silent| Ok(Inspected { is_silent, tokens });
    match content(endpoint, &answer, retry_after)? {
        Content::Some => known(false),
        Content::Silent => known(true),
        // Some providers put code and message at the top level, with 200.
        Content::None if fields.code.get().is_some() && fields.message.get().is_some() => {
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
    let Answer {
        fields, choices, ..
    } = answer;
    Ok(match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => {
            if choices.have_failed() {
                return Err(failure(choices.error.map(raw), retry_after));
            }
            if endpoint == Endpoint::ChatCompletions && choices.say_nothing() {
                return Ok(Content::Silent);
            }
            Content::if_there(choices.are_there())
        }
        Endpoint::Embeddings => Content::if_there(has_entries(fields.data)),
        // `output` may be empty if the answer was cut short; `status` says so.
        Endpoint::Responses => {
            let output = fields.output.get();
            match fields.status.text().as_deref() {
                Some("incomplete" | "in_progress" | "queued") => Content::Some,
                Some("completed") if output.is_some_and(|output| !said::in_list(output)) => {
                    Content::Silent
                }
                _ => Content::if_there(output.is_some_and(said::in_list)),
            }
        }
        // A message may have no content if `stop_reason` says why.
        Endpoint::Messages => {
            let has_said = fields.content.get().map(said::in_list);
            match fields.stop_reason.text().as_deref().and_then(End::of) {
                Some(End::Failed) => return Err(failure(None, retry_after)),
                Some(end) if has_said == Some(false) && !end.explains_silence() => Content::Silent,
                Some(_) if has_said == Some(false) => Content::Some,
                _ => Content::if_there(has_said == Some(true)),
            }
        }
        Endpoint::CountTokens => Content::if_there(fields.input_tokens.get().is_some()),
        Endpoint::Realtime | Endpoint::Other => Content::Some,
    })
}

fn raw(value: &str) -> &RawValue {
    serde_json::from_str(value).unwrap_or(RawValue::NULL)
}

wanted!(
    /// The fields of an answer, of whatever API, that show whether it is one.
    Fields:
    error, data, output, content, stop_reason, input_tokens, code, message, status
);

/// The same, the choices of a chat, and what it costs.
#[derive(Debug, Default)]
struct Answer<'a> {
    fields: Fields<'a>,
    choices: Choices<'a>,
    usage: Counted<'a>,
}

impl<'a> Wanted<'a> for Answer<'a> {
    fn field(&mut self, name: &[u8]) -> Option<&mut Field<'a>> {
        self.fields.field(name)
    }

    fn read(&mut self, name: &[u8], reader: &mut Reader<'a>) -> Result<bool, Broken> {
        match name {
            b"choices" => self.choices.read(reader)?,
            b"usage" => self.usage.read(reader)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn has_entries(list: Field<'_>) -> bool {
    let list = list.get().and_then(|list| list.strip_prefix('['));
    list.is_some_and(|rest| !rest.trim_start().starts_with(']'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::inspect;
    use crate::request::Endpoint;

    fn look(endpoint: Endpoint, body: &str) -> &'static str {
        match inspect(endpoint, body.as_bytes(), None) {
            Ok(inspected) if inspected.is_silent => "no_answer",
            Ok(_) => "ok",
            Err(outcome) => outcome.label(),
        }
    }

    /// Checks a table: in each line what is seen, and the body.
    fn check(endpoint: Endpoint, table: &str) {
        for line in table.trim().lines() {
            let (seen, body) = line.trim_start().split_once(' ').unwrap();
            assert_eq!(look(endpoint, body), seen, "{line}");
        }
    }

    #[test]
    fn an_answer_is_told_from_what_only_looks_like_one() {
        let chat = Endpoint::ChatCompletions;
        assert_eq!(look(chat, "\n\n"), "empty_reply");
        check(
            chat,
            r#"
            ok {"choices":[{"index":0}],"error":null}
            unparsable_reply <html>
            unparsable_reply {"choices":[{"ind
            no_answer {"choices":[ ]}
            server_error {"choices":[{"finish_reason":"error","message":{"content":"Hal"}}]}
            rate_limited {"choices":[{"finish_reason":"error","error":{"code":429,"message":"m"}}]}
            no_answer {}
            no_answer {"choices":[{"finish_reason":"stop","text":""}]}
            ok {"choices":[{"finish_reason":"stop","text":"x"}]}
            server_error {"error":{"type":"server_error"}}
            rate_limited {"code":"rpm_rate_limit_exceeded","message":"m","choices":null}
            "#,
        );
        let silent = r#"{"choices":[{"finish_reason":"stop","text":""}]}"#;
        assert_eq!(look(Endpoint::Completions, silent), "ok");
        let embedded = r#"{"data":[{"embedding":[]}]}"#;
        assert_eq!(look(Endpoint::Embeddings, embedded), "ok");
        let slip = "function_call_filter: MALFORMED_FUNCTION_CALL";
        for (reason, silent, said) in [
            ("stop", "no_answer", "ok"),
            ("tool_calls", "no_answer", "ok"),
            ("length", "ok", "ok"),
            ("SAFETY", "ok", "ok"),
            (slip, "server_error", "server_error"),
        ] {
            for (text, seen) in [("", silent), ("x", said)] {
                let message = json!({ "role": "assistant", "content": text });
                let choice = json!({ "finish_reason": reason, "message": message });
                let body = json!({ "choices": [choice] }).to_string();
                assert_eq!(look(chat, &body), seen, "{reason} {text}");
            }
        }
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
        check(
            Endpoint::Responses,
            r#"
            ok {"status":"completed","error":null,"output":[{}]}
            ok {"status":"incomplete","output":[]}
            no_answer {"status":"completed","output":[]}
            server_error {"status":"failed","error":{"code":"server_error","message":"m"}}
            "#,
        );
    }
}
