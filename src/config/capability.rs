//! What the configuration says about a model.

use std::fmt;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::catalogue::{Abilities, Ability, EffortLevels, Facts, InChats, Level, Sampling};

/// What the configuration says about a model; a key that is left out leaves it to the catalogue.
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
    /// Whether it thinks unless it is told not to.
    pub thinks: Option<bool>,
    /// Which levels of reasoning effort it takes.
    #[serde(deserialize_with = "efforts")]
    pub efforts: Option<EffortLevels>,
    /// Whether it takes `temperature`, `top_p` and their kin.
    pub sampling: Option<bool>,
    /// Whether it can be forced to call a tool.
    pub forced_tools: Option<bool>,
    /// Where it takes tools.
    pub tools_by: Option<ToolsBy>,
    /// The first day on which it is not served any more.
    #[serde(deserialize_with = "date")]
    pub retires: Option<Date>,
}

/// Where a model takes tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolsBy {
    /// In chats and elsewhere.
    Chat,
    /// In chats only while it does not think.
    ChatUnthinking,
    /// In `/responses` alone.
    Responses,
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
            thinks: self.thinks.or(other.thinks),
            efforts: self.efforts.or(other.efforts),
            sampling: self.sampling.or(other.sampling),
            forced_tools: self.forced_tools.or(other.forced_tools),
            tools_by: self.tools_by.or(other.tools_by),
            retires: self.retires.or(other.retires),
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
            thinks: self.thinks.unwrap_or(known.thinks),
            efforts: self.efforts.unwrap_or(known.efforts),
            sampling: match self.sampling {
                None => known.sampling,
                Some(true) => Sampling::Always,
                Some(false) => Sampling::Never,
            },
            takes_forced_tools: self.forced_tools.unwrap_or(known.takes_forced_tools),
            in_chats: match self.tools_by {
                None => known.in_chats,
                Some(ToolsBy::Chat) => InChats::All,
                Some(ToolsBy::ChatUnthinking) => InChats::ToolsUnthinking,
                Some(ToolsBy::Responses) => InChats::NoTools,
            },
            retires: self.retires.or(known.retires),
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

fn efforts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EffortLevels>, D::Error> {
    let levels = Vec::<Level>::deserialize(deserializer)?;
    let set = levels
        .into_iter()
        .fold(EffortLevels::UNKNOWN, EffortLevels::and);
    Ok(Some(set))
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    deserializer.deserialize_str(Day).map(Some)
}

struct Day;

impl Visitor<'_> for Day {
    type Value = Date;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date such as 2027-01-14")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Date, E> {
        text.parse().map_err(|_: jiff::Error| {
            E::custom(format!(
                "`{text}` is not a date; write for example 2027-01-14"
            ))
        })
    }
}
