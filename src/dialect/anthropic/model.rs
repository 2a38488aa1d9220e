//! What Claude models can do, by their names: `claude-sonnet-4-5-20250929`, `claude-3-5-haiku-latest`,
//! `claude-opus-5`.

use crate::config::Prefill;

/// A generation of models: `(4, 5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Model(u32, u32);

impl Model {
    /// The generation that a name has; a name without one counts as the newest.
    pub(super) fn of(name: &str) -> Self {
        // Dates and sizes have more digits.
        let mut numbers = name
            .split(['-', '.', '@', ':', '/'])
            .filter(|part| part.len() <= 2)
            .filter_map(|part| part.parse().ok());
        match numbers.next() {
            Some(major) => Self(major, numbers.next().unwrap_or(0)),
            None => Self(u32::MAX, 0),
        }
    }

    /// Whether it accepts temperature, `top_p` and `top_k`.
    pub(super) fn takes_sampling(self) -> bool {
        self < Self(4, 7)
    }

    /// Whether it accepts temperature and `top_p` together.
    pub(super) fn takes_both(self) -> bool {
        self < Self(4, 1)
    }

    /// How it is asked to reason.
    pub(super) fn thinking(self) -> Thinking {
        match self {
            Self(..=2, _) | Self(3, ..=6) => Thinking::Never,
            model if model < Self(4, 6) => Thinking::Budget,
            _ => Thinking::Adaptive,
        }
    }

    /// Whether it accepts a budget of tokens for reasoning; the newest say `"thinking.type.enabled" is not supported
    /// for this model`.
    pub(super) fn takes_budget(self) -> bool {
        (Self(3, 7)..Self(4, 7)).contains(&self)
    }

    /// The closest effort that it knows: `max` came with 4.6, `xhigh` with 4.7.
    pub(super) fn effort(self, asked: &str) -> &str {
        match asked {
            "minimal" => "low",
            "xhigh" if self < Self(4, 7) => "high",
            "max" if self < Self(4, 6) => "high",
            asked => asked,
        }
    }

    /// Whether it supports JSON schemas by itself.
    pub(super) fn takes_schema(self) -> bool {
        self >= Self(4, 5)
    }

    /// Whether it accepts a prefill.
    pub(super) fn takes_prefill(self) -> bool {
        self < Self(4, 6)
    }
}

/// How a model is asked to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It does not reason.
    Never,
    /// With a budget of tokens.
    Budget,
    /// As much as it considers right, with an effort.
    Adaptive,
}

/// Whether a model can be forced to call a tool; Fable and Mythos reject that since 5.1.
pub(super) fn takes_forced_tools(name: &str) -> bool {
    let chooses = name.contains("fable") || name.contains("mythos");
    !chooses || Model::of(name) < Model(5, 1)
}

/// Whether a model accepts an effort: of generation 4.5 only Opus does, the others say `This model does not support
/// the effort parameter`.
pub(super) fn takes_effort(name: &str) -> bool {
    let model = Model::of(name);
    model >= Model(4, 6) || model == Model(4, 5) && name.contains("opus")
}

/// How a model is asked to continue the start of an answer.
pub fn prefill(model: &str) -> Prefill {
    if Model::of(model).takes_prefill() {
        Prefill::Trailing
    } else {
        Prefill::None
    }
}

#[cfg(test)]
mod tests {
    use super::{Model, takes_effort};

    #[test]
    fn generations_are_read_off_names() {
        for (name, model) in [
            ("claude-sonnet-4-5-20250929", Model(4, 5)),
            ("claude-3-5-haiku-latest", Model(3, 5)),
            ("claude-3-opus-20240229", Model(3, 0)),
            ("claude-opus-5", Model(5, 0)),
            ("anthropic/claude-opus-4.1", Model(4, 1)),
            ("claude-next", Model(u32::MAX, 0)),
        ] {
            assert_eq!(Model::of(name), model, "{name}");
        }
    }

    #[test]
    fn efforts_are_named_as_far_as_they_are_known() {
        for (model, xhigh, max) in [
            (Model(4, 5), "high", "high"),
            (Model(4, 6), "high", "max"),
            (Model(4, 7), "xhigh", "max"),
        ] {
            assert_eq!((model.effort("xhigh"), model.effort("max")), (xhigh, max));
        }
        for (name, takes) in [
            ("claude-haiku-4-5", false),
            ("claude-sonnet-4-5-20250929", false),
            ("claude-opus-4-1", false),
            ("claude-opus-4-5", true),
            ("claude-sonnet-4-6", true),
        ] {
            assert_eq!(takes_effort(name), takes, "{name}");
        }
    }
}
