//! What an answer costs, in the words of chats.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::dialect::conversation::Usage;
use crate::dialect::conversation::lenient::{Count, Object};
use crate::wire::json::Reader;

/// The usage, as providers write it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Object<OfPrompt>,
    completion_tokens_details: Object<OfCompletion>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfPrompt {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfCompletion {
    reasoning_tokens: Count,
}

impl Counts {
    /// Reads an object in one pass, without serde: every answer has one.
    fn read(usage: &str) -> Option<Self> {
        let mut counts = Self::default();
        let mut reader = Reader::new(usage.as_bytes());
        let read = reader.object(|reader, name| {
            let field = match name {
                "prompt_tokens" => &mut counts.prompt_tokens,
                "completion_tokens" => &mut counts.completion_tokens,
                "total_tokens" => &mut counts.total_tokens,
                "prompt_cache_hit_tokens" => &mut counts.prompt_cache_hit_tokens,
                "cached_tokens" => &mut counts.cached_tokens,
                "input_tokens" => &mut counts.input_tokens,
                "output_tokens" => &mut counts.output_tokens,
                "cache_read_input_tokens" => &mut counts.cache_read_input_tokens,
                "cache_creation_input_tokens" => &mut counts.cache_creation_input_tokens,
                "reasoning_tokens" => &mut counts.reasoning_tokens,
                "prompt_tokens_details" => {
                    counts.prompt_tokens_details = object(reader.value()?);
                    return Ok(());
                }
                "completion_tokens_details" => {
                    counts.completion_tokens_details = object(reader.value()?);
                    return Ok(());
                }
                _ => return reader.skip(),
            };
            *field = count(reader.value()?);
            Ok(())
        });
        read.ok().map(|()| counts)
    }

    /// The usage; `None`: it counts nothing. Gemini counts reasoning in `total_tokens` only, though it is output like any
    /// other.
    pub(super) fn usage(self) -> Option<Usage> {
        let of_prompt = self.prompt_tokens_details.0.unwrap_or_default();
        let of_completion = self.completion_tokens_details.0.unwrap_or_default();
        let input = most([self.prompt_tokens, self.input_tokens]);
        let sent = most([self.completion_tokens, self.output_tokens]);
        let output = sent.max(most([self.total_tokens]).saturating_sub(input));
        let reasoning = most([of_completion.reasoning_tokens, self.reasoning_tokens]);
        let usage = Usage {
            input,
            cached: most([
                of_prompt.cached_tokens,
                self.prompt_cache_hit_tokens,
                self.cached_tokens,
                self.cache_read_input_tokens,
            ]),
            written: most([
                of_prompt.cache_write_tokens,
                self.cache_creation_input_tokens,
            ]),
            output,
            reasoning: reasoning.max(output - sent),
        };
        (usage != Usage::default()).then_some(usage)
    }
}

/// Reads a usage object; `None`: it counts nothing.
pub fn usage(usage: &RawValue) -> Option<Usage> {
    Counts::read(usage.get())?.usage()
}

/// The count that is written so. A number of a few digits is one as it is.
fn count(value: &str) -> Count {
    match value.parse() {
        Ok(count) if value.len() < 16 => Count(Some(count)),
        _ => serde_json::from_str(value).unwrap_or_default(),
    }
}

fn object<T: DeserializeOwned>(value: &str) -> Object<T> {
    serde_json::from_str(value).unwrap_or_default()
}

/// The largest of some counts, which mean the same; 0 if none is there.
fn most<const N: usize>(counts: [Count; N]) -> u64 {
    counts
        .into_iter()
        .filter_map(|count| count.0)
        .max()
        .unwrap_or(0)
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
