//! How hard a model is asked to reason in a chat.

use crate::config::Efforts;
use crate::dialect::next::conversation::{Api, Effort, Thinking};
use crate::request::calls_tools_unthinking;

/// Prefixes of the names of models that accept an effort in a chat.
const TAKE_EFFORT: [&str; 7] = ["o1", "o3", "o4", "gpt-5", "gpt-6", "gemini-2.5", "gemini-3"];
/// Parts of the names of their relatives that accept none.
const TAKE_NONE: [&str; 3] = ["-chat", "o1-mini", "o1-preview"];

/// The effort to ask for, and whether that differs from what the client has asked for.
pub(super) fn effort(
    thinking: &Thinking,
    origin: Api,
    model: &str,
    efforts: Efforts,
    has_tools: bool,
) -> (Option<Effort>, bool) {
    let wanted = wanted(thinking);
    let name = model.rsplit('/').next().unwrap_or(model);
    // Claude Code asks for reasoning always; whoever names an effort in `OpenAI`'s words knows the model.
    let is_taken = origin != Api::Messages || takes_effort(name);
    let asked = match (efforts, wanted.filter(|_| is_taken)) {
        (Efforts::NoneWithTools, _) if is_taken && has_tools && calls_tools_unthinking(name) => {
            Some(Effort::None)
        }
        (Efforts::Three, Some(Effort::None)) | (_, None) => None,
        (Efforts::Three, Some(Effort::Minimal)) => Some(Effort::Low),
        (Efforts::Three, Some(effort)) => Some(effort.min(Effort::High)),
        (Efforts::Any | Efforts::NoneWithTools, Some(effort)) if origin == Api::Messages => {
            Some(effort.min(Effort::High))
        }
        (Efforts::Any | Efforts::NoneWithTools, Some(effort)) => Some(effort),
    };
    // Another level keeps the meaning; no level, or `none`, does not.
    let is_lost = match (wanted, asked) {
        (Some(wanted), Some(asked)) => asked == Effort::None && wanted != Effort::None,
        (Some(_), None) => true,
        (None, _) => false,
    };
    (asked, is_lost)
}

fn wanted(thinking: &Thinking) -> Option<Effort> {
    match thinking.is_on {
        // As hard as it is used to.
        Some(false) => None,
        Some(true) => {
            let by_budget = thinking.budget.map(Effort::of_budget);
            by_budget.or(thinking.effort).or(Some(Effort::Medium))
        }
        None => thinking
            .effort
            .or_else(|| thinking.budget.map(Effort::of_budget)),
    }
}

fn takes_effort(name: &str) -> bool {
    TAKE_EFFORT.iter().any(|begin| name.starts_with(begin))
        && !TAKE_NONE.iter().any(|part| name.contains(part))
}
