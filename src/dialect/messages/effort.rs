//! How much a model is to reason.

use serde_json::Value;

use crate::dialect::anthropic::effort_of_budget;
use crate::request::calls_tools_unthinking;

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

/// Prefixes of the names of models that accept an effort in a chat.
const TAKE_EFFORT: [&str; 6] = ["o1", "o3", "o4", "gpt-5", "gemini-2.5", "gemini-3"];

/// The effort to ask this model for; `None`: it accepts none.
pub(super) fn asked_of(model: &str, has_tools: bool, effort: &'static str) -> Option<&'static str> {
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_asked = TAKE_EFFORT.iter().any(|begin| name.starts_with(begin));
    let knows_no_effort = ["-chat", "o1-mini", "o1-preview"];
    if !is_asked || knows_no_effort.iter().any(|part| name.contains(part)) {
        return None;
    }
    if has_tools && calls_tools_unthinking(name) {
        return Some("none");
    }
    Some(effort)
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
