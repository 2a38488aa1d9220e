//! What the models take that Anthropic's API serves, by their names.

/// What is known of a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Whether it thinks unless it is told not to.
    pub(super) thinks: bool,
    /// Which levels of effort it takes.
    pub(super) efforts: EffortLevels,
    /// Whether it takes `temperature`, `top_p` and `top_k`.
    pub(super) sampling: Sampling,
    /// Whether it takes `temperature` and `top_p` in the same request.
    pub(super) takes_both: bool,
    /// How it is asked to think.
    pub(super) thinking: Thinking,
    /// How it is told not to think.
    pub(super) unthinking: Unthinking,
    /// Whether it follows a JSON schema by itself.
    pub(super) takes_schema: bool,
    /// Whether it continues a last message of the assistant.
    pub(super) takes_prefill: bool,
    /// Whether it can be forced to call a tool.
    pub(super) takes_forced_tools: bool,
    /// Whether it takes messages of the system amid the conversation.
    pub(super) takes_system_amid: bool,
}

/// When a model takes `temperature` and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// In every request.
    Always,
    /// Never.
    Never,
}

/// How a model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It does not think.
    Never,
    /// With a budget of tokens.
    Budget,
    /// As much as it considers right, with an effort.
    Adaptive,
}

/// How a model is told not to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unthinking {
    /// `thinking: {type: disabled}`
    Disabled,
    /// `thinking: {type: between_tools}`, which is the least that it can.
    BetweenTools,
    /// It always thinks; a low effort is the least.
    Never,
}

/// The levels of effort that a model takes, from the least to the most.
#[derive(Clone, Copy, Debug)]
pub(super) struct EffortLevels(&'static [&'static str]);

impl EffortLevels {
    /// The level that comes closest: that one, else the next lower one, else the lowest; `None`: it takes no effort.
    pub(super) fn closest(self, asked: &str) -> Option<&'static str> {
        const ALL: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];
        let asked = ALL.iter().position(|level| *level == asked).unwrap_or(0);
        let mut lower = ALL[..=asked].iter().rev();
        let lower = lower.find(|level| self.0.contains(level));
        lower.or_else(|| self.0.first()).copied()
    }
}

/// What is known of a model that Anthropic's API serves. Others copy the API for models of their own, whose names do not show
/// what they take: they take what is old.
pub(super) fn claude_facts(name: &str) -> Facts {
    let is = |class: &str| name.contains(class);
    let generation = match ["claude", "opus", "sonnet", "haiku", "fable", "mythos"]
        .into_iter()
        .any(is)
    {
        true => generation(name),
        false => (4, 1),
    };
    let since = |first: (u32, u32)| generation >= first;
    let always_thinks = match is("fable") || is("mythos") {
        true => since((5, 1)),
        false => since((5, 5)) && !is("haiku"),
    };
    Facts {
        thinks: since((5, 0)),
        efforts: EffortLevels(match generation {
            generation if generation >= (4, 7) => &["low", "medium", "high", "xhigh", "max"],
            generation if generation >= (4, 6) => &["low", "medium", "high", "max"],
            (4, 5) if is("opus") => &["low", "medium", "high"],
            _ => &[],
        }),
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
        unthinking: match () {
            () if always_thinks && is("sonnet") => Unthinking::BetweenTools,
            () if always_thinks => Unthinking::Never,
            () => Unthinking::Disabled,
        },
        takes_schema: since((4, 5)),
        takes_prefill: !since((4, 6)),
        takes_forced_tools: !always_thinks,
        // Sonnet 5 does not: `role 'system' is not supported on this model`.
        takes_system_amid: match is("opus") {
            true => since((4, 8)),
            false if is("sonnet") => since((5, 5)),
            false => since((5, 0)),
        },
    }
}

/// The generation that a name has; a name without one counts as the newest.
fn generation(name: &str) -> (u32, u32) {
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
