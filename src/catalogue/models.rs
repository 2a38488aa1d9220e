//! The models we know: one table, by the beginnings of their names. What follows from a family and its version is not
//! repeated here.
//!
//! It has only what their makers document as fixed, as of November 2026: context windows, the largest answers, what a model
//! does not support, and when it retires. A missing line costs one rejected call at most; a wrong line would keep requests
//! away.

use jiff::civil::{Date, date};

use super::ability::Ability::{Audio, JsonSchema, Logprobs, Tools, Vision};
use super::ability::{Abilities, Ability};
use super::effort::{EffortLevels, Level};
use super::name::is_variant;

/// A model with all its variants.
#[derive(Debug)]
pub(super) struct Model {
    /// The beginning of its name, in small letters.
    pub(super) name: &'static str,
    /// The context window in tokens.
    pub(super) context_window: Option<u32>,
    /// The largest answer, in tokens.
    pub(super) max_output: Option<u32>,
    /// What it cannot do.
    pub(super) missing: Abilities,
    /// Which efforts it takes, if no rule says so.
    pub(super) efforts: EffortLevels,
    /// The first day on which its maker does not serve it any more.
    pub(super) retires: Option<Date>,
}

impl Model {
    const fn window(self, tokens: u32) -> Self {
        Self {
            context_window: Some(tokens),
            ..self
        }
    }

    const fn answer(self, tokens: u32) -> Self {
        Self {
            max_output: Some(tokens),
            ..self
        }
    }

    const fn lacks(self, abilities: &[Ability]) -> Self {
        Self {
            missing: Abilities::of(abilities),
            ..self
        }
    }

    const fn efforts(self, efforts: EffortLevels) -> Self {
        Self { efforts, ..self }
    }

    const fn retires(self, year: i16, month: i8, day: i8) -> Self {
        Self {
            retires: Some(date(year, month, day)),
            ..self
        }
    }
}

const fn model(name: &'static str) -> Model {
    Model {
        name,
        context_window: None,
        max_output: None,
        missing: Abilities::of(&[]),
        efforts: EffortLevels::UNKNOWN,
        retires: None,
    }
}

