//! What `OpenAI`'s models take, by their names.

use crate::catalogue::{Facts, Sampling};
use crate::dialect::conversation::{Effort, Thinking};

/// A model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model(Facts);

impl Model {
    pub(super) fn known(facts: Facts) -> Self {
        Self(facts)
    }

    /// Whether it thinks.
    pub(super) fn thinks(self) -> bool {
        self.0.thinks
    }

    /// Whether it can be told how much to say.
    pub(super) fn takes_verbosity(self) -> bool {
        self.0.takes_verbosity()
    }

    /// The effort to ask for; `None`: it is left to the model.
    pub(super) fn effort(self, thinking: &Thinking) -> Option<Effort> {
        let asked = match (thinking.is_on, thinking.effort, thinking.budget) {
            (Some(false), _, _) => Effort::None,
            (_, Some(effort), _) => effort,
            (_, None, Some(budget)) => Effort::of_budget(budget),
            // gpt-5.1 and later do not think unless they are asked to.
            (Some(true), None, None) => Effort::Medium,
            (None, None, None) => return None,
        };
        self.0.efforts.closest(asked.name()).and_then(Effort::of)
    }

    /// Whether it takes temperature and `top_p`: those that think do not, but for those that only do when they are asked to.
    pub(super) fn takes_sampling(self, effort: Option<Effort>) -> bool {
        match self.0.sampling {
            Sampling::Always => true,
            Sampling::Unthinking => matches!(effort, None | Some(Effort::None)),
            Sampling::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Model;
    use crate::catalogue::facts;
    use crate::dialect::conversation::{Effort, Thinking};

    #[test]
    fn models_are_asked_for_what_they_know() {
        use Effort::{High, Low, Max, Medium, Minimal, None, Xhigh};
        for (model, asked, expected) in [
            ("gpt-5", None, Some(Minimal)),
            ("gpt-5-codex", None, Some(Low)),
            ("gpt-5.4-mini", None, Some(None)),
            ("openai/gpt-6.1-sol", Max, Some(Max)),
            ("gpt-5.2", Max, Some(Xhigh)),
            ("gpt-5-pro", Low, Some(High)),
            ("o3", Xhigh, Some(High)),
            ("o4-mini", Minimal, Some(Low)),
            ("gpt-oss-120b", Medium, Some(Medium)),
            ("gpt-4o", High, Option::None),
            ("gpt-5-chat-latest", High, Option::None),
        ] {
            let thinking = Thinking {
                effort: Some(asked),
                ..Thinking::default()
            };
            assert_eq!(
                Model::known(facts(model)).effort(&thinking),
                expected,
                "{model}"
            );
        }
        let adaptive = Thinking {
            is_on: Some(true),
            ..Thinking::default()
        };
        assert_eq!(
            Model::known(facts("gpt-5.4")).effort(&adaptive),
            Some(Medium)
        );
        assert_eq!(
            Model::known(facts("gpt-5.4")).effort(&Thinking::default()),
            Option::None
        );
    }

    #[test]
    fn models_that_think_take_no_sampling() {
        for (model, effort, takes) in [
            ("gpt-4o", None, true),
            ("o3", None, false),
            ("gpt-5", None, false),
            ("gpt-5.1", None, true),
            ("gpt-5.4-nano", Some(Effort::None), true),
            ("gpt-5.4", Some(Effort::Low), false),
            ("gpt-5.1-codex-max", None, false),
            ("gpt-6-sol", None, false),
        ] {
            assert_eq!(
                Model::known(facts(model)).takes_sampling(effort),
                takes,
                "{model}"
            );
        }
    }
}
