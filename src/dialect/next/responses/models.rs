//! What `OpenAI`'s models take, by their names.

use crate::dialect::next::conversation::{Effort, Thinking};
use crate::request::is_reasoning_model;

/// A model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// Whether it thinks.
    pub(super) thinks: bool,
    /// The version of a gpt: `(5, 4)`; `None` for others (`o3`, `gpt-oss`, models of other providers).
    version: Option<(u32, u32)>,
    /// Made for coding agents: it always thinks.
    is_codex: bool,
    /// Made for hard problems: it always thinks hard.
    is_pro: bool,
    /// Of `OpenAI`'s before gpt-5.
    is_older: bool,
}

impl Model {
    pub(super) fn of(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let has = |part: &str| {
            name.split(['-', '.', ':'])
                .any(|piece| piece.eq_ignore_ascii_case(part))
        };
        Self {
            thinks: is_reasoning_model(name),
            version: version(name),
            is_codex: has("codex"),
            is_pro: has("pro"),
            is_older: OLDER.iter().any(|older| name.starts_with(older)),
        }
    }

    /// Whether it can be told how much to say.
    pub(super) fn takes_verbosity(self) -> bool {
        !self.is_older
    }

    fn is_since(self, version: (u32, u32)) -> bool {
        self.version.is_some_and(|own| own >= version)
    }

    /// The effort to ask for; `None`: it is left to the model.
    pub(super) fn effort(self, thinking: &Thinking) -> Option<Effort> {
        if !self.thinks {
            return None;
        }
        let asked = match (thinking.is_on, thinking.effort, thinking.budget) {
            (Some(false), _, _) => Effort::None,
            (_, Some(effort), _) => effort,
            (_, None, Some(budget)) => Effort::of_budget(budget),
            // gpt-5.1 and later do not think unless they are asked to.
            (Some(true), None, None) => Effort::Medium,
            (None, None, None) => return None,
        };
        Some(self.closest(asked))
    }

    /// The closest effort that it knows.
    fn closest(self, asked: Effort) -> Effort {
        let asked = if self.is_pro {
            asked.max(Effort::High)
        } else {
            asked
        };
        let is_first = self.version == Some((5, 0)) && !self.is_codex;
        match asked {
            Effort::None if self.is_since((5, 1)) && !self.is_codex => Effort::None,
            Effort::None | Effort::Minimal if is_first => Effort::Minimal,
            Effort::None | Effort::Minimal => Effort::Low,
            Effort::Max if self.is_since((6, 0)) => Effort::Max,
            Effort::Xhigh | Effort::Max if self.is_since((5, 2)) => Effort::Xhigh,
            Effort::Xhigh | Effort::Max => Effort::High,
            known @ (Effort::Low | Effort::Medium | Effort::High) => known,
        }
    }

    /// Whether it takes temperature and `top_p`: those that think do not, but for those that only do when they are asked to.
    pub(super) fn takes_sampling(self, effort: Option<Effort>) -> bool {
        let always_thinks = self.is_codex || self.is_pro || self.is_since((6, 0));
        let thinks_if_asked = self.is_since((5, 1)) && !always_thinks;
        !self.thinks || thinks_if_asked && matches!(effort, None | Some(Effort::None))
    }
}

/// Beginnings of the names of `OpenAI`'s models before gpt-5.
const OLDER: [&str; 6] = ["gpt-3", "gpt-4", "chatgpt-4", "o1", "o3", "o4"];

/// The version in a name like `gpt-5.4-mini`; dates and sizes come behind it.
fn version(name: &str) -> Option<(u32, u32)> {
    let (start, rest) = name.split_at_checked(4)?;
    if !start.eq_ignore_ascii_case("gpt-") {
        return None;
    }
    let version = rest.split(['-', ':', '@']).next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::Model;
    use crate::dialect::next::conversation::{Effort, Thinking};

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
            assert_eq!(Model::of(model).effort(&thinking), expected, "{model}");
        }
        let adaptive = Thinking {
            is_on: Some(true),
            ..Thinking::default()
        };
        assert_eq!(Model::of("gpt-5.4").effort(&adaptive), Some(Medium));
        assert_eq!(
            Model::of("gpt-5.4").effort(&Thinking::default()),
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
            assert_eq!(Model::of(model).takes_sampling(effort), takes, "{model}");
        }
    }
}
