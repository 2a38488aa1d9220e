//! The models we know: one table, by the prefixes of their names.
//!
//! It has only what their makers document as fixed, as of 2026: context windows, and what a model does not support. A
//! missing line costs one rejected call at most; a wrong line would keep requests away.

use super::ability::Ability::{Audio, JsonSchema, Logprobs, Tools, Vision};
use super::ability::{Abilities, Ability, Capabilities};

/// Prefix of the name, context window and largest answer in tokens (0: not fixed), and what the model lacks. The
/// first match counts.
type Family = (&'static str, u32, u32, &'static [Ability]);

const FAMILIES: &[Family] = &[
    ("gpt-3.5", 16_385, 4096, &[Vision, Audio, JsonSchema]),
    ("gpt-4-32k", 32_768, 0, &[Vision, Audio, JsonSchema]),
    ("gpt-4-turbo", 128_000, 4096, &[Audio, JsonSchema]),
    ("gpt-4-1106", 128_000, 4096, &[Vision, Audio, JsonSchema]),
    ("gpt-4-0125", 128_000, 4096, &[Vision, Audio, JsonSchema]),
    ("gpt-4", 8192, 8192, &[Vision, Audio, JsonSchema]),
    ("gpt-4o-audio", 128_000, 16_384, &[Vision, JsonSchema]),
    ("gpt-4o-mini-audio", 128_000, 16_384, &[Vision, JsonSchema]),
    ("gpt-4o", 128_000, 16_384, &[Audio]),
    ("gpt-4.1", 1_047_576, 32_768, &[Audio]),
    ("gpt-5", 400_000, 128_000, &[Audio]),
    (
        "o1-mini",
        128_000,
        65_536,
        &[Vision, Audio, Tools, JsonSchema, Logprobs],
    ),
    (
        "o1-preview",
        128_000,
        32_768,
        &[Vision, Audio, Tools, JsonSchema, Logprobs],
    ),
    ("o3-mini", 200_000, 100_000, &[Vision, Audio, Logprobs]),
    ("o1", 200_000, 100_000, &[Audio, Logprobs]),
    ("o3", 200_000, 100_000, &[Audio, Logprobs]),
    ("o4-mini", 200_000, 100_000, &[Audio, Logprobs]),
    ("claude-2", 200_000, 0, &[Vision, Tools]),
    ("claude-3-5", 200_000, 8192, &[]),
    ("claude-3-7", 200_000, 64_000, &[]),
    ("claude-3", 200_000, 4096, &[]),
    ("claude-opus-4-5", 0, 64_000, &[]),
    ("claude-opus-4-6", 0, 0, &[]),
    ("claude-opus-4-7", 0, 0, &[]),
    ("claude-opus-4-8", 0, 0, &[]),
    ("claude-opus-4", 0, 32_000, &[]),
    ("claude-sonnet-4-6", 0, 0, &[]),
    ("claude-sonnet-4", 0, 64_000, &[]),
    ("claude-haiku-4-5", 0, 64_000, &[]),
    ("gemini-1.5-pro", 2_097_152, 8192, &[]),
    ("gemini-1.5", 1_048_576, 8192, &[]),
    ("gemini-2.0", 1_048_576, 8192, &[]),
    ("gemini-2.5", 1_048_576, 65_536, &[]),
    ("deepseek-chat", 0, 8192, &[Vision, Audio, JsonSchema]),
    ("deepseek", 0, 0, &[Vision, Audio, JsonSchema]),
    ("ernie-4.5-vl", 0, 0, &[Audio]),
    ("ernie-4.5-turbo-vl", 0, 0, &[Audio]),
    ("ernie-4.5-turbo", 0, 12_288, &[Vision, Audio]),
    ("ernie", 0, 0, &[Vision, Audio]),
    ("llama-3.1", 131_072, 0, &[Vision, Audio]),
    ("llama-3.3", 131_072, 0, &[Vision, Audio]),
    ("llama3.1", 131_072, 0, &[Vision, Audio]),
    ("llama3.3", 131_072, 0, &[Vision, Audio]),
    ("llama-3", 8192, 0, &[Vision, Audio]),
    ("llama3", 8192, 0, &[Vision, Audio]),
];

/// What is known of a model by its name.
pub(super) fn known(name: &str) -> Capabilities {
    // Routers put the vendor in front: `openai/o3`, `meta-llama/Llama-3.3-70B-Instruct`.
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let begins = |family: &&Family| {
        let rest = name.strip_prefix(family.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':', '@']))
    };
    let family = FAMILIES.iter().find(begins);
    let fixed = |tokens: u32| Some(tokens).filter(|tokens| *tokens > 0);
    let window = family.and_then(|family| fixed(family.1));
    Capabilities {
        context_window: window.or_else(|| window_in(&name)),
        max_output: family.and_then(|family| fixed(family.2)),
        missing: Abilities::of(family.map_or(&[], |family| family.3)),
    }
}

/// Some names contain the window: `ernie-4.5-turbo-128k`, `moonshot-v1-8k`.
fn window_in(name: &str) -> Option<u32> {
    let last = name.rsplit('-').next()?;
    let thousands: u32 = last.strip_suffix('k')?.parse().ok()?;
    thousands.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::known;
    use crate::catalogue::Ability;

    #[test]
    fn windows_are_read_off_the_table_or_the_name() {
        for (name, window) in [
            ("gpt-4o-2024-08-06", Some(128_000)),
            ("openai/gpt-4", Some(8192)),
            ("gpt-4.5-preview", None),
            ("gpt-4.1-mini", Some(1_047_576)),
            ("ernie-4.5-turbo-128k", Some(131_072)),
            ("moonshot-v1-8k", Some(8192)),
            ("meta-llama/Llama-3.3-70B-Instruct-Turbo", Some(131_072)),
            ("llama3.1:8b", Some(131_072)),
            ("claude-sonnet-5", None),
            ("unheard-of", None),
        ] {
            assert_eq!(known(name).context_window, window, "{name}");
        }
    }

    #[test]
    fn the_largest_answer_is_known_by_the_family() {
        for (name, largest) in [
            ("gpt-4o-mini", Some(16_384)),
            ("claude-opus-4-1-20250805", Some(32_000)),
            ("claude-opus-4-6", None),
            ("claude-sonnet-4-5", Some(64_000)),
            ("ernie-4.5-turbo-128k", Some(12_288)),
            ("unheard-of", None),
        ] {
            assert_eq!(known(name).max_output, largest, "{name}");
        }
    }

    #[test]
    fn what_a_model_lacks_is_known_by_its_family() {
        let missing = |name, ability| known(name).missing.contains(ability);
        assert!(missing("gpt-3.5-turbo", Ability::Vision));
        assert!(!missing("gpt-4o", Ability::Vision));
        assert!(missing("ernie-4.5-turbo-128k", Ability::Vision));
        assert!(!missing("ernie-4.5-turbo-vl-32k", Ability::Vision));
        assert!(missing("deepseek-chat", Ability::JsonSchema));
        assert!(Ability::ALL.iter().all(|ability| !missing("x", *ability)));
    }
}
