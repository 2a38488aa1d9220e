//! Reads a request.

use serde_json::Value;

use super::read_blocks::{mark, read_turns};
use super::read_tools::read_tools;
use crate::dialect::conversation::fields::{
    Object, object, take, take_count, take_number, take_object, take_text, take_texts, text,
};
use crate::dialect::conversation::{
    Api, Caching, Conversation, Dropped, Echo, Effort, Format, Part, Role, Sampling, Streaming,
    Thinking, Turn, Unsaid,
};

/// Claude Code puts a line in front that is meant for Anthropic's accounting, and would spoil the caches of others.
const BILLING: &str = "x-anthropic-billing-header";

/// Reads a request; it is untranslatable if it needs what only Anthropic has.
///
/// # Errors
///
/// The feature that no other API has, in the client's words.
pub fn read_request(body: Value) -> Result<Conversation, Unsaid> {
    let Value::Object(mut body) = body else {
        return Err(Unsaid("a list of messages"));
    };
    let fields = &mut body;
    let mut dropped = Dropped::nothing(Api::Messages);
    refuse(fields)?;
    let mut turns = instructions(take(fields, "system"));
    let Value::Array(messages) = take(fields, "messages") else {
        return Err(Unsaid("a list of messages"));
    };
    read_turns(messages, &mut turns, &mut dropped)?;
    let tools = read_tools(fields, &mut dropped)?;
    let (format, effort) = shape(fields, &mut dropped);
    let thinking = thinking(take(fields, "thinking"), effort);
    let mut metadata = take_object(fields, "metadata");
    let max_output = take_count(fields, "max_tokens");
    if max_output == Some(0) {
        // It warms Anthropic's cache, and wants no answer.
        return Err(Unsaid("max_tokens of 0"));
    }
    let mut conversation = Conversation {
        origin: Api::Messages,
        model: take_text(fields, "model").unwrap_or_default(),
        turns,
        tools,
        max_output,
        stop: take_texts(fields, "stop_sequences"),
        sampling: Sampling {
            temperature: take_number(fields, "temperature"),
            top_p: take_number(fields, "top_p"),
            top_k: take_number(fields, "top_k"),
            ..Sampling::default()
        },
        thinking,
        format,
        verbosity: None,
        streaming: (take(fields, "stream") == true).then_some(Streaming { with_usage: true }),
        user: take_text(&mut metadata, "user_id"),
        safety_identifier: None,
        service_tier: take_text(fields, "service_tier").map(tier),
        caching: Caching {
            automatic: mark(take(fields, "cache_control")),
            ..Caching::default()
        },
        echo: Echo::default(),
        dropped,
    };
    conversation.dropped.rest(fields);
    Ok(conversation)
}

/// Refuses what only Anthropic has.
fn refuse(fields: &mut Object) -> Result<(), Unsaid> {
    let mut has = |name: &str| {
        let value = take(fields, name);
        !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
    };
    if has("container") || has("mcp_servers") {
        return Err(Unsaid("containers and MCP servers"));
    }
    // A summary is wanted, which Claude signs; an answer would be paid for nothing.
    if has("compaction") {
        return Err(Unsaid("compaction"));
    }
    // Only the provider knows the conversation so far.
    let thread = fields.get("thread");
    if thread.is_some_and(|thread| !thread["previous_message_id"].is_null()) {
        return Err(Unsaid("thread"));
    }
    Ok(())
}

/// The instructions at the beginning.
fn instructions(system: Value) -> Vec<Turn> {
    let mut parts = Vec::new();
    let mut add = |content: Option<String>, cache: Option<Value>| {
        if let Some(content) =
            content.filter(|content| !content.is_empty() && !content.starts_with(BILLING))
        {
            let part = Part::text(content);
            parts.push(Part { cache, ..part });
        }
    };
    match system {
        Value::Array(blocks) => {
            for mut block in blocks.into_iter().map(object) {
                let cache = mark(take(&mut block, "cache_control"));
                add(take_text(&mut block, "text"), cache);
            }
        }
        system => add(text(system), None),
    }
    let mut turns = Vec::new();
    Turn::push(&mut turns, Role::System, parts);
    turns
}

/// The form of the answer, and the effort.
fn shape(fields: &mut Object, dropped: &mut Dropped) -> (Format, Option<Effort>) {
    let mut config = take_object(fields, "output_config");
    let named = take_text(&mut config, "effort");
    let effort = named.as_deref().and_then(Effort::of);
    if named.is_some() && effort.is_none() {
        dropped.named("output_config.effort");
    }
    let older = take(fields, "output_format");
    let format = match take(&mut config, "format") {
        Value::Null => older,
        format => format,
    };
    dropped.rest_of("output_config.", &config);
    let mut format = object(format);
    let format = match take(&mut format, "schema") {
        schema @ Value::Object(_) => Format::Schema {
            name: None,
            description: None,
            schema,
            // Anthropic's always keep to it.
            strict: Some(true),
        },
        _ => Format::Text,
    };
    (format, effort)
}

fn thinking(thinking: Value, effort: Option<Effort>) -> Thinking {
    let mut thinking = object(thinking);
    let is_on = match thinking.get("type").and_then(Value::as_str) {
        Some("enabled" | "adaptive") => Some(true),
        // It thinks as little as it can.
        Some("disabled" | "between_tools") => Some(false),
        _ => None,
    };
    let is_omitted = take(&mut thinking, "display") == "omitted";
    Thinking {
        is_on,
        effort,
        budget: take_count(&mut thinking, "budget_tokens"),
        is_shown: is_on == Some(true) && !is_omitted,
    }
}

/// The tier in `OpenAI`'s words.
fn tier(tier: String) -> String {
    match tier.as_str() {
        "standard_only" => "default".to_owned(),
        _ => tier,
    }
}
