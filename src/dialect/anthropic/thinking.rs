//! How hard a model is to think.

use serde_json::{Value, json};

use super::model::Thinking;
use super::request::Draft;

impl Draft<'_> {
    /// Thinking, as far as it goes together with the rest.
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
        // The thoughts behind calls in the history are not there any more, nor those before a beginning.
        if is_forced || is_begun || self.has_calls {
            self.drop("reasoning_effort");
            return;
        }
        match self.model.thinking() {
            Thinking::Never => self.drop("reasoning_effort"),
            Thinking::Adaptive => {
                let effort = match effort {
                    "minimal" => "low",
                    "xhigh" if !self.model.takes_extra_effort() => "high",
                    effort => effort,
                };
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
        let budget = match effort {
            "minimal" => 1024,
            "low" => 2048,
            "medium" => 8192,
            _ => 16_384,
        }
        .min(most / 2);
        if budget < 1024 {
            self.drop("reasoning_effort");
            return;
        }
        self.put(
            "thinking",
            json!({ "type": "enabled", "budget_tokens": budget }),
        );
        self.leave_sampling();
    }

    /// Who thinks takes no other sampling than its own.
    fn leave_sampling(&mut self) {
        for field in ["temperature", "top_k", "top_p"] {
            if self.out.remove(field).is_some() {
                self.drop(field);
            }
        }
    }
}
