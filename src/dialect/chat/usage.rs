//! What an answer costs, in the words of chats.

use serde_json::{Value, json};

use crate::dialect::conversation::Usage;
use crate::dialect::conversation::lenient::{Details, most};
use crate::wire::json::{Field, Wanted, pick, wanted};

wanted!(
    /// The usage, as providers write it.
    pub(in crate::dialect) Counts:
    prompt_tokens, completion_tokens, total_tokens,
    prompt_tokens_details, completion_tokens_details,
    /// `DeepSeek`.
    prompt_cache_hit_tokens,
    /// Moonshot.
    cached_tokens,
    /// The words of other APIs, which some gateways mix in.
    input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    /// Perplexity.
    reasoning_tokens
);

/// Reads a usage object; `None`: it counts nothing.
pub fn usage(usage: &str) -> Option<Usage> {
    counted(&pick(usage.as_bytes()).ok()?)
}

/// The same for one that has been read. Gemini counts reasoning in `total_tokens` only, though it is output like any other.
pub(in crate::dialect) fn counted(counts: &Counts<'_>) -> Option<Usage> {
    let of_prompt = Details::of(counts.prompt_tokens_details);
    let of_completion = Details::of(counts.completion_tokens_details);
    let input = most([counts.prompt_tokens, counts.input_tokens]);
    let sent = most([counts.completion_tokens, counts.output_tokens]);
    let output = sent.max(most([counts.total_tokens]).saturating_sub(input));
    let reasoning = most([of_completion.reasoning_tokens, counts.reasoning_tokens]);
    let cached = most([
        of_prompt.cached_tokens,
        counts.prompt_cache_hit_tokens,
        counts.cached_tokens,
        counts.cache_read_input_tokens,
    ]);
    let usage = Usage {
        input,
        cached,
        written: most([
            of_prompt.cache_write_tokens,
            counts.cache_creation_input_tokens,
        ]),
        output,
        reasoning: reasoning.max(output - sent),
    };
    (usage != Usage::default()).then_some(usage)
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
