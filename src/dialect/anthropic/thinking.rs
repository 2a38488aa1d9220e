//! How much a model is to reason.

use serde_json::{Value, json};

use super::request::Draft;
use crate::catalogue::Thinking;

/// The smallest budget that is accepted.
const LEAST: u64 = 1024;

/// The budget of tokens for reasoning, within an answer of at most `most` tokens; `None`: there are too few.
pub(super) fn budget(effort: &str, most: u64) -> Option<u64> {
    let budget = match effort {
        "minimal" => LEAST,
        "low" => 2048,
        "medium" => 8192,
        _ => 16_384,
    };
    Some(budget.min(most / 2)).filter(|budget| *budget >= LEAST)
}

/// The effort that is closest to a budget.
pub fn effort_of_budget(budget: u64) -> &'static str {
    match budget {
        ..4096 => "low",
        4096..16_384 => "medium",
        _ => "high",
    }
}

impl Draft<'_> {
    /// Asks for reasoning, as far as the rest of the request allows it.
    pub(super) fn think(&mut self) {
        let Some(effort) = self.body["reasoning_effort"]
            .as_str()
            .filter(|effort| *effort != "none")
        else {
            return;
        };
        let is_forced = self
            .out
            .get("tool_choice")
            .is_some_and(|choice| choice["type"] == "any" || choice["type"] == "tool");
        let messages = self.out.get("messages").and_then(Value::as_array);
        let is_begun = messages
            .and_then(|messages| messages.last())
            .is_some_and(|last| last["role"] == "assistant");
        // The reasoning behind tool calls in the history is lost, and so is that before a prefill.
        if is_forced || is_begun || self.has_calls {
            self.drop("reasoning_effort");
            return;
        }
        match self.model.thinking {
            Thinking::Never => self.drop("reasoning_effort"),
            Thinking::Adaptive => {
                let effort = self.model.efforts.closest(effort);
                self.put(
                    "thinking",
                    json!({ "type": "adaptive", "display": "summarized" }),
                );
                self.put("output_config", json!({ "effort": effort }));
                self.leave_sampling();
            }
            Thinking::Budget => self.think_within_budget(effort),
        }
    }

    fn think_within_budget(&mut self, effort: &str) {
        let most = self
            .out
            .get("max_tokens")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let Some(budget) = budget(effort, most) else {
            self.drop("reasoning_effort");
            return;
        };
        self.put(
            "thinking",
            json!({ "type": "enabled", "budget_tokens": budget }),
        );
        self.leave_sampling();
    }

    /// A model that reasons accepts no sampling parameters.
    fn leave_sampling(&mut self) {
        for field in ["temperature", "top_k", "top_p"] {
            if self.out.remove(field).is_some() {
                self.drop(field);
            }
        }
    }
}
