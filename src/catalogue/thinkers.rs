//! Which models think before they speak, by their names.
//!
//! As of 2026. A missing line costs a timeout that is too short for a silent model, a wrong one a failover that is late.

use super::effort::EffortLevels;
use super::facts::Facts;
use super::name::{Version, has, is_variant, strip, version};

/// Families that think from a version on, and the efforts that they take. `OpenAI`'s and Anthropic's have rules of their
/// own.
const GENERATIONS: [(&str, Version, EffortLevels); 8] = [
    ("gemini-", (2, 5), EffortLevels::THREE),
    ("grok-", (4, 0), EffortLevels::UNKNOWN),
    ("qwen", (3, 0), EffortLevels::UNKNOWN),
    ("kimi-k", (2, 5), EffortLevels::UNKNOWN),
    ("glm-", (4, 5), EffortLevels::UNKNOWN),
    ("minimax-m", (1, 0), EffortLevels::UNKNOWN),
    ("deepseek-v", (4, 0), EffortLevels::UNKNOWN),
    ("ernie-x", (1, 0), EffortLevels::UNKNOWN),
];

/// Other models that think, with all their variants.
const MODELS: [(&str, EffortLevels); 12] = [
    ("gpt-oss", EffortLevels::THREE),
    ("codex-mini", EffortLevels::THREE),
    ("deepseek-flash", EffortLevels::UNKNOWN),
    ("deepseek-pro", EffortLevels::UNKNOWN),
    ("deepseek-reasoner", EffortLevels::UNKNOWN),
    ("deepseek-r1", EffortLevels::UNKNOWN),
    ("r1", EffortLevels::UNKNOWN),
    ("qwq", EffortLevels::UNKNOWN),
    ("qvq", EffortLevels::UNKNOWN),
    ("magistral", EffortLevels::UNKNOWN),
    ("grok-3-mini", EffortLevels::UNKNOWN),
    ("glm-z1", EffortLevels::UNKNOWN),
];

/// Parts of names of variants that think, whatever their family.
const THINKING: [&str; 3] = ["-thinking", "-reasoning", "-reasoner"];
/// Parts of names of variants that do not think, although their family does.
const UNTHINKING: [&str; 5] = ["-chat", "-instruct", "-coder", "-non-reasoning", "-nothink"];

/// What is known of a model whose family thinks; `None`: it does not, or is not known.
pub(super) fn facts(name: &str) -> Option<Facts> {
    let by_version = GENERATIONS.iter().find_map(|(family, since, efforts)| {
        let version = version(strip(name, family)?)?;
        (version >= *since).then_some(*efforts)
    });
    let by_name = || {
        let model = MODELS.iter().find(|(model, _)| is_variant(name, model))?;
        Some(model.1)
    };
    Some(Facts {
        thinks: true,
        efforts: by_version.or_else(by_name)?,
        ..Facts::UNKNOWN
    })
}

/// Whether this variant of a family that thinks does not.
pub(super) fn is_unthinking(name: &str) -> bool {
    UNTHINKING.iter().any(|part| has(name, part))
}

/// Whether this variant of a family that does not think does.
pub(super) fn is_thinking(name: &str) -> bool {
    THINKING.iter().any(|part| has(name, part)) && !is_unthinking(name)
}
