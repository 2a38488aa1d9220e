//! Whether a whole answer says anything: a text, a call, a refusal, sound, a thought that can be read.
//!
//! Whatever is not known to be empty counts: to take an answer for none costs another one.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Whether a value is there, and more than an empty text, list or object.
pub(super) fn is_filled(raw: &RawValue) -> bool {
    let text = raw.get();
    let inner = text
        .strip_prefix(['[', '{'])
        .and_then(|inner| inner.strip_suffix([']', '}']));
    !matches!(text, "null" | "\"\"") && inner.is_none_or(|inner| !inner.trim().is_empty())
}

/// Whether the message of a chat says anything.
pub(super) fn in_message(message: &RawValue) -> bool {
    let fields: HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(message.get()).unwrap_or_default();
    let mut said = fields.iter().filter(|(name, _)| *name != "role");
    said.any(|(_, value)| is_filled(value))
}

/// Whether the output of a response says anything.
pub(super) fn in_output(output: Option<&RawValue>) -> bool {
    parts(output).iter().any(Part::has_said)
}

/// Whether the content of a message of Anthropic's says anything.
pub(super) fn in_blocks(content: Option<&RawValue>) -> bool {
    parts(content).iter().any(Part::has_said)
}

fn parts(list: Option<&RawValue>) -> Vec<Part<'_>> {
    let list = list.map_or("[]", RawValue::get);
    serde_json::from_str(list).unwrap_or_default()
}

/// An item of an output, a block, or a part of one.
#[derive(Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
}

impl Part<'_> {
    /// Nobody can read encrypted thoughts. Other parts say something by their type.
    pub(super) fn has_said(&self) -> bool {
        let is_said = |raw: Option<&RawValue>| raw.is_some_and(is_filled);
        match self.kind.as_deref().unwrap_or_default() {
            "message" => parts(self.content).iter().any(Self::has_said),
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
    use serde_json::value::RawValue;

    use super::{in_blocks, in_message, in_output};

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

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
            assert_eq!(in_message(&raw(text)), has_said, "{text}");
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
            assert_eq!(in_output(Some(&raw(text))), has_said, "{text}");
        }
        for (text, has_said) in [
            (
                r#"[{"type":"text","text":""},{"type":"redacted_thinking","data":"x"}]"#,
                false,
            ),
            (r#"[{"type":"thinking","thinking":"hm"}]"#, true),
            (r#"[{"type":"tool_use"}]"#, true),
        ] {
            assert_eq!(in_blocks(Some(&raw(text))), has_said, "{text}");
        }
    }
}
