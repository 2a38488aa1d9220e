//! Adapting a Messages request to a Claude model that is the fallback of another Claude model: what they accept has
//! changed from one generation to the next.
//!
//! Only what must change does: every other value stays byte for byte.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::provider_state::{is_reasoning, is_whole, leave_thoughts};
use super::turns::Turns;
use crate::catalogue::{Facts, Sampling, Thinking, Unthinking, claude_facts};
use crate::dialect::adapt::fields::{self, read, replace};
use crate::dialect::adapt::schemas;
use crate::dialect::conversation::fields::object;
use crate::dialect::conversation::{Effort, continue_prompt, plain_id};
use crate::dialect::messages::budget_within;
use crate::wire::json::Fields;

/// The body of a request, adapted to this model, and the fields that were dropped; `None`: nothing had to change.
/// `max_output`: the most tokens that its answer may have.
pub fn adapt(body: &[u8], model: &str, max_output: Option<u32>) -> Option<(Bytes, Vec<String>)> {
    let mut request = Request {
        fields: serde_json::from_slice(body).ok()?,
        model: claude_facts(model),
        dropped: Vec::new(),
        is_changed: false,
    };
    request.limit(max_output);
    request.repair();
    // Providers that copy the API have models with other names, which do not show what they accept.
    if model.contains("claude") {
        request.think();
        request.name_effort();
        request.leave_sampling();
        request.instruct();
        request.begin();
    }
    let body = request.is_changed.then_some(&request.fields)?;
    Some((serde_json::to_vec(body).ok()?.into(), request.dropped))
}

/// A request while it is adapted.
struct Request<'a> {
    fields: Fields<'a>,
    model: Facts,
    dropped: Vec<String>,
    is_changed: bool,
}

