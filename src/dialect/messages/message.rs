//! The parts of a message, as they are written.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::dialect::conversation::{Api, Asked, Begin, CallHead, End, Signature, Usage, thoughts};

/// A block that may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Open {
    #[default]
    None,
    Text,
    Refusal,
    Thinking,
    Call,
}

impl Open {
    /// A block of this kind at its beginning; that of a call says more.
    pub(super) fn block(self) -> Value {
        match self {
            Self::Thinking => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            Self::None | Self::Text | Self::Refusal | Self::Call => {
                json!({ "type": "text", "text": "" })
            }
        }
    }
}

/// A message at its beginning. It names the model that the client asked for: Claude Code sends back the signed thoughts of
/// that model's answers alone.
pub(super) fn message(asked: &Asked, begin: Begin) -> Value {
    let model = match asked.model.is_empty() {
        true => begin.model,
        false => asked.model.clone(),
    };
    json!({
        "id": id(&begin.id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": counts(None),
    })
}

/// Anthropic's ids have a prefix of their own. They name one message each, and Claude Code makes one message of those with the
/// same id. Short ids come again: Ollama draws one of 999, and others always say the same.
fn id(id: &str) -> String {
    let bare = ["chatcmpl-", "resp_", "msg_"]
        .into_iter()
        .find_map(|prefix| id.strip_prefix(prefix))
        .unwrap_or(id);
    match bare.len() {
        0 => format!("msg_{:016x}", fastrand::u64(..)),
        1..16 => format!("msg_{bare}_{:016x}", fastrand::u64(..)),
        16.. => format!("msg_{bare}"),
    }
}

/// A call, whose input follows.
pub(super) fn call(head: CallHead) -> Value {
    json!({ "type": "tool_use", "id": head.id, "name": head.tool.name, "input": {} })
}

/// A thought that nobody can read.
pub(super) fn redacted(signature: &Signature) -> Value {
    json!({ "type": "redacted_thinking", "data": sealed(signature) })
}

/// The signature of another API's provider is sealed, so that it finds back.
pub(super) fn sealed(signature: &Signature) -> Cow<'_, str> {
    match signature.of {
        Api::Messages => Cow::Borrowed(&signature.data),
        Api::Chat | Api::Responses => Cow::Owned(thoughts::seal(signature)),
    }
}

/// The reason, and the text that ended it.
pub(super) fn stop(end: End, has_refused: bool) -> (&'static str, Option<String>) {
    match end {
        End::Limit => ("max_tokens", None),
        End::Filtered => ("refusal", None),
        _ if has_refused => ("refusal", None),
        End::Calls => ("tool_use", None),
        End::Stop(text) if !text.is_empty() => ("stop_sequence", Some(text)),
        // A failure is told as an error instead.
        End::Whole | End::Stop(_) | End::Failed => ("end_turn", None),
    }
}

/// The usage: cached tokens are counted separately.
pub(super) fn counts(usage: Option<Usage>) -> Value {
    let usage = usage.unwrap_or_default();
    // Grok at Azure counts among the cached what is no part of the prompt: its own instructions.
    let cached = usage.cached.min(usage.input);
    let uncached = usage.input - cached;
    // Some tell the same tokens as written and as read.
    let written = usage.written.min(uncached);
    let mut counts = json!({
        "input_tokens": uncached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.output,
    });
    if usage.reasoning > 0 {
        counts["output_tokens_details"] = json!({ "thinking_tokens": usage.reasoning });
    }
    counts
}
