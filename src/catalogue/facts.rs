//! What can be known of a model.

use jiff::civil::Date;

use super::ability::Abilities;
use super::effort::EffortLevels;

/// What is known of a model. What nobody has stated is assumed to be possible: a wrong guess costs one upstream error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The context window in tokens, question and answer together.
    pub context_window: Option<u32>,
    /// The largest answer, in tokens.
    pub max_output: Option<u32>,
    /// What it cannot do.
    pub missing: Abilities,
    /// The first day on which its maker does not serve it any more.
    pub retires: Option<Date>,
    /// Whether it thinks unless it is told not to: it may be silent for long.
    pub thinks: bool,
    /// Which levels of effort it takes.
    pub efforts: EffortLevels,
    /// Whether it takes `temperature`, `top_p` and their kin.
    pub sampling: Sampling,
    /// Whether it takes `temperature` and `top_p` in the same request.
    pub takes_both: bool,
    /// How it is asked to think, in Anthropic's API.
    pub thinking: Thinking,
    /// Whether it takes a budget of tokens for thinking, in Anthropic's API.
    pub takes_budget: bool,
    /// How it is told not to think, in Anthropic's API.
    pub unthinking: Unthinking,
    /// Whether it follows a JSON schema by itself, rather than through a tool that it is forced to call.
    pub takes_schema: bool,
    /// Whether it continues a last message of the assistant, in Anthropic's API.
    pub takes_prefill: bool,
    /// Whether it can be forced to call a tool.
    pub takes_forced_tools: bool,
    /// Whether it takes `parallel_tool_calls`.
    pub takes_parallel_choice: bool,
    /// Whether it takes messages of the system amid the conversation, in Anthropic's API.
    pub takes_system_amid: bool,
    /// What it takes in a chat, where `/responses` takes everything.
    pub in_chats: InChats,
}

/// When a model takes `temperature`, `top_p` and their kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// In every request.
    Always,
    /// Only while it is not asked to think: without an effort, or with the effort `none`.
    Unthinking,
    /// Never.
    Never,
}

/// How a model is asked to think, in Anthropic's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// It does not think.
    Never,
    /// With a budget of tokens.
    Budget,
    /// As much as it considers right, with an effort.
    Adaptive,
}

/// How a model is told not to think, in Anthropic's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unthinking {
    /// `thinking: {type: disabled}`
    Disabled,
    /// `thinking: {type: between_tools}`, which is the least that it can.
    BetweenTools,
    /// It always thinks; a low effort is the least.
    Never,
}

/// What a model takes in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InChats {
    /// Everything.
    All,
    /// Tools only with `reasoning_effort: none`, which must be stated: `Function tools with reasoning_effort are not
    /// supported`.
    ToolsUnthinking,
    /// No tools.
    NoTools,
    /// Nothing: `This model is only supported in v1/responses`.
    Nothing,
}

impl Facts {
    /// A model that nobody knows.
    pub const UNKNOWN: Self = Self {
        context_window: None,
        max_output: None,
        missing: Abilities::of(&[]),
        retires: None,
        thinks: false,
        efforts: EffortLevels::UNKNOWN,
        sampling: Sampling::Always,
        takes_both: true,
        thinking: Thinking::Budget,
        takes_budget: true,
        unthinking: Unthinking::Disabled,
        takes_schema: true,
        takes_prefill: false,
        takes_forced_tools: true,
        takes_parallel_choice: true,
        takes_system_amid: false,
        in_chats: InChats::All,
    };

    /// Whether it takes `temperature` and its kin in a request with this effort.
    pub fn takes_sampling(&self, effort: Option<&str>) -> bool {
        match self.sampling {
            Sampling::Always => true,
            Sampling::Unthinking => matches!(effort, None | Some("none" | "null")),
            Sampling::Never => false,
        }
    }

    /// Whether one of `OpenAI`'s can be told how much to say: those since gpt-5 can. Those before do not think, or are of the
    /// o-series.
    pub fn takes_verbosity(&self) -> bool {
        self.thinks && self.takes_parallel_choice
    }
}
