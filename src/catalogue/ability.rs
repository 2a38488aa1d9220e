//! What a request may need of a model.

/// Something that a request may need and not every model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Calling functions.
    Tools,
    /// Answers in the shape of a JSON schema.
    JsonSchema,
    /// Understanding images.
    Vision,
    /// Understanding or producing audio.
    Audio,
    /// Several answers at once: `n` above 1.
    Several,
    /// The probabilities of tokens.
    Logprobs,
    /// Usage at the end of a stream: `stream_options.include_usage`.
    StreamUsage,
}

impl Ability {
    /// All abilities.
    pub const ALL: [Self; 7] = [
        Self::Tools,
        Self::JsonSchema,
        Self::Vision,
        Self::Audio,
        Self::Several,
        Self::Logprobs,
        Self::StreamUsage,
    ];

    /// Its name in the configuration and in errors.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::JsonSchema => "json_schema",
            Self::Vision => "vision",
            Self::Audio => "audio",
            Self::Several => "n",
            Self::Logprobs => "logprobs",
            Self::StreamUsage => "stream_usage",
        }
    }
}

/// A set of abilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities(u8);

impl Abilities {
    /// The set of these abilities.
    pub const fn of(abilities: &[Ability]) -> Self {
        let mut set = 0;
        let mut index = 0;
        while index < abilities.len() {
            set |= 1 << abilities[index] as u8;
            index += 1;
        }
        Self(set)
    }

    /// Whether the set contains this ability.
    pub fn contains(self, ability: Ability) -> bool {
        self.0 & 1 << ability as u8 != 0
    }

    /// The abilities of the set, in the order of [`Ability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Ability> {
        Ability::ALL
            .into_iter()
            .filter(move |ability| self.contains(*ability))
    }

    /// The abilities of either set.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set with or without this ability.
    #[must_use]
    pub fn with(self, ability: Ability, is_in: bool) -> Self {
        let bit = 1 << ability as u8;
        Self(if is_in { self.0 | bit } else { self.0 & !bit })
    }
}
