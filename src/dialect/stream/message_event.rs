//! The events of Anthropic's Messages, as far as supervision reads them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::shape::{Kind, is_text};
use crate::dialect::conversation::End;
use crate::dialect::messages::{error_kind, in_words};

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct MessageEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    pub(super) error: Option<&'a RawValue>,
    content_block: Option<Piece<'a>>,
    delta: Option<Piece<'a>>,
    /// When the message begins.
    message: Option<&'a RawValue>,
    /// When it ends.
    usage: Option<&'a RawValue>,
}

/// The message as it begins.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Message<'a> {
    usage: Option<&'a RawValue>,
}

/// A block that starts, or an addition to one.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Piece<'a> {
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    text: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
    partial_json: Option<&'a RawValue>,
    stop_reason: Option<&'a RawValue>,
}

impl<'a> MessageEvent<'a> {
    /// Whether it is part of the answer. The start of a text or of reasoning is still empty, and nobody can read a
    /// signature or redacted reasoning; any other block has content by its type.
    pub(super) fn is_content(&self) -> bool {
        match &*self.kind {
            "content_block_delta" => self.delta.as_ref().is_none_or(|delta| {
                delta.kind.as_deref() != Some("signature_delta") && !delta.is_empty()
            }),
            "content_block_start" => self.content_block.as_ref().is_none_or(|block| {
                !matches!(
                    block.kind.as_deref(),
                    Some("text" | "thinking" | "redacted_thinking")
                ) || block.has_text()
            }),
            // A refusal may come without text.
            "message_delta" => self.end().is_some_and(|end| end.explains_silence()),
            "message_start" | "content_block_stop" | "ping" => false,
            _ => true,
        }
    }

    /// What is different in the next event of the same kind, if it adds a text.
    pub(super) fn changing(&self) -> Option<(Kind, &'a str)> {
        let others = [self.error, self.message, self.usage];
        let is_addition = self.kind == "content_block_delta"
            && self.content_block.is_none()
            && others.iter().all(Option::is_none);
        let delta = self.delta.as_ref().filter(|_| is_addition)?;
        let ((Some(text), None, None, None)
        | (None, Some(text), None, None)
        | (None, None, Some(text), None)) = (
            delta.text,
            delta.thinking,
            delta.partial_json,
            delta.stop_reason,
        )
        else {
            return None;
        };
        let is_read = delta.kind.as_deref() != Some("signature_delta");
        (is_read && is_text(text)).then_some((Kind::Text, text.get()))
    }

    /// What the answer costs, as far as it says so.
    pub(super) fn usage(&self) -> Option<&'a RawValue> {
        let begun = || {
            let message: Message<'a> = serde_json::from_str(self.message?.get()).ok()?;
            message.usage
        };
        self.usage.or_else(begun)
    }

    /// Why the answer ends, if it does.
    pub(super) fn end(&self) -> Option<End> {
        let reason = self.delta.as_ref()?.stop_reason?;
        End::of(reason.get().trim_matches('"'))
    }

    /// Whether it belongs to reasoning, or to the work of a tool of the upstream's own: silence may follow.
    pub(super) fn thinks(&self) -> bool {
        let kind = |piece: &Option<Piece<'a>>| -> Option<bool> {
            let kind = piece.as_ref()?.kind.as_deref()?;
            Some(matches!(
                kind,
                "thinking"
                    | "redacted_thinking"
                    | "thinking_delta"
                    | "signature_delta"
                    | "server_tool_use"
                    | "mcp_tool_use"
            ))
        };
        kind(&self.content_block).or_else(|| kind(&self.delta)) == Some(true)
    }
}

impl Piece<'_> {
    fn has_text(&self) -> bool {
        let mut texts = [self.text, self.thinking].into_iter().flatten();
        texts.any(|text| text.get() != "\"\"")
    }

    /// Whether it adds a text that is known to be empty.
    fn is_empty(&self) -> bool {
        let text = self.text.or(self.thinking).or(self.partial_json);
        text.is_some_and(|text| text.get() == "\"\"")
    }
}

/// The error event that ends a broken stream. `error` is an error object in `OpenAI`'s shape or in Anthropic's; its
/// type decides whether clients retry.
pub(super) fn interruption(error: &serde_json::Value) -> Vec<u8> {
    let mut reported = error.as_object().cloned().unwrap_or_default();
    reported.insert("type".to_owned(), error_kind(error).into());
    let event = json!({ "type": "error", "error": in_words(reported.into()) });
    format!("event: error\ndata: {event}\n\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::interruption;

    fn reported(error: &Value) -> Value {
        let event = String::from_utf8(interruption(error)).unwrap();
        let data = event.strip_prefix("event: error\ndata: ").unwrap();
        serde_json::from_str(data).unwrap()
    }

    #[test]
    fn an_error_keeps_its_kind() {
        for (kind, code, expected) in [
            ("server_error", "stream_interrupted", "api_error"),
            ("upstream_error", "all_upstreams_failed", "api_error"),
            (
                "overloaded_error",
                "all_upstreams_failed",
                "overloaded_error",
            ),
            (
                "rate_limit_error",
                "rate_limit_exceeded",
                "rate_limit_error",
            ),
            (
                "invalid_request_error",
                "model_not_found",
                "not_found_error",
            ),
            ("invalid_request_error", "invalid", "invalid_request_error"),
            ("billing_error", "", "billing_error"),
            ("timeout_error", "", "timeout_error"),
            ("unheard_of", "", "api_error"),
        ] {
            let reported = reported(&json!({"type": kind, "code": code, "message": "gone"}));
            assert_eq!(reported["type"], "error");
            assert_eq!(reported["error"]["type"], expected, "{kind} {code}");
            let message = match expected {
                "api_error" => "Internal server error: gone",
                _ => "gone",
            };
            assert_eq!(reported["error"]["message"], message);
        }
        let without = reported(&json!({"message": "gone"}));
        assert_eq!(without["error"]["type"], "api_error");
    }
}
