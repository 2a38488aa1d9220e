//! Reads a chat request.

use serde_json::Value;

use super::read_messages::read_turns;
use super::read_tools::read_tools;
use crate::dialect::conversation::fields::{
    Object, list_or_one, says_something, take, take_count, take_flag, take_list, take_object,
    take_text, text,
};
use crate::dialect::conversation::{
    Api, Caching, Conversation, Dropped, Echo, Effort, Format, Sampling, Streaming, Thinking,
    Unsaid,
};

/// Reads the body of a chat request.
///
/// # Errors
///
/// It needs what no other API has.
pub fn read_request(body: Value) -> Result<Conversation, Unsaid> {
    let Value::Object(mut fields) = body else {
        return Err(Unsaid("a list of messages"));
    };
    check(&mut fields)?;
    let mut dropped = Dropped::nothing(Api::Chat);
    let Value::Array(messages) = take(&mut fields, "messages") else {
        return Err(Unsaid("a list of messages"));
    };
    let turns = read_turns(messages, &mut dropped)?;
    let (tools, is_older) = read_tools(&mut fields, &mut dropped)?;
    let mut conversation = Conversation {
        origin: Api::Chat,
        model: take_text(&mut fields, "model").unwrap_or_default(),
        turns,
        tools,
        max_output: limit(&mut fields),
        stop: stops(&mut fields),
        sampling: Sampling::read(&mut fields),
        thinking: thinking(&mut fields),
        format: format(&mut fields)?,
        verbosity: take_text(&mut fields, "verbosity"),
        streaming: streaming(&mut fields),
        user: take_text(&mut fields, "user"),
        safety_identifier: take_text(&mut fields, "safety_identifier"),
        service_tier: take_text(&mut fields, "service_tier"),
        caching: caching(&mut fields),
        echo: Echo {
            fields: Value::Null,
            is_older,
        },
        dropped,
    };
    fields.retain(|field, value| says_something(value) && !is_off(field, value));
    conversation.dropped.rest(&fields);
    Ok(conversation)
}

/// What the client would look for in the answer, and no other API has.
fn check(fields: &mut Object) -> Result<(), Unsaid> {
    if take_count(fields, "n").is_some_and(|n| n > 1) {
        return Err(Unsaid("n"));
    }
    let most = take_count(fields, "top_logprobs");
    if take_flag(fields, "logprobs") == Some(true) || most.is_some_and(|most| most > 0) {
        return Err(Unsaid("logprobs"));
    }
    let modes = take_list(fields, "modalities");
    if modes.iter().any(|mode| mode == "audio") || !take_object(fields, "audio").is_empty() {
        return Err(Unsaid("audio"));
    }
    if modes.iter().any(|mode| mode != "text") {
        return Err(Unsaid("modalities"));
    }
    if !take_object(fields, "logit_bias").is_empty() {
        return Err(Unsaid("logit_bias"));
    }
    Ok(())
}

/// Fields that have no effect with this value.
fn is_off(field: &str, value: &Value) -> bool {
    field == "store" && value == false
}

/// The newer name wins if a client sends both.
fn limit(fields: &mut Object) -> Option<u64> {
    let newer = take_count(fields, "max_completion_tokens");
    let older = take_count(fields, "max_tokens");
    newer.or(older)
}

fn stops(fields: &mut Object) -> Vec<String> {
    let given = list_or_one(take(fields, "stop")).into_iter();
    let texts = given.filter_map(text);
    texts.filter(|text| !text.is_empty()).collect()
}

/// `reasoning_effort`, and what others have beside it: `reasoning` (`OpenRouter`), `thinking` (`DeepSeek`, Zhipu, Moonshot).
fn thinking(fields: &mut Object) -> Thinking {
    let mut reasoning = take_object(fields, "reasoning");
    let mut thinking = take_object(fields, "thinking");
    let mut effort = take_effort(fields, "reasoning_effort");
    let of_router = take_effort(&mut reasoning, "effort");
    effort = effort.or(of_router);
    let switch = match thinking.get("type").and_then(Value::as_str) {
        Some("disabled") => Some(false),
        Some(_) => Some(true),
        None => None,
    };
    let budget = take_count(&mut thinking, "budget_tokens");
    Thinking {
        is_on: switch.or_else(|| take_flag(&mut reasoning, "enabled")),
        effort,
        budget: budget.or_else(|| take_count(&mut reasoning, "max_tokens")),
        is_shown: take_flag(&mut reasoning, "exclude") != Some(true),
    }
}

/// A word that is not known stays where it is.
fn take_effort(fields: &mut Object, name: &str) -> Option<Effort> {
    let effort = Effort::of(fields.get(name)?.as_str()?)?;
    take(fields, name);
    Some(effort)
}

fn format(fields: &mut Object) -> Result<Format, Unsaid> {
    let mut format = take_object(fields, "response_format");
    match format.get("type").and_then(Value::as_str) {
        None | Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => Ok(Format::of_schema(take_object(&mut format, "json_schema"))),
        Some(_) => Err(Unsaid("response_format")),
    }
}

fn streaming(fields: &mut Object) -> Option<Streaming> {
    let options = take_object(fields, "stream_options");
    let with_usage = options.get("include_usage") == Some(&Value::Bool(true));
    let is_streamed = take_flag(fields, "stream") == Some(true);
    is_streamed.then_some(Streaming { with_usage })
}

fn caching(fields: &mut Object) -> Caching {
    Caching {
        key: take_text(fields, "prompt_cache_key"),
        retention: take_text(fields, "prompt_cache_retention"),
        // As `OpenRouter` takes it.
        automatic: Some(take_object(fields, "cache_control"))
            .filter(|mark| !mark.is_empty())
            .map(Value::Object),
    }
}
