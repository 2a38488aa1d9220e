//! What the configuration says about what a model can do.

use serde::Deserialize;

use crate::catalogue::{Abilities, Ability, Facts};

/// What the configuration says about a model; a key that is left out leaves it to the built-in tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapabilitiesConfig {
    /// The context window in tokens, question and answer together.
    pub context_window: Option<u32>,
    /// The largest answer, in tokens.
    pub max_output: Option<u32>,
    /// Whether it calls functions.
    pub tools: Option<bool>,
    /// Whether it answers in the shape of a JSON schema.
    pub json_schema: Option<bool>,
    /// Whether it understands images.
    pub vision: Option<bool>,
    /// Whether it understands or produces audio.
    pub audio: Option<bool>,
    /// Whether it gives several answers at once.
    pub n: Option<bool>,
    /// Whether it gives the probabilities of tokens.
    pub logprobs: Option<bool>,
    /// Whether it gives the usage at the end of a stream.
    pub stream_usage: Option<bool>,
}

impl CapabilitiesConfig {
    /// These settings, completed by `other` where they say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            context_window: self.context_window.or(other.context_window),
            max_output: self.max_output.or(other.max_output),
            tools: self.tools.or(other.tools),
            json_schema: self.json_schema.or(other.json_schema),
            vision: self.vision.or(other.vision),
            audio: self.audio.or(other.audio),
            n: self.n.or(other.n),
            logprobs: self.logprobs.or(other.logprobs),
            stream_usage: self.stream_usage.or(other.stream_usage),
        }
    }

    /// `known`, overridden by these settings.
    #[must_use]
    pub fn over(self, known: Facts) -> Facts {
        let configured = |missing: Abilities, ability: Ability| match self.about(ability) {
            Some(can) => missing.with(ability, !can),
            None => missing,
        };
        Facts {
            context_window: self.context_window.or(known.context_window),
            max_output: self.max_output.or(known.max_output),
            missing: Ability::ALL.into_iter().fold(known.missing, configured),
            ..known
        }
    }

    fn about(self, ability: Ability) -> Option<bool> {
        match ability {
            Ability::Tools => self.tools,
            Ability::JsonSchema => self.json_schema,
            Ability::Vision => self.vision,
            Ability::Audio => self.audio,
            Ability::Several => self.n,
            Ability::Logprobs => self.logprobs,
            Ability::StreamUsage => self.stream_usage,
        }
    }
}
