//! What a request requires of a model.

use super::media::{has_audio, has_data, has_image};
use crate::catalogue::{Abilities, Ability};
use crate::wire::json::{Field, Wanted, pick, wanted};

/// On average no tokenizer has longer tokens for ordinary text, with its escapes and the JSON around it.
const MOST_BYTES_PER_TOKEN: usize = 12;

/// What a request requires of a model: what its fields say, and what only its body shows. The body is searched only
/// when an ability is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs<'a> {
    /// What its fields require.
    pub demands: Abilities,
    /// The body; empty if it is unknown.
    pub body: &'a [u8],
}

impl Needs<'_> {
    /// Whether it needs this ability.
    pub fn include(self, ability: Ability) -> bool {
        self.demands.contains(ability)
            || match ability {
                Ability::Vision => has_image(self.body),
                Ability::Audio => has_audio(self.body),
                _ => false,
            }
    }

    /// Whether it cannot fit into so many tokens, however they are counted.
    pub fn exceed(self, context_window: u32) -> bool {
        self.body.len() / MOST_BYTES_PER_TOKEN > context_window as usize && !has_data(self.body)
    }

    /// Whether it is a list of texts, or of texts as tokens, each of which has the model's context window for itself.
    pub fn has_several_inputs(self) -> bool {
        let inputs: Inputs<'_> = pick(self.body).unwrap_or_default();
        let given = inputs.input.get().or_else(|| inputs.prompt.get());
        let list = given.and_then(|given| given.strip_prefix('['));
        list.is_some_and(|list| list.trim_start().starts_with(['"', '[']))
    }
}

wanted!(
    /// What embeddings and completions are made of, as it was written.
    Inputs: input, prompt
);

#[cfg(test)]
mod tests {
    use super::Needs;

    #[test]
    fn only_what_surely_does_not_fit_is_too_long() {
        let exceeds = |body: &str, window| {
            let needs = Needs {
                body: body.as_bytes(),
                ..Needs::default()
            };
            needs.exceed(window)
        };
        let text = "x".repeat(120_000);
        assert!(exceeds(&text, 8192));
        assert!(!exceeds(&text, 16_385));
        let image = format!("data:image/png;base64,{text}");
        assert!(!exceeds(&image, 8192));
    }

    #[test]
    fn each_of_several_inputs_is_told_from_a_long_one() {
        for (body, several) in [
            (r#"{"input": "a b"}"#, false),
            (r#"{"input": [1, 2]}"#, false),
            (r#"{"input": [ "a", "b"]}"#, true),
            (r#"{"prompt": [[1], [2]]}"#, true),
            ("{}", false),
            ("no JSON", false),
        ] {
            let needs = Needs {
                body: body.as_bytes(),
                ..Needs::default()
            };
            assert_eq!(needs.has_several_inputs(), several, "{body}");
        }
    }
}
