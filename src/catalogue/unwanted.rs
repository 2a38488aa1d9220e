//! Optional fields that an upstream has refused by their names.

use super::quirks::Quirks;
use super::refused::RefusedFields;

/// Those that may be left out, but not without a word from whoever runs the proxy: without one of them the answer is another one.
const MEANT: RefusedFields = RefusedFields::of(&[
    "access_programs",
    "background_options",
    "logit_bias",
    "modalities",
    "moderation",
    "stop",
    "thinking",
]);

/// What an upstream does not know: fields that only tune an answer, and one of the names of the limit of its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwanted {
    fields: RefusedFields,
    /// The name of the limit that it knows instead.
    limit: Option<&'static str>,
    /// Whether it does not answer in events.
    is_stream: bool,
}

impl Unwanted {
    /// Nothing.
    pub const NONE: Self = Self {
        fields: RefusedFields::NONE,
        limit: None,
        is_stream: false,
    };

    /// An answer in events.
    pub const STREAM: Self = Self {
        is_stream: true,
        ..Self::NONE
    };

    /// Whether an answer in events is among it.
    pub fn is_stream(self) -> bool {
        self.is_stream
    }

    /// The field of this name, if an answer without it is the answer still.
    pub fn named(name: &str) -> Option<Self> {
        let limit = match name {
            Quirks::NEW_LIMIT => Some(Quirks::OLD_LIMIT),
            Quirks::OLD_LIMIT => Some(Quirks::NEW_LIMIT),
            _ => None,
        };
        let fields = RefusedFields::named(name).unwrap_or_default();
        let fields = fields.without(MEANT);
        let unwanted = Self {
            fields,
            limit,
            is_stream: name == "stream",
        };
        (unwanted != Self::NONE).then_some(unwanted)
    }

    /// What either does not know.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            fields: self.fields.or(other.fields),
            limit: self.limit.or(other.limit),
            is_stream: self.is_stream || other.is_stream,
        }
    }
}

impl Quirks {
    /// The same for an upstream that does not know this besides.
    #[must_use]
    pub fn doing_without(self, unwanted: Unwanted) -> Self {
        Self {
            refuses: self.refuses.or(unwanted.fields),
            limit: unwanted.limit.or(self.limit),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Quirks, Unwanted};

    #[test]
    fn what_only_tunes_an_answer_can_be_done_without_and_a_limit_has_another_name() {
        for name in ["reasoning_effort", "verbosity", "stream_options", "seed"] {
            let quirks = Quirks::UNKNOWN.doing_without(Unwanted::named(name).expect(name));
            assert!(quirks.refuses.iter().any(|field| field == name));
        }
        for name in [
            "tools",
            "response_format",
            "n",
            "stop",
            "logprobs",
            "logit_bias",
            "x",
        ] {
            assert_eq!(Unwanted::named(name), None, "{name}");
        }
        for (refused, known) in [
            ("max_tokens", "max_completion_tokens"),
            ("max_completion_tokens", "max_tokens"),
        ] {
            let quirks = Quirks::UNKNOWN.doing_without(Unwanted::named(refused).unwrap());
            assert_eq!(quirks.limit, Some(known));
        }
    }
}
