//! What an answer costs, in the words of chats.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use super::loose::Maybe;
use crate::dialect::next::conversation::Usage;

/// The usage, as providers write it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Maybe<OfPrompt>,
    completion_tokens_details: Maybe<OfCompletion>,
    /// `DeepSeek`.
    prompt_cache_hit_tokens: Count,
    /// Moonshot.
    cached_tokens: Count,
    /// The words of other APIs, which some gateways mix in.
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    /// Perplexity.
    reasoning_tokens: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct OfPrompt {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct OfCompletion {
    reasoning_tokens: Count,
}

impl Counts {
    /// The usage; `None`: it counts nothing. Gemini counts reasoning in `total_tokens` only, though it is output like any
    /// other.
    pub(super) fn usage(self) -> Option<Usage> {
        let of_prompt = self.prompt_tokens_details.0.unwrap_or_default();
        let of_completion = self.completion_tokens_details.0.unwrap_or_default();
        let input = self.prompt_tokens.max(self.input_tokens).0;
        let told = self.completion_tokens.max(self.output_tokens).0;
        let output = told.max(self.total_tokens.0.saturating_sub(input));
        let reasoning = of_completion.reasoning_tokens.max(self.reasoning_tokens).0;
        let cached = [
            of_prompt.cached_tokens,
            self.prompt_cache_hit_tokens,
            self.cached_tokens,
            self.cache_read_input_tokens,
        ];
        let usage = Usage {
            input,
            cached: cached.into_iter().max().unwrap_or_default().0,
            written: of_prompt
                .cache_write_tokens
                .max(self.cache_creation_input_tokens)
                .0,
            output,
            reasoning: reasoning.max(output - told),
        };
        (usage != Usage::default()).then_some(usage)
    }
}

/// The usage object of a chat. The counts of the prompt include the cached ones.
pub(super) fn written(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": { "cached_tokens": usage.cached, "cache_write_tokens": usage.written },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning },
    })
}

/// A number of tokens, whatever it is written as; 0 if it is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
        Ok(Count(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
        Ok(Count(u64::try_from(number).unwrap_or(0)))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
        Ok(Count(number as u64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
        Ok(Count(text.trim().parse().unwrap_or(0)))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Count, E> {
        Ok(Count(0))
    }

    fn visit_unit<E: Error>(self) -> Result<Count, E> {
        Ok(Count(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Count, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count(0))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count(0))
    }
}
