//! Conversations that end with the start of the answer (prefill), for models that would take it for history.

use serde_json::{Map, Value};

use super::request_body::{Message, Said};
use crate::catalogue::Prefill;
use crate::dialect::conversation::continue_prompt;

/// Writes a prefill so that the upstream continues it.
pub(super) fn put_prefill(
    messages: &mut Vec<Message>,
    fields: &mut Map<String, Value>,
    prefill: Prefill,
) {
    let Some(last) = messages
        .last_mut()
        .filter(|last| last.role == "assistant" && last.tool_calls.is_empty())
    else {
        return;
    };
    match prefill {
        Prefill::Trailing => {}
        Prefill::Prefix => last.prefix = true,
        Prefill::Vllm => {
            fields.insert("continue_final_message".to_owned(), true.into());
            fields.insert("add_generation_prompt".to_owned(), false.into());
        }
        Prefill::None => {
            let prompt = match &last.content {
                Some(Said::Text(text)) => continue_prompt(text),
                Some(Said::Parts(_)) | None => continue_prompt(""),
            };
            messages.push(Message::text("user", prompt));
        }
    }
}