/// The first line that fits counts.
///
/// Retirements: `developers.openai.com/api/docs/deprecations`, `platform.claude.com/docs` (the page of each model),
/// `ai.google.dev/gemini-api/docs/deprecations`, `docs.x.ai/developers/migration`, `api-docs.deepseek.com`, and the notices of
/// Groq and Together.
#[rustfmt::skip]
pub(super) static MODELS: &[Model] = &[
    model("gpt-3.5").window(16_385).answer(4096).lacks(&[Vision, Audio, JsonSchema]).retires(2026, 10, 23),
    model("gpt-4-32k").window(32_768).lacks(&[Vision, Audio, JsonSchema]),
    model("gpt-4-turbo").window(128_000).answer(4096).lacks(&[Audio, JsonSchema]).retires(2026, 10, 23),
    model("gpt-4-1106").window(128_000).answer(4096).lacks(&[Vision, Audio, JsonSchema]).retires(2026, 10, 23),
    model("gpt-4-0125").window(128_000).answer(4096).lacks(&[Vision, Audio, JsonSchema]),
    model("gpt-4").window(8192).answer(8192).lacks(&[Vision, Audio, JsonSchema]).retires(2026, 10, 23),
    model("gpt-4o-audio").window(128_000).answer(16_384).lacks(&[Vision, JsonSchema]),
    model("gpt-4o-mini-audio").window(128_000).answer(16_384).lacks(&[Vision, JsonSchema]),
    model("gpt-4o-realtime"),
    model("gpt-4o-mini-realtime"),
    model("gpt-4o-transcribe").retires(2027, 2, 26),
    model("gpt-4o-mini-transcribe").retires(2027, 2, 26),
    model("gpt-4o-mini-tts"),
    model("gpt-4o-2024-05-13").window(128_000).answer(16_384).lacks(&[Audio]).retires(2026, 10, 23),
    model("gpt-4o").window(128_000).answer(16_384).lacks(&[Audio]).retires(2027, 1, 14),
    model("gpt-4.1-nano").window(1_047_576).answer(32_768).lacks(&[Audio]).retires(2026, 10, 23),
    model("gpt-4.1").window(1_047_576).answer(32_768).lacks(&[Audio]).retires(2027, 1, 14),
    model("gpt-5-chat").window(400_000).answer(128_000).lacks(&[Audio]),
    model("gpt-5-codex").window(400_000).answer(128_000).lacks(&[Audio]),
    model("gpt-5").window(400_000).answer(128_000).lacks(&[Audio]).retires(2026, 12, 11),
    model("gpt-5.1-chat").lacks(&[Audio]),
    model("gpt-5.1-codex").lacks(&[Audio]),
    model("gpt-5.1").lacks(&[Audio]).retires(2027, 4, 1),
    model("gpt-6").window(1_050_000).answer(128_000).lacks(&[Audio]),
    model("gpt-6.1").window(1_050_000).answer(128_000).lacks(&[Audio]),
    model("gpt-6.2").window(1_050_000).answer(128_000).lacks(&[Audio]),
    model("o1-mini").window(128_000).answer(65_536).lacks(&[Vision, Audio, Tools, JsonSchema, Logprobs]),
    model("o1-preview").window(128_000).answer(32_768).lacks(&[Vision, Audio, Tools, JsonSchema, Logprobs]),
    model("o1").window(200_000).answer(100_000).lacks(&[Audio, Logprobs]).retires(2026, 10, 23),
    model("o3-mini").window(200_000).answer(100_000).lacks(&[Vision, Audio, Logprobs]).retires(2026, 10, 23),
    model("o3-deep-research").window(200_000).answer(100_000).lacks(&[Audio, Logprobs]),
    model("o3").window(200_000).answer(100_000).lacks(&[Audio, Logprobs]).retires(2026, 12, 11),
    model("o4-mini-deep-research").window(200_000).answer(100_000).lacks(&[Audio, Logprobs]),
    model("o4-mini").window(200_000).answer(100_000).lacks(&[Audio, Logprobs]).retires(2026, 10, 23),
    model("claude-2").window(200_000).lacks(&[Vision, Tools]),
    model("claude-3-5").window(200_000).answer(8192),
    model("claude-3-7").window(200_000).answer(64_000),
    model("claude-3").window(200_000).answer(4096),
    model("claude-opus-4-5").answer(64_000),
    model("claude-opus-4-6"),
    model("claude-opus-4-7"),
    model("claude-opus-4-8"),
    model("claude-opus-4").answer(32_000),
    model("claude-opus-5").window(1_000_000).answer(128_000),
    model("claude-sonnet-4-5").answer(64_000).retires(2026, 11, 30),
    model("claude-sonnet-4-6"),
    model("claude-sonnet-4").answer(64_000),
    model("claude-sonnet-5").window(1_000_000).answer(128_000),
    model("claude-haiku-4-5").answer(64_000),
    model("claude-fable-5-1").window(1_000_000).answer(128_000),
    model("gemini-1.5-pro").window(2_097_152).answer(8192),
    model("gemini-1.5").window(1_048_576).answer(8192),
    model("gemini-2.0").window(1_048_576).answer(8192).retires(2026, 6, 1),
    model("gemini-2.5-flash-lite").window(1_048_576).answer(65_536),
    model("gemini-2.5-flash-image"),
    model("gemini-2.5").window(1_048_576).answer(65_536).retires(2026, 12, 1),
    model("gemini-3-pro-preview").retires(2026, 3, 9),
    model("grok-4-1-fast").retires(2026, 5, 15),
    model("grok-4-fast").retires(2026, 5, 15),
    model("grok-4-0709").retires(2026, 5, 15),
    model("grok-code-fast-1").retires(2026, 5, 15),
    model("grok-3-mini"),
    model("grok-3").retires(2026, 5, 15),
    model("grok-4.5").window(500_000).efforts(EffortLevels::THREE),
    model("mistral-small").efforts(EffortLevels::from_to(Level::None, Level::None).and(Level::High)),
    model("deepseek-chat").answer(8192).lacks(&[Vision, Audio, JsonSchema]).retires(2026, 7, 24),
    model("deepseek-reasoner").lacks(&[Vision, Audio, JsonSchema]).retires(2026, 7, 24),
    model("deepseek-flash").lacks(&[Audio, JsonSchema]),
    model("deepseek-v4-flash").lacks(&[Audio, JsonSchema]),
    model("deepseek").lacks(&[Vision, Audio, JsonSchema]),
    model("ernie-4.5-vl").lacks(&[Audio]),
    model("ernie-4.5-turbo-vl").lacks(&[Audio]),
    model("ernie-4.5-turbo").answer(12_288).lacks(&[Vision, Audio]),
    model("ernie-5.0").lacks(&[Audio]),
    model("ernie").lacks(&[Vision, Audio]),
    model("minimax-m3").window(1_000_000),
    model("minimax-m2").window(204_800).lacks(&[Vision, Audio]),
    model("minimax-m2.1").window(204_800).lacks(&[Vision, Audio]),
    model("minimax-m2.5").window(204_800).lacks(&[Vision, Audio]),
    model("minimax-m2.7").window(204_800).lacks(&[Vision, Audio]),
    model("llama-3.1").window(131_072).lacks(&[Vision, Audio]),
    // As Groq calls it, and Together.
    model("llama-3.3-70b-versatile").window(131_072).lacks(&[Vision, Audio]).retires(2026, 8, 16),
    model("llama-3.3-70b-instruct-turbo").window(131_072).lacks(&[Vision, Audio]).retires(2026, 10, 22),
    model("llama-3.3").window(131_072).lacks(&[Vision, Audio]),
    model("llama3.1").window(131_072).lacks(&[Vision, Audio]),
    model("llama3.3").window(131_072).lacks(&[Vision, Audio]),
    model("llama3-1").window(131_072),
    model("llama3-2").window(131_072),
    model("llama3-3").window(131_072).lacks(&[Vision, Audio]),
    model("llama-3").window(8192).lacks(&[Vision, Audio]),
    model("llama3").window(8192).lacks(&[Vision, Audio]),
];

/// The names of all models that have a line, in its order.
pub fn known_models() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|model| model.name)
}

/// The line for a name without a vendor.
pub(super) fn find(name: &str) -> Option<&'static Model> {
    let first = name.bytes().next()?.to_ascii_lowercase();
    let may_be = |model: &&Model| model.name.as_bytes().first() == Some(&first);
    MODELS
        .iter()
        .filter(may_be)
        .find(|model| is_variant(name, model.name))
}
