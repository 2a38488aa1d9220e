//! The chunks of chats and plain completions, as far as supervision reads them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::shape::{Kind, is_text, string};
use crate::dialect::said::is_filled;
use crate::wire::json::Fields;

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Chunk<'a> {
    pub(super) error: Option<&'a RawValue>,
    pub(super) choices: Option<Vec<Choice<'a>>>,
    usage: Option<&'a RawValue>,
    /// What makes events of different texts equally long: `OpenAI`'s name for it, and Mistral's.
    obfuscation: Option<&'a RawValue>,
    p: Option<&'a RawValue>,
}

impl<'a> Chunk<'a> {
    /// What is different in the next chunk, if this one adds to one choice, in one place, and nothing else is in it that matters.
    pub(super) fn changing(&self) -> Option<impl Iterator<Item = (Kind, &'a str)> + use<'a>> {
        let [choice] = self.choices.as_deref()? else {
            return None;
        };
        let ends = choice.finish_reason.as_deref().unwrap_or_default();
        if !ends.is_empty() || self.error.is_some() {
            return None;
        }
        let added = match (choice.text, choice.delta.as_ref()) {
            (Some(text), None) => Added::One(text),
            (None, Some(delta)) => delta.added,
            _ => return None,
        };
        let Added::One(added) = added else {
            return None;
        };
        let text = match is_text(added) {
            true => (Kind::Text, added.get()),
            false => (Kind::Filler, arguments_in(added.get())?),
        };
        let fillers = [self.obfuscation, self.p].into_iter().flatten();
        let fillers = fillers.map(|filler| (Kind::Filler, filler.get()));
        Some(fillers.chain([text]))
    }

    /// What the answer costs, if it says so.
    pub(super) fn usage(&self) -> Option<&'a RawValue> {
        self.usage.filter(|usage| is_filled(usage))
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Choice<'a> {
    /// Its number, as it is written.
    index: Option<&'a RawValue>,
    pub(super) finish_reason: Option<Cow<'a, str>>,
    delta: Option<Delta<'a>>,
    text: Option<&'a RawValue>,
}

impl Choice<'_> {
    /// Which of the answers it is; some write no number.
    pub(super) fn name(&self) -> &str {
        self.index.map_or("", RawValue::get)
    }

    /// Whatever is not known to be empty counts as content. To take a preamble for content costs a missed failover;
    /// to take content for a preamble could repeat or lose part of an answer.
    pub(super) fn has_content(&self) -> bool {
        self.text.is_some_and(is_filled) || self.delta.as_ref().is_some_and(Delta::is_filled)
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

/// The arguments of a call within its addition, with their quotes. Quotes within a string are escaped, so only the value of
/// a field that ends with this name can begin there.
fn arguments_in(addition: &str) -> Option<&str> {
    const NAME: &str = "arguments\":";
    let (_, value) = addition.split_once(NAME)?;
    let value = value.trim_start_matches(' ');
    let inside = string(value.strip_prefix('"')?.as_bytes())?;
    value.get(..inside + 2)
}

/// Whether a delta has anything but a role. Its fields are checked while they are parsed, because this happens for many
/// events.
struct Delta<'a> {
    added: Added<'a>,
    thinks: bool,
}

/// What a delta adds to an answer.
#[derive(Clone, Copy)]
enum Added<'a> {
    Nothing,
    /// The value of its only field that is not empty.
    One(&'a RawValue),
    Several,
}

impl Delta<'_> {
    fn is_filled(&self) -> bool {
        !matches!(self.added, Added::Nothing)
    }
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

impl<'de: 'a, 'a> Deserialize<'de> for Delta<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DeltaVisitor)
    }
}

struct DeltaVisitor;

impl<'de> Visitor<'de> for DeltaVisitor {
    type Value = Delta<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Delta<'de>, M::Error> {
        let mut delta = Delta {
            added: Added::Nothing,
            thinks: false,
        };
        while let Some((field, value)) = map.next_entry::<DeltaField, &'de RawValue>()? {
            if !matches!(field, DeltaField::Role) && is_filled(value) {
                delta.added = match delta.added {
                    Added::Nothing => Added::One(value),
                    Added::One(_) | Added::Several => Added::Several,
                };
            }
            // Some servers give every model this field, and `null` in it to those that do not think.
            delta.thinks |= matches!(field, DeltaField::ReasoningContent) && value.get() != "null";
        }
        Ok(delta)
    }
}
