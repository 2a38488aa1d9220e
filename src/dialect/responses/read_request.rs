//! A request, read.

use serde_json::{Map, Value, json};

use super::input::Read;
use super::read_tools::{read_choice, read_tools};
use crate::dialect::conversation::fields::{
    Object, kind_of, take, take_count, take_list, take_object, take_text, take_words,
};
use crate::dialect::conversation::{
    Api, Caching, Conversation, Dropped, Echo, Effort, Field, Format, Part, Role, Sampling,
    Streaming, Thinking, Tools, Turn, Unsaid, thoughts,
};

/// Reads a request.
///
/// # Errors
/// If it needs what only its provider has, or is not a request.
pub fn read_request(body: Value) -> Result<Conversation, Unsaid> {
    let Value::Object(mut fields) = body else {
        return Err(Unsaid("an object as a request"));
    };
    refuse(&fields)?;
    let mut dropped = Dropped::nothing(Api::Responses);
    let echo = echo(&fields);
    let mut input = Read::default();
    let instructions = take_words(&mut fields, "instructions").map(Part::text);
    Turn::push(
        &mut input.turns,
        Role::System,
        instructions.into_iter().collect(),
    );
    input.read(take(&mut fields, "input"), &mut dropped)?;
    let mut text = take_object(&mut fields, "text");
    text.extend(input.text.unwrap_or_default());
    let mut reasoning = take_object(&mut fields, "reasoning");
    reasoning.extend(input.reasoning.unwrap_or_default());
    let mut list = take_list(&mut fields, "tools");
    list.append(&mut input.tools);
    let tools = tools(list, &mut fields, &mut dropped)?;
    let conversation = Conversation {
        origin: Api::Responses,
        model: take_text(&mut fields, "model").unwrap_or_default(),
        turns: input.turns,
        tools,
        max_output: take_count(&mut fields, "max_output_tokens"),
        stop: Vec::new(),
        sampling: Sampling::read(&mut fields),
        thinking: thinking(reasoning, &mut dropped),
        format: format(take_object(&mut text, "format"))?,
        verbosity: take_text(&mut text, "verbosity"),
        streaming: (take(&mut fields, "stream") == true).then_some(Streaming { with_usage: true }),
        user: take_text(&mut fields, "user"),
        safety_identifier: take_text(&mut fields, "safety_identifier"),
        service_tier: take_text(&mut fields, "service_tier"),
        caching: Caching {
            key: take_text(&mut fields, "prompt_cache_key"),
            retention: take_text(&mut fields, "prompt_cache_retention"),
            automatic: None,
        },
        echo,
        dropped: drop_rest(fields, dropped),
    };
    Ok(conversation)
}

/// Refuses what only the provider has.
fn refuse(fields: &Object) -> Result<(), Unsaid> {
    let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
    for stored in ["previous_response_id", "conversation", "prompt"] {
        if has(stored) {
            return Err(Unsaid(stored));
        }
    }
    if fields
        .get("background")
        .is_some_and(|background| *background == true)
    {
        return Err(Unsaid("background"));
    }
    // Only the cache is to be filled; an answer would be paid for nothing.
    let options = fields.get("prompt_cache_options");
    if options.is_some_and(|options| options["prewarm"] == true) {
        return Err(Unsaid("prompt_cache_options.prewarm"));
    }
    let most = fields.get("top_logprobs").and_then(Value::as_u64);
    if most.is_some_and(|most| most > 0)
        || included(fields).any(|field| field == "message.output_text.logprobs")
    {
        return Err(Unsaid("logprobs"));
    }
    Ok(())
}

fn included(fields: &Object) -> impl Iterator<Item = &Value> {
    fields
        .get("include")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// What a response repeats of its request, or has to mind.
const REPEATED: [&str; 15] = [
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

fn echo(fields: &Object) -> Echo {
    let mut repeated = Map::with_capacity(REPEATED.len());
    for name in REPEATED {
        if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
            repeated.insert(name.to_owned(), value.clone());
        }
    }
    Echo {
        fields: repeated.into(),
        is_older: false,
    }
}

fn tools(list: Vec<Value>, fields: &mut Object, dropped: &mut Dropped) -> Result<Tools, Unsaid> {
    let mut tools = Tools {
        parallel: take(fields, "parallel_tool_calls").as_bool(),
        ..Tools::default()
    };
    read_tools(list, &mut tools, dropped)?;
    read_choice(take(fields, "tool_choice"), &mut tools)?;
    Ok(tools)
}

fn thinking(mut reasoning: Object, dropped: &mut Dropped) -> Thinking {
    let name = take_text(&mut reasoning, "effort");
    let effort = name.as_deref().and_then(Effort::of);
    if name.is_some() && effort.is_none() {
        dropped.field(Field::Effort);
    }
    let older = take_text(&mut reasoning, "generate_summary");
    let summary = take_text(&mut reasoning, "summary").or(older);
    dropped.rest_of("reasoning.", &reasoning);
    Thinking {
        is_on: (effort == Some(Effort::None)).then_some(false),
        effort,
        budget: None,
        is_shown: summary.is_some(),
    }
}

fn format(format: Object) -> Result<Format, Unsaid> {
    Ok(match kind_of(&format) {
        "" | "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => Format::of_schema(format),
        _ => return Err(Unsaid("text.format")),
    })
}

/// Names what is left. What is not stored anyway, and what the answer minds, is not left out.
fn drop_rest(mut fields: Object, mut dropped: Dropped) -> Dropped {
    if included(&fields).all(|field| field == thoughts::INCLUDED) {
        fields.shift_remove("include");
    }
    for (name, usual) in [
        ("background", json!(false)),
        ("store", json!(false)),
        ("store", json!(true)),
        ("top_logprobs", json!(0)),
        ("truncation", json!("disabled")),
    ] {
        if fields.get(name) == Some(&usual) {
            fields.shift_remove(name);
        }
    }
    dropped.rest(&fields);
    dropped
}
