//! The events of a stream, and whole answers, as far as they are read.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::conversation::Usage;
use crate::dialect::conversation::lenient::{Count, List, Object, Text};

/// An event. What is large and rare is boxed, so that the usual event is small.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Event<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
    pub(super) index: Count,
    pub(super) message: Object<Box<Message<'a>>>,
    pub(super) content_block: Object<Box<Block<'a>>>,
    pub(super) delta: Object<Delta<'a>>,
    pub(super) usage: Object<Box<Counts>>,
    pub(super) error: Option<&'a RawValue>,
}

/// A message: at the beginning of a stream without its content.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Message<'a> {
    pub(super) id: Text<'a>,
    pub(super) model: Text<'a>,
    pub(super) content: Option<List<Object<Block<'a>>>>,
    pub(super) usage: Object<Counts>,
    /// Why it stopped.
    #[serde(flatten)]
    pub(super) stop: Delta<'a>,
}

/// More about why it stopped.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Details<'a> {
    pub(super) explanation: Text<'a>,
}

/// A block, which may begin with content.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Block<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
    pub(super) text: Text<'a>,
    pub(super) citations: List<Object<Citation<'a>>>,
    pub(super) thinking: Text<'a>,
    pub(super) signature: Text<'a>,
    pub(super) data: Text<'a>,
    pub(super) id: Text<'a>,
    pub(super) name: Text<'a>,
    pub(super) input: Option<&'a RawValue>,
}

/// What is added to a block, or to the message.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Delta<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
    pub(super) text: Text<'a>,
    pub(super) thinking: Text<'a>,
    pub(super) signature: Text<'a>,
    pub(super) partial_json: Text<'a>,
    pub(super) citation: Object<Box<Citation<'a>>>,
    pub(super) stop_reason: Text<'a>,
    pub(super) stop_sequence: Text<'a>,
    pub(super) stop_details: Object<Box<Details<'a>>>,
}

/// A source of a text.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Citation<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
    pub(super) url: Text<'a>,
    /// The address of what a client has searched itself, if it has one.
    pub(super) source: Text<'a>,
    pub(super) title: Text<'a>,
}

/// What it costs, as far as it is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    input_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    output_tokens: Count,
    output_tokens_details: Object<OutputDetails>,
    /// If the provider fell back to another model or compacted the conversation, each part was counted.
    iterations: List<Object<Self>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

impl Counts {
    /// Takes later counts: they are totals, not increments.
    pub(super) fn note(&mut self, later: Self) {
        let fields = [
            (&mut self.input_tokens, later.input_tokens),
            (
                &mut self.cache_read_input_tokens,
                later.cache_read_input_tokens,
            ),
            (
                &mut self.cache_creation_input_tokens,
                later.cache_creation_input_tokens,
            ),
            (&mut self.output_tokens, later.output_tokens),
        ];
        for (known, later) in fields {
            // Some who copy the API begin with the input and end with zero.
            if later.0.is_some_and(|count| count > 0) || known.0.is_none() {
                *known = later;
            }
        }
        if later.output_tokens_details.0.is_some() {
            self.output_tokens_details = later.output_tokens_details;
        }
        if !later.iterations.0.is_empty() {
            self.iterations = later.iterations;
        }
    }

    /// The usage: here, cached tokens are no part of the input's.
    pub(super) fn usage(&self) -> Usage {
        let parts: Vec<&Self> = self
            .iterations
            .0
            .iter()
            .filter_map(|part| part.0.as_ref())
            .collect();
        let parts = if parts.is_empty() { vec![self] } else { parts };
        let sum = |count: fn(&Self) -> Count| -> u64 {
            let counts = parts.iter().filter_map(|part| count(part).0);
            counts.fold(0, u64::saturating_add)
        };
        let cached = sum(|part| part.cache_read_input_tokens);
        let written = sum(|part| part.cache_creation_input_tokens);
        let details = self.output_tokens_details.0.as_ref();
        Usage {
            input: sum(|part| part.input_tokens)
                .saturating_add(cached)
                .saturating_add(written),
            cached,
            written,
            output: sum(|part| part.output_tokens),
            reasoning: details
                .and_then(|details| details.thinking_tokens.0)
                .unwrap_or(0),
        }
    }
}

/// Reads a usage object; `None`: it is none.
pub fn usage(usage: &str) -> Option<Usage> {
    let counts: Object<Counts> = serde_json::from_str(usage).ok()?;
    counts.0.map(|counts| counts.usage())
}