impl Request<'_> {
    fn get(&self, field: &str) -> Value {
        read(&self.fields, field).unwrap_or_default()
    }

    /// The `output_config`: an effort, and the format of the answer.
    fn config(&self) -> Map<String, Value> {
        object(self.get("output_config"))
    }

    fn put(&mut self, field: &'static str, value: impl serde::Serialize) {
        self.is_changed |= fields::put(&mut self.fields, field, &value);
    }

    fn drop(&mut self, field: &str) {
        let is_set = |value: &Cow<'_, RawValue>| value.get() != "null";
        if self.fields.shift_remove(field).as_ref().is_some_and(is_set) {
            self.dropped.push(field.to_owned());
            self.is_changed = true;
        }
    }

    /// A limit above the model's largest answer is an error.
    fn limit(&mut self, largest: Option<u32>) {
        let most = self.get("max_tokens").as_u64();
        if let (Some(most), Some(largest)) = (most, largest)
            && most > u64::from(largest)
        {
            self.put("max_tokens", largest);
        }
    }

    /// Puts in order what would be refused: calls and their results in the history, and the schemas of tools.
    fn repair(&mut self) {
        if is_whole(&self.fields) {
            self.change_turns(|turns| {
                turns.repair(plain_id);
            });
        }
        self.is_changed |= replace(&mut self.fields, "tools", schemas::of_message);
    }

    fn change_turns(&mut self, change: impl FnOnce(&mut Turns<'_>)) {
        self.is_changed |= replace(&mut self.fields, "messages", |messages| {
            let mut turns = Turns::read(messages)?;
            change(&mut turns);
            turns.written()
        });
    }

    fn think(&mut self) {
        let thinking = self.get("thinking");
        match (thinking["type"].as_str(), self.model.thinking) {
            (Some(asked @ ("disabled" | "between_tools")), _) => self.stay_quiet(asked),
            (Some("adaptive" | "enabled"), Thinking::Never) => self.stop_thinking(),
            (Some("adaptive"), Thinking::Budget) => self.think_within_budget(thinking),
            (Some("enabled"), _) if self.model.takes_budget => self.fit_budget(thinking),
            (Some("enabled"), _) => self.think_freely(thinking),
            _ => {}
        }
    }

    /// Keeps it from thinking, as far as it can be kept.
    fn stay_quiet(&mut self, asked: &str) {
        let least = match self.model.unthinking {
            Unthinking::Disabled => "disabled",
            Unthinking::BetweenTools => "between_tools",
            Unthinking::Never => {
                self.drop("thinking");
                let mut config = self.config();
                config.entry("effort").or_insert_with(|| "low".into());
                return self.put("output_config", config);
            }
        };
        if asked != least {
            self.put("thinking", json!({ "type": least }));
        }
    }

    fn stop_thinking(&mut self) {
        self.drop("thinking");
        let mut management = self.get("context_management");
        if management.is_object() {
            leave_thoughts(&mut management);
            self.put("context_management", management);
        }
    }

    /// Replaces an effort by a budget.
    fn think_within_budget(&mut self, mut thinking: Value) {
        let config = self.config();
        let effort = config.get("effort").and_then(Value::as_str);
        let effort = effort.unwrap_or(USUAL_EFFORT);
        let budget = budget(effort, self.most()).filter(|_| self.may_think());
        let Some(budget) = budget else {
            self.stop_thinking();
            return;
        };
        thinking["type"] = "enabled".into();
        thinking["budget_tokens"] = budget.into();
        self.put("thinking", thinking);
        if !self.model.efforts.is_known() {
            // The budget expresses it.
            self.take_effort();
        }
        for field in SAMPLING {
            self.drop(field);
        }
    }

    /// Lowers a budget that the limit of the answer does not allow.
    fn fit_budget(&mut self, mut thinking: Value) {
        if !self.is_changed || thinking["budget_tokens"].as_u64() < Some(self.most()) {
            return;
        }
        match budget(USUAL_EFFORT, self.most()) {
            Some(budget) => {
                thinking["budget_tokens"] = budget.into();
                self.put("thinking", thinking);
            }
            None => self.stop_thinking(),
        }
    }

    /// Replaces a budget by an effort. With a budget, reasoning is shown by default; with an effort, that must be
    /// asked for.
    fn think_freely(&mut self, mut thinking: Value) {
        let fields = thinking.as_object_mut();
        let budget = fields.and_then(|fields| fields.shift_remove("budget_tokens"));
        thinking["type"] = "adaptive".into();
        if thinking["display"].is_null() {
            thinking["display"] = "summarized".into();
        }
        self.put("thinking", thinking);
        let mut config = self.config();
        if let Some(budget) = budget.and_then(|budget| budget.as_u64()) {
            let effort = config.entry("effort");
            effort.or_insert_with(|| Effort::of_budget(budget).name().into());
            self.put("output_config", config);
        }
    }

    /// Whether it may use a budget: not if it must call a tool, continues a prefill, or has called tools in this turn
    /// without reasoning.
    fn may_think(&self) -> bool {
        let choice = self.get("tool_choice");
        let is_forced = choice["type"] == "any" || choice["type"] == "tool";
        let messages = self.get("messages");
        let turns = messages.as_array().map_or(&[][..], Vec::as_slice);
        let is_answer = |turn: &&Value| turn["role"] == "assistant";
        let is_begun = turns.last().is_some_and(|turn| is_answer(&turn));
        let messages = self.fields.get("messages");
        let turns = messages.and_then(|messages| Turns::read(messages));
        let has_called_without = turns.is_some_and(|turns| turns.has_called_without(is_reasoning));
        !is_forced && !is_begun && !has_called_without
    }

    /// The most tokens that the answer may have; a request to count tokens has no such limit.
    fn most(&self) -> u64 {
        self.get("max_tokens").as_u64().unwrap_or(u64::MAX)
    }

    fn name_effort(&mut self) {
        let mut config = self.config();
        let Some(asked) = config.get("effort").and_then(Value::as_str) else {
            return;
        };
        let Some(named) = self.model.efforts.closest(asked) else {
            self.take_effort();
            self.dropped.push("output_config.effort".to_owned());
            return;
        };
        if named != asked {
            config.insert("effort".to_owned(), named.into());
            self.put("output_config", config);
        }
    }

    /// Removes the effort from the configuration, and the configuration if nothing else is in it.
    fn take_effort(&mut self) {
        let mut config = self.config();
        if config.shift_remove("effort").is_none() {
            return;
        }
        if config.is_empty() {
            self.fields.shift_remove("output_config");
            self.is_changed = true;
        } else {
            self.put("output_config", config);
        }
    }

    fn leave_sampling(&mut self) {
        if self.model.sampling != Sampling::Always {
            for field in SAMPLING {
                self.drop(field);
            }
        } else if !self.model.takes_both && !self.get("temperature").is_null() {
            self.drop("top_p");
        }
    }

    /// Handles messages of the system: `role 'system' is not supported on this model`.
    fn instruct(&mut self) {
        if !self.model.takes_system_amid {
            self.change_turns(|turns| {
                turns.instruct_by_user();
            });
        }
    }

    /// Handles a prefill. The newer models reject it, because they answer only to a user's message. A message in
    /// which the provider's own tools were used can be continued by all models.
    fn begin(&mut self) {
        if self.model.takes_prefill {
            return;
        }
        let turns = read(&self.fields, "messages");
        let mut turns: Vec<Box<RawValue>> = turns.unwrap_or_default();
        let last = turns.last().map_or("null", |last| last.get());
        let last = serde_json::from_str(last).unwrap_or_default();
        if let Some(prefill) = prefill_of(&last)
            && let Ok(turn) =
                to_raw_value(&json!({ "role": "user", "content": continue_prompt(&prefill) }))
        {
            turns.push(turn);
            self.put("messages", turns);
        }
    }
}

/// The text of a message that is a prefill.
fn prefill_of(turn: &Value) -> Option<String> {
    if turn["role"] != "assistant" {
        return None;
    }
    match &turn["content"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(blocks) => blocks.iter().map(|block| block["text"].as_str()).collect(),
        _ => None,
    }
}

/// The budget of tokens that stands for an effort, within an answer of at most `most` tokens; `None`: there are too few.
fn budget(effort: &str, most: u64) -> Option<u64> {
    budget_within(most, Effort::of(effort).unwrap_or(Effort::High).budget())
}

/// Fields that the newer models reject.
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// The effort that is the default.
const USUAL_EFFORT: &str = "high";

#[cfg(test)]
mod tests;
