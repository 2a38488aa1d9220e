//! How much a model is to reason.

use serde_json::Value;

use crate::catalogue::{InChats, facts};
use crate::dialect::anthropic::effort_of_budget;

/// The effort that a request asks for; `None`: none.
pub(super) fn effort(body: &Value) -> Option<&'static str> {
    let asked = body["output_config"]["effort"].as_str();
    let asked = asked.map(|effort| match effort {
        "low" => "low",
        "high" | "xhigh" | "max" => "high",
        _ => "medium",
    });
    match body["thinking"]["type"].as_str() {
        Some("enabled") => {
            let budget = body["thinking"]["budget_tokens"].as_u64();
            Some(budget.map_or("high", effort_of_budget))
        }
        Some("adaptive") => asked.or(Some("medium")),
        Some(_) => None,
        None => asked,
    }
}

/// The effort to ask this model for; `None`: it accepts none.
pub(super) fn asked_of(model: &str, has_tools: bool, effort: &'static str) -> Option<&'static str> {
    let facts = facts(model);
    let effort = facts.efforts.closest(effort)?;
    match facts.in_chats {
        InChats::ToolsUnthinking if has_tools => Some("none"),
        InChats::All | InChats::ToolsUnthinking | InChats::NoTools | InChats::Nothing => {
            Some(effort)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::asked_of;

    #[test]
    fn only_models_that_can_be_asked_are() {
        for (model, has_tools, asked) in [
            ("o3", true, Some("low")),
            ("openai/gpt-5", true, Some("low")),
            ("gpt-5.4-mini", false, Some("low")),
            ("gpt-5.4-mini", true, Some("none")),
            ("gpt-5.10", true, Some("none")),
            ("gpt-5-chat-latest", false, None),
            ("deepseek-r1", false, None),
            ("gpt-4o", false, None),
        ] {
            assert_eq!(asked_of(model, has_tools, "low"), asked, "{model}");
        }
    }
}
