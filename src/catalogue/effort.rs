//! How much a model can be asked to think.

use serde::Deserialize;

/// The words for it, from nothing to most.
const LEVELS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// The levels of reasoning effort that a model takes; none: it takes no effort, or nobody knows which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EffortLevels(u8);

impl EffortLevels {
    /// No level at all.
    pub const UNKNOWN: Self = Self(0);
    /// `low`, `medium` and `high`: what most providers took over.
    pub const THREE: Self = Self::from_to(Level::Low, Level::High);

    /// From one level to another.
    pub const fn from_to(least: Level, most: Level) -> Self {
        // In 16 bits, as the highest bit leaves eight.
        let levels: u16 = (1 << (most as u16 + 1)) - (1 << least as u16);
        Self(levels as u8)
    }

    /// With one more level.
    #[must_use]
    pub const fn and(self, level: Level) -> Self {
        Self(self.0 | 1 << level as u8)
    }

    /// Without one of them.
    #[must_use]
    pub const fn without(self, level: Level) -> Self {
        Self(self.0 & !(1 << level as u8))
    }

    /// Whether it takes this level.
    pub const fn contains(self, level: Level) -> bool {
        self.0 & 1 << level as u8 != 0
    }

    /// Whether it takes any.
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// The words, from the least to the most.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        let numbered = LEVELS.iter().enumerate();
        numbered.filter_map(move |(number, word)| (self.0 & 1 << number != 0).then_some(*word))
    }

    /// The level that comes closest to what is asked for: that one, else the next lower one that there is, else the lowest.
    /// A word that nobody knows stands for `medium`. `None`: it takes no effort.
    pub fn closest(self, asked: &str) -> Option<&'static str> {
        let asked = LEVELS.iter().position(|word| *word == asked);
        let asked = asked.unwrap_or(Level::Medium as usize);
        let has = |number: &usize| self.0 & 1 << *number != 0;
        let lower = (0..=asked).rev().find(has);
        let number = lower.or_else(|| (asked..LEVELS.len()).find(has))?;
        // `none` is no smaller amount of thinking, but another answer.
        let is_less = number == 0 && asked > 0;
        let number = match is_less {
            true => (1..LEVELS.len()).find(has).unwrap_or(number),
            false => number,
        };
        Some(LEVELS[number])
    }
}

/// One level of effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It does not think.
    None,
    /// As little as possible.
    Minimal,
    /// A little.
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// More.
    Xhigh,
    /// As much as it can.
    Max,
}

#[cfg(test)]
mod tests {
    use super::{EffortLevels, Level};

    #[test]
    fn the_closest_level_is_the_next_lower_one() {
        let up_to_max = EffortLevels::from_to(Level::None, Level::Max);
        let from_low = EffortLevels::from_to(Level::Low, Level::Max);
        let without_xhigh = EffortLevels::THREE.and(Level::Max);
        let unthinking_or_low = EffortLevels::from_to(Level::None, Level::None).and(Level::Low);
        for (levels, asked, closest) in [
            (EffortLevels::THREE, "minimal", Some("low")),
            (EffortLevels::THREE, "none", Some("low")),
            (EffortLevels::THREE, "xhigh", Some("high")),
            (EffortLevels::THREE, "max", Some("high")),
            (EffortLevels::THREE, "unheard-of", Some("medium")),
            (without_xhigh, "xhigh", Some("high")),
            (without_xhigh, "max", Some("max")),
            (up_to_max, "none", Some("none")),
            (up_to_max, "minimal", Some("minimal")),
            (from_low, "none", Some("low")),
            (unthinking_or_low, "minimal", Some("low")),
            (EffortLevels::UNKNOWN, "low", None),
        ] {
            assert_eq!(levels.closest(asked), closest, "{asked} of {levels:?}");
        }
        let words: Vec<_> = from_low.iter().collect();
        assert_eq!(words, ["low", "medium", "high", "xhigh", "max"]);
    }
}
