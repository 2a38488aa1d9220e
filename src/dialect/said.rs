//! Whether a whole answer says anything: a text, a call, a refusal, sound, a thought that can be read.
//!
//! Whatever is not known to be empty counts: to take an answer for none costs another one.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::json::{Broken, Reader};

/// Whether a value is there, and more than an empty text, list or object.
pub(super) fn is_filled(value: &RawValue) -> bool {
    has_some(value.get().as_bytes())
}

/// The same for a value as it was written.
pub(super) fn has_some(value: &[u8]) -> bool {
    match value {
        b"null" | b"\"\"" => false,
        [b'[' | b'{', inner @ .., b']' | b'}'] => !inner.trim_ascii().is_empty(),
        _ => true,
    }
}

/// Whether the message of a chat, which comes next, says anything.
pub(super) fn in_message(message: &mut Reader<'_>) -> Result<bool, Broken> {
    let mut says_something = false;
    if !message.is_at(b'{') {
        message.skip()?;
        return Ok(false);
    }
    message.object(|reader, name| {
        let value = reader.bytes()?;
        says_something |= name != b"role" && has_some(value);
        Ok(())
    })?;
    Ok(says_something)
}

/// Whether a list says anything: the output of a response, or the content of a message of Anthropic's.
pub(super) fn in_list(list: &str) -> bool {
    let parts: Vec<Part<'_>> = serde_json::from_str(list).unwrap_or_default();
    parts.iter().any(Part::has_said)
}

/// An item of an output, a block, or a part of one.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Part<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Option<Cow<'a, str>>,
    content: Option<&'a RawValue>,
    summary: Option<&'a RawValue>,
    text: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
}

impl Part<'_> {
    /// Nobody can read encrypted thoughts. Other parts say something by their type.
    pub(super) fn has_said(&self) -> bool {
        let is_said = |raw: Option<&RawValue>| raw.is_some_and(is_filled);
        match self.kind.as_deref().unwrap_or_default() {
            "message" => self.content.is_some_and(|list| in_list(list.get())),
            "text" | "output_text" | "reasoning_text" | "summary_text" => is_said(self.text),
            "reasoning" => is_said(self.summary) || is_said(self.content),
            "thinking" => is_said(self.thinking),
            "redacted_thinking" => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, in_list, in_message};

    #[test]
    fn what_says_nothing_is_known() {
        for (text, has_said) in [
            (
                r#"{"role":"assistant","content":"","refusal":null,"annotations":[ ],"tool_calls":[]}"#,
                false,
            ),
            (r#"{"content":null,"reasoning_content":"hm"}"#, true),
            (r#"{"content":{"a":1}}"#, true),
            (r#"{"audio":{"id":"a"}}"#, true),
        ] {
            let mut message = Reader::new(text.as_bytes());
            assert_eq!(in_message(&mut message), Ok(has_said), "{text}");
        }
        for (text, has_said) in [
            ("[]", false),
            (
                r#"[{"type":"message","content":[]},{"type":"message","content":[{"type":"output_text","text":""}]}]"#,
                false,
            ),
            (
                r#"[{"type":"reasoning","summary":[],"encrypted_content":"x"}]"#,
                false,
            ),
            (
                r#"[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]"#,
                true,
            ),
            (r#"[{"type":"function_call"}]"#, true),
            ("[{}]", true),
        ] {
            assert_eq!(in_list(text), has_said, "{text}");
        }
        for (text, has_said) in [
            (
                r#"[{"type":"text","text":""},{"type":"redacted_thinking","data":"x"}]"#,
                false,
            ),
            (r#"[{"type":"thinking","thinking":"hm"}]"#, true),
            (r#"[{"type":"tool_use"}]"#, true),
        ] {
            assert_eq!(in_list(text), has_said, "{text}");
        }
    }
}
