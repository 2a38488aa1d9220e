//! The chunks of chats and plain completions, as far as supervision reads them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::dialect::said::is_filled;
use crate::wire::json::Fields;

#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

impl<'a> Chunk<'a> {
    /// What the answer costs, if it says so.
    pub(super) fn usage(&self) -> Option<&'a RawValue> {
        self.usage.filter(|usage| is_filled(usage))
    }
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    pub(super) finish_reason: Option<Cow<'a, str>>,
    delta: Option<Delta>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

impl Choice<'_> {
    /// Whatever is not known to be empty counts as content. To take a preamble for content costs a missed failover;
    /// to take content for a preamble could repeat or lose part of an answer.
    pub(super) fn has_content(&self) -> bool {
        self.text.is_some_and(is_filled) || self.delta.as_ref().is_some_and(|delta| delta.is_filled)
    }

    /// Whether it has thoughts, be they empty.
    pub(super) fn thinks(&self) -> bool {
        self.delta.as_ref().is_some_and(|delta| delta.thinks)
    }
}

/// The same chunk as an event without its error; `None`: nothing else is in it that matters.
pub(super) fn without_error(data: &[u8]) -> Option<Vec<u8>> {
    let mut chunk: Fields<'_> = serde_json::from_slice(data).ok()?;
    chunk.shift_remove("error")?;
    chunk.get("usage").filter(|usage| is_filled(usage))?;
    let mut event = b"data: ".to_vec();
    serde_json::to_writer(&mut event, &chunk).ok()?;
    event.extend_from_slice(b"\n\n");
    Some(event)
}

/// Whether a delta has anything but a role. Its fields are checked while they are parsed, and none is kept, because
/// this happens for every event.
struct Delta {
    is_filled: bool,
    thinks: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DeltaField {
    Role,
    #[serde(alias = "reasoning", alias = "reasoning_details", alias = "thinking")]
    ReasoningContent,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DeltaVisitor)
    }
}

struct DeltaVisitor;

impl<'de> Visitor<'de> for DeltaVisitor {
    type Value = Delta;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Delta, M::Error> {
        let mut delta = Delta {
            is_filled: false,
            thinks: false,
        };
        while let Some((field, value)) = map.next_entry::<DeltaField, &'de RawValue>()? {
            delta.is_filled |= !matches!(field, DeltaField::Role) && is_filled(value);
            // Some servers give every model this field, and `null` in it to those that do not think.
            delta.thinks |= matches!(field, DeltaField::ReasoningContent) && value.get() != "null";
        }
        Ok(delta)
    }
}
