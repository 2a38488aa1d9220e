//! Writes a request.

use std::mem::{replace, take};

use super::caching;
use super::think::{JSON_ANSWER, keep_to, sample, think};
use super::wire::{Block, Message, Metadata, Request, Said};
use super::write_tools::{Shape, Toolbox};
use super::write_turns::Turns;
use crate::catalogue::Facts;
use crate::dialect::conversation::history::repair;
use crate::dialect::conversation::{
    Conversation, Dropped, Field, Format, Reading, Target, Unsaid, Written, continue_prompt,
    plain_id,
};

/// The limit of an answer if the client sets none and the model allows it.
const USUAL_ANSWER: u64 = 32_000;

/// Writes a request for a model that Anthropic's API serves.
///
/// # Errors
///
/// The feature that the API or the model lacks, in the client's words.
pub fn write_request(
    mut conversation: Conversation,
    target: &Target<'_>,
) -> Result<Written, Unsaid> {
    let facts = target.upstream.claude_facts_of(target.model);
    let mut request = Request {
        model: target.model.to_owned(),
        max_tokens: target.limit(conversation.max_output.unwrap_or(USUAL_ANSWER)),
        stream: conversation.streaming.is_some(),
        ..Request::default()
    };
    let mut dropped = replace(
        &mut conversation.dropped,
        Dropped::nothing(conversation.origin),
    );
    rest(&mut conversation, &mut request, &mut dropped);
    let is_json = conversation.format == Format::Json;
    let mut toolbox = Toolbox::of(
        conversation.tools,
        conversation.format,
        &facts,
        &mut dropped,
    )?;
    let mut turns = conversation.turns;
    repair(&mut turns, plain_id);
    let mut writer = Turns {
        names: &mut toolbox.names,
        dropped: &mut dropped,
        takes_system_amid: facts.takes_system_amid,
    };
    writer.write(turns, &mut request)?;
    if is_json {
        request.system.push(Block::text(JSON_ANSWER));
    }
    begin(&facts, &mut request);
    if request.has_calls() {
        toolbox.declare_past();
    }
    request.tools = toolbox.tools;
    request.tool_choice = toolbox.choice;
    think(&conversation.thinking, &facts, &mut request, &mut dropped);
    sample(conversation.sampling, &facts, &mut request, &mut dropped);
    let has_answer_tool = matches!(toolbox.shape, Shape::Tool);
    if let Shape::Schema(schema) = toolbox.shape {
        keep_to(schema, &mut request);
    }
    caching::put(conversation.caching, target, &mut request, &mut dropped);
    Ok(Written {
        // The keys of what is written are texts, so it cannot fail.
        body: serde_json::to_vec(&request).map_err(|_| Unsaid("this request"))?,
        reading: Reading {
            has_answer_tool,
            ..Reading::of(toolbox.names)
        },
        dropped,
    })
}

/// Handles a prefill. It must not end in white space. The newer models answer only to a user's message.
fn begin(facts: &Facts, request: &mut Request) {
    let Some(last) = request
        .messages
        .last_mut()
        .filter(|last| last.role == "assistant")
    else {
        return;
    };
    if facts.takes_prefill {
        if let Some(Said::Text { text }) = last.content.last_mut().map(|last| &mut last.said) {
            text.truncate(text.trim_end().len());
        }
        return;
    }
    let texts = last.content.iter().filter_map(|block| match &block.said {
        Said::Text { text } => Some(text.as_str()),
        _ => None,
    });
    let prompt = continue_prompt(&texts.collect::<String>());
    let content = vec![Block::text(prompt)];
    request.messages.push(Message::new("user", content));
}

/// Writes the other fields.
fn rest(conversation: &mut Conversation, request: &mut Request, dropped: &mut Dropped) {
    let stops = take(&mut conversation.stop).into_iter();
    let (stops, blank): (Vec<String>, Vec<String>) =
        stops.partition(|stop| !stop.trim().is_empty());
    request.stop_sequences = stops;
    if !blank.is_empty() {
        dropped.field(Field::Stop);
    }
    let (user, field) = match conversation.safety_identifier.take() {
        Some(user) => (Some(user), Field::SafetyIdentifier),
        None => (conversation.user.take(), Field::User),
    };
    match user {
        // It must not identify a person.
        Some(user) if user.contains('@') => dropped.field(field),
        user => request.metadata = user.map(|user_id| Metadata { user_id }),
    }
    match conversation.service_tier.as_deref() {
        Some("auto") => request.service_tier = Some("auto"),
        Some("default") => request.service_tier = Some("standard_only"),
        Some(_) => dropped.field(Field::ServiceTier),
        None => {}
    }
    if conversation.verbosity.is_some() {
        dropped.field(Field::Verbosity);
    }
}
