//! What Claude models take, by their generations: `claude-sonnet-4-5-20250929`, `claude-3-5-haiku-latest`,
//! `claude-opus-5`.
//!
//! Sources: Anthropic's pages on what is new in each model and its guides to migration.

use super::effort::{EffortLevels, Level};
use super::facts::{Facts, Sampling, Thinking, Unthinking};
use super::name::has;

/// A generation: `4.5` is `(4, 5)`.
type Generation = (u32, u32);

/// What is known of a Claude model.
pub(super) fn facts(name: &str) -> Facts {
    let generation = generation(name);
    let since = |first: Generation| generation >= first;
    let is = |class: &str| has(name, class);
    let always_thinks = if is("fable") || is("mythos") {
        since((5, 1))
    } else {
        since((5, 5)) && !is("haiku")
    };
    Facts {
        thinks: since((5, 0)),
        efforts: efforts(generation, is("opus")),
        sampling: match since((4, 7)) {
            true => Sampling::Never,
            false => Sampling::Always,
        },
        takes_both: !since((4, 1)),
        thinking: match () {
            () if !since((3, 7)) => Thinking::Never,
            () if !since((4, 6)) => Thinking::Budget,
            () => Thinking::Adaptive,
        },
        takes_budget: since((3, 7)) && !since((4, 7)),
        unthinking: match () {
            () if always_thinks && is("sonnet") => Unthinking::BetweenTools,
            () if always_thinks => Unthinking::Never,
            () => Unthinking::Disabled,
        },
        takes_schema: since((4, 5)),
        takes_prefill: !since((4, 6)),
        // `tool_choice: type "tool" and "any" are not supported for this model.`
        takes_forced_tools: !always_thinks,
        // Sonnet 5 does not: `role 'system' is not supported on this model`.
        takes_system_amid: match is("opus") {
            true => since((4, 8)),
            false if is("sonnet") => since((5, 5)),
            false => since((5, 0)),
        },
        ..Facts::UNKNOWN
    }
}

/// The classes of models, which some write without the family's name.
const CLASSES: [&str; 6] = ["claude", "opus", "sonnet", "haiku", "fable", "mythos"];

/// Whether a name is that of a Claude model.
pub(super) fn is_claude(name: &str) -> bool {
    CLASSES.iter().any(|class| has(name, class))
}

/// Of generation 4.5 only Opus takes an effort, the others say `This model does not support the effort parameter`.
/// `max` came with 4.6, `xhigh` with 4.7.
fn efforts(generation: Generation, is_opus: bool) -> EffortLevels {
    match generation {
        generation if generation >= (4, 7) => EffortLevels::from_to(Level::Low, Level::Max),
        generation if generation >= (4, 6) => EffortLevels::THREE.and(Level::Max),
        (4, 5) if is_opus => EffortLevels::THREE,
        _ => EffortLevels::UNKNOWN,
    }
}

/// The generation that a name has; a name without one counts as the newest.
fn generation(name: &str) -> Generation {
    // Dates and sizes have more digits.
    let mut numbers = name
        .split(['-', '.', '@', ':', '/'])
        .filter(|part| part.len() <= 2)
        .filter_map(|part| part.parse().ok());
    match numbers.next() {
        Some(major) => (major, numbers.next().unwrap_or(0)),
        None => (u32::MAX, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::generation;

    #[test]
    fn generations_are_read_off_names() {
        for (name, expected) in [
            ("claude-sonnet-4-5-20250929", (4, 5)),
            ("claude-3-5-haiku-latest", (3, 5)),
            ("claude-3-opus-20240229", (3, 0)),
            ("claude-opus-5", (5, 0)),
            ("anthropic/claude-opus-4.1", (4, 1)),
            ("claude-next", (u32::MAX, 0)),
        ] {
            assert_eq!(generation(name), expected, "{name}");
        }
    }
}
