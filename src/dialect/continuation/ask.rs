//! The request that asks for the rest of an answer.

use bytes::Bytes;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::seam::anchor;
use super::{Transcript, called};
use crate::catalogue::Prefill;
use crate::dialect::adapt::fields::{put, read};
use crate::request::{Endpoint, ModelRequest};
use crate::wire::json::{self, Fields};

/// The client's request, with the answer so far as its last message; `None` if that cannot be expressed, or if the
/// answer already has all the tokens that the client asked for. All else stays as the client wrote it.
pub fn body(
    request: &ModelRequest,
    model: Option<&str>,
    transcript: &Transcript,
    prefill: Prefill,
) -> Option<Bytes> {
    let mended = json::mended(&request.body);
    let body = mended.as_ref().unwrap_or(&request.body);
    let mut body: Fields<'_> = serde_json::from_slice(body).ok()?;
    if let Some(model) = model {
        put(&mut body, "model", model);
    }
    match request.endpoint {
        // The client has no word of the text yet, so all of it is asked for.
        Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::Responses
            if transcript.starts_anew() =>
        {
            return written(&body);
        }
        Endpoint::ChatCompletions => ask(&mut body, "messages", transcript, prefill)?,
        Endpoint::Messages => ask_claude(&mut body, transcript, prefill)?,
        Endpoint::Completions => {
            let prompt: String = read(&body, "prompt")?;
            put(&mut body, "prompt", &format!("{prompt}{}", transcript.text));
        }
        Endpoint::Responses => {
            if let Some(text) = read::<String>(&body, "input") {
                let question = json!([{ "role": "user", "content": text }]);
                put(&mut body, "input", &question);
            }
            ask(&mut body, "input", transcript, prefill)?;
        }
        _ => return None,
    }
    // Without a prefill the reply may repeat the text so far; the splicer counts only what is new.
    if prefill != Prefill::None || request.endpoint == Endpoint::Completions {
        reduce_limits(&mut body, transcript.tokens)?;
    }
    written(&body)
}

fn written(body: &Fields<'_>) -> Option<Bytes> {
    serde_json::to_vec(body).ok().map(Bytes::from)
}

/// Puts the answer so far at the end of a conversation, followed by an instruction to continue where one is needed.
fn ask(
    body: &mut Fields<'_>,
    list: &'static str,
    transcript: &Transcript,
    prefill: Prefill,
) -> Option<()> {
    // Some providers reject a prefill that ends in white space.
    let text = transcript.text.trim_end();
    let mut messages: Vec<Box<RawValue>> = read(body, list)?;
    if transcript.has_calls() {
        let (turns, choice) = called::turns(transcript.endpoint, &transcript.turns)?;
        messages.extend(turns);
        put(body, "tool_choice", &choice);
    }
    let mut answer = json!({ "role": "assistant", "content": text });
    if prefill == Prefill::Prefix {
        answer["prefix"] = true.into();
    }
    messages.push(to_raw_value(&answer).ok()?);
    match prefill {
        Prefill::Trailing | Prefill::Prefix => {}
        Prefill::None => {
            let asked = json!({ "role": "user", "content": instruction(text) });
            messages.push(to_raw_value(&asked).ok()?);
        }
        Prefill::Vllm => {
            put(body, "continue_final_message", &true);
            put(body, "add_generation_prompt", &false);
        }
    }
    put(body, list, &messages);
    Some(())
}

/// The same in Anthropic's API, which has one way for a prefill; where that is translated, the upstream's own way is found.
fn ask_claude(body: &mut Fields<'_>, transcript: &Transcript, prefill: Prefill) -> Option<()> {
    let is_prefill = prefill != Prefill::None;
    if is_prefill || transcript.has_calls() {
        // A message that begins with text cannot be thought about first, nor goes one on without its thoughts.
        body.shift_remove("thinking");
    }
    let prefill = if is_prefill {
        Prefill::Trailing
    } else {
        Prefill::None
    };
    ask(body, "messages", transcript, prefill)
}

fn instruction(text: &str) -> String {
    format!(
        "Your last message was cut off by a lost connection. Continue it from exactly where it stops, in the same \
         language, style and format, as if nothing had happened. Begin by repeating its last words verbatim, without \
         quotation marks, and then go on. Do not comment on this and do not start over. Its last words are: {}",
        anchor(text)
    )
}

/// Subtracts the tokens so far from the limits.
fn reduce_limits(body: &mut Fields<'_>, so_far: u64) -> Option<()> {
    for limit in LIMITS {
        if let Some(most) = read::<u64>(body, limit) {
            let left = most.checked_sub(so_far).filter(|left| *left > 0)?;
            put(body, limit, &left);
        }
    }
    Some(())
}

/// The names of the field that limits the tokens of an answer.
pub(super) const LIMITS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

#[cfg(test)]
mod tests {
    use super::instruction;

    #[test]
    fn a_model_is_asked_for_the_rest_as_it_would_have_gone_on() {
        let text = instruction("Once upon a time");
        for part in [
            "exactly where it stops",
            "same language, style and format",
            "Its last words are: Once upon a time",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
