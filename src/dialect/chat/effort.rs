//! How hard a model is asked to reason in a chat.

use crate::catalogue::{Efforts, Facts, InChats};
use crate::dialect::conversation::{Api, Effort, Thinking};

/// The effort to ask for, and whether that differs from what the client has asked for.
pub(super) fn effort(
    thinking: &Thinking,
    origin: Api,
    facts: &Facts,
    efforts: Efforts,
    has_tools: bool,
) -> (Option<Effort>, bool) {
    let wanted = wanted(thinking);
    // Claude Code asks for reasoning always; whoever names an effort in `OpenAI`'s words knows the model.
    let is_taken = origin != Api::Messages || facts.efforts.is_known();
    let asked = match (efforts, wanted.filter(|_| is_taken)) {
        (Efforts::NoneWithTools, _)
            if is_taken && has_tools && facts.in_chats == InChats::ToolsUnthinking =>
        {
            Some(Effort::None)
        }
        (Efforts::Known, Some(effort)) => {
            let closest = facts.efforts.closest(effort.name());
            closest.and_then(Effort::of)
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
