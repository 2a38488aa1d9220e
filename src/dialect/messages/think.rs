//! How much a model is to reason, and what that rules out.

use serde_json::{Number, Value, json};

use super::wire::{Block, Choice, Request};
use crate::catalogue::{Facts, Sampling, Thinking, Unthinking};
use crate::dialect::conversation::{Dropped, Effort, Field, Sampling as Asked, Thinking as Wanted};

/// What a client does not read is not sent: its signature alone comes back, and a thought that comes back without its text would be
/// refused (`thinking blocks in the latest assistant message cannot be modified`).
const OMITTED: &str = "omitted";

/// Asks for reasoning, as far as the rest of the request allows it.
pub(super) fn think(wanted: &Wanted, facts: &Facts, request: &mut Request, dropped: &mut Dropped) {
    if !wanted.is_asked_for() {
        if wanted.is_on == Some(false) || wanted.effort == Some(Effort::None) {
            stay_quiet(facts, request, dropped);
        }
        return;
    }
    // With adaptive thinking, earlier turns may lack their thoughts.
    let is_ruled_out = match facts.thinking {
        Thinking::Never => true,
        Thinking::Budget => rules_out(request) || has_called_without(request),
        Thinking::Adaptive => rules_out(request),
    };
    let is_asked = !is_ruled_out
        && match facts.thinking {
            Thinking::Never => false,
            Thinking::Budget => think_within_budget(wanted, request),
            Thinking::Adaptive => think_freely(wanted, facts, request),
        };
    if !is_asked {
        dropped.field(Field::Effort);
    }
}

/// Keeps a model from reasoning that would do so without being asked.
fn stay_quiet(facts: &Facts, request: &mut Request, dropped: &mut Dropped) {
    if !facts.thinks {
        return;
    }
    match facts.unthinking {
        Unthinking::Disabled => request.thinking = Some(json!({ "type": "disabled" })),
        Unthinking::BetweenTools => request.thinking = Some(json!({ "type": "between_tools" })),
        Unthinking::Never => {
            if let Some(least) = facts.efforts.closest(Effort::Low.name()) {
                request
                    .output_config
                    .insert("effort".to_owned(), least.into());
            }
            dropped.field(Field::Effort);
        }
    }
}

/// A model that reasons cannot be forced to call a tool, and does not continue an answer that has begun.
fn rules_out(request: &Request) -> bool {
    let is_forced = request.tool_choice.as_ref().is_some_and(Choice::is_forced);
    let is_begun = request
        .messages
        .last()
        .is_some_and(|last| last.role == "assistant");
    is_forced || is_begun
}

/// Whether the last calls came without their thoughts: `Expected thinking or redacted_thinking, but found tool_use`.
fn has_called_without(request: &Request) -> bool {
    let last = request
        .messages
        .iter()
        .rfind(|message| message.role == "assistant");
    last.is_some_and(|last| {
        let has_calls = last.content.iter().any(Block::is_call);
        has_calls && !last.content.first().is_some_and(Block::is_thought)
    })
}

fn think_freely(wanted: &Wanted, facts: &Facts, request: &mut Request) -> bool {
    let display = if wanted.is_shown {
        "summarized"
    } else {
        OMITTED
    };
    request.thinking = Some(json!({ "type": "adaptive", "display": display }));
    let effort = wanted
        .effort
        .or_else(|| wanted.budget.map(Effort::of_budget));
    let effort = effort.and_then(|effort| facts.efforts.closest(effort.name()));
    if let Some(effort) = effort {
        request
            .output_config
            .insert("effort".to_owned(), effort.into());
    }
    true
}

/// Whether the answer is long enough for a budget.
fn think_within_budget(wanted: &Wanted, request: &mut Request) -> bool {
    let budget = wanted
        .budget
        .unwrap_or_else(|| wanted.effort.unwrap_or(Effort::High).budget());
    let budget = budget_within(request.max_tokens, budget);
    let thinking = |budget| json!({ "type": "enabled", "budget_tokens": budget });
    request.thinking = budget.map(thinking);
    if let Some(thinking) = request.thinking.as_mut().filter(|_| !wanted.is_shown) {
        thinking["display"] = OMITTED.into();
    }
    budget.is_some()
}

/// As much of a budget of tokens for reasoning as fits into an answer of at most `most`; `None`: there are too few.
pub fn budget_within(most: u64, budget: u64) -> Option<u64> {
    // The smallest that is accepted.
    const LEAST: u64 = 1024;
    Some(budget.max(LEAST).min(most / 2)).filter(|budget| *budget >= LEAST)
}

/// Writes how the next token is chosen. Models that reason accept nothing of it, nor do the newer ones.
pub(super) fn sample(asked: Asked, facts: &Facts, request: &mut Request, dropped: &mut Dropped) {
    let thinks = request
        .thinking
        .as_ref()
        .is_some_and(|thinking| thinking["type"] != "disabled");
    let takes = facts.sampling == Sampling::Always && !thinks;
    let has_both = asked.temperature.is_some() && asked.top_p.is_some() && !facts.takes_both;
    let mut put = |value, field, takes| dropped.keep(value, field, takes);
    request.temperature = put(asked.temperature, Field::Temperature, takes).map(within_one);
    request.top_p = put(asked.top_p, Field::TopP, takes && !has_both).map(within_one);
    request.top_k = put(asked.top_k, Field::TopK, takes);
    put(asked.presence_penalty, Field::PresencePenalty, false);
    put(asked.frequency_penalty, Field::FrequencyPenalty, false);
    put(asked.seed, Field::Seed, false);
}

/// `OpenAI`'s temperatures go up to 2.
fn within_one(value: Number) -> Number {
    match value.as_f64() {
        Some(number) if number > 1.0 => 1.into(),
        Some(number) if number < 0.0 => 0.into(),
        _ => value,
    }
}

/// The instruction for an answer in JSON of any form.
pub(super) const JSON_ANSWER: &str = "Answer with one JSON object and nothing else.";

/// The form of an answer that the model keeps to by itself.
pub(super) fn keep_to(schema: Value, request: &mut Request) {
    let format = json!({ "type": "json_schema", "schema": schema });
    request.output_config.insert("format".to_owned(), format);
}
