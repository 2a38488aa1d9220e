//! What an answer costs, in the words of chats.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::dialect::conversation::Usage;
use crate::dialect::conversation::lenient::{Count, Object};

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
    let counts: Object<Counts> = serde_json::from_str(usage.get()).ok()?;
    counts.0?.usage()
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
