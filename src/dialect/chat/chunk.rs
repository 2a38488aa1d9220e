//! The chunks of a stream and whole completions, as providers write them.

use serde::Deserialize;

use super::loose::Loose;
use super::usage::Counts;
use crate::dialect::conversation::lenient::{List, Object};

/// A list of objects; whatever else is in it says nothing.
#[derive(Debug, Deserialize)]
#[serde(transparent, bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Objects<T>(List<Object<T>>);

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self(List::default())
    }
}

impl<T> Objects<T> {
    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    /// The objects.
    pub(super) fn objects(self) -> impl Iterator<Item = T> {
        self.0.0.into_iter().filter_map(|object| object.0)
    }
}

/// A chunk, or a whole completion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk<'a> {
    #[serde(borrow)]
    pub(super) id: Loose<'a>,
    #[serde(borrow)]
    pub(super) model: Loose<'a>,
    #[serde(borrow)]
    pub(super) created: Loose<'a>,
    #[serde(borrow)]
    pub(super) choices: Objects<Choice<'a>>,
    pub(super) usage: Object<Counts>,
    #[serde(borrow)]
    pub(super) error: Loose<'a>,
    /// Groq's own, in which it tells the usage without being asked.
    pub(super) x_groq: Object<OfGroq>,
    /// Errors may have no object of their own.
    #[serde(borrow)]
    pub(super) object: Loose<'a>,
    #[serde(borrow)]
    pub(super) message: Loose<'a>,
    #[serde(borrow)]
    pub(super) code: Loose<'a>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Loose<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OfGroq {
    pub(super) usage: Object<Counts>,
}

/// One of the answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    pub(super) index: Loose<'a>,
    #[serde(borrow)]
    pub(super) delta: Object<Delta<'a>>,
    #[serde(borrow)]
    pub(super) message: Object<Delta<'a>>,
    /// Some servers answer in the words of `/completions`, which have no message.
    #[serde(borrow)]
    pub(super) text: Loose<'a>,
    #[serde(borrow)]
    pub(super) finish_reason: Loose<'a>,
    #[serde(borrow)]
    pub(super) error: Loose<'a>,
    /// Moonshot tells it here.
    pub(super) usage: Object<Counts>,
}

/// What a chunk adds to an answer, or the whole of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) content: Loose<'a>,
    #[serde(borrow)]
    pub(super) refusal: Loose<'a>,
    #[serde(borrow)]
    pub(super) reasoning_content: Loose<'a>,
    #[serde(borrow)]
    pub(super) reasoning: Loose<'a>,
    #[serde(borrow)]
    pub(super) thinking: Loose<'a>,
    #[serde(borrow)]
    pub(super) reasoning_details: Objects<Detail<'a>>,
    #[serde(borrow)]
    pub(super) annotations: Objects<Annotation<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Objects<CallPart<'a>>,
    #[serde(borrow)]
    pub(super) function_call: Object<Function<'a>>,
}

/// A piece of reasoning, as `OpenRouter` writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Detail<'a> {
    #[serde(borrow)]
    pub(super) text: Loose<'a>,
    #[serde(borrow)]
    pub(super) summary: Loose<'a>,
}

/// A source; some write the page flat.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotation<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Loose<'a>,
    #[serde(borrow)]
    pub(super) url_citation: Object<Page<'a>>,
    #[serde(borrow)]
    pub(super) url: Loose<'a>,
    #[serde(borrow)]
    pub(super) title: Loose<'a>,
    #[serde(borrow)]
    pub(super) start_index: Loose<'a>,
    #[serde(borrow)]
    pub(super) end_index: Loose<'a>,
}

/// A page that is cited.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    pub(super) url: Loose<'a>,
    #[serde(borrow)]
    pub(super) title: Loose<'a>,
    #[serde(borrow)]
    pub(super) start_index: Loose<'a>,
    #[serde(borrow)]
    pub(super) end_index: Loose<'a>,
}

/// A piece of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallPart<'a> {
    #[serde(borrow)]
    pub(super) index: Loose<'a>,
    #[serde(borrow)]
    pub(super) id: Loose<'a>,
    #[serde(borrow)]
    pub(super) function: Object<Function<'a>>,
    #[serde(borrow)]
    pub(super) custom: Object<Custom<'a>>,
}

/// A function and its arguments; some write the object itself instead of its JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Loose<'a>,
    #[serde(borrow)]
    pub(super) arguments: Loose<'a>,
}

/// A custom tool and its text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Custom<'a> {
    #[serde(borrow)]
    pub(super) name: Loose<'a>,
    #[serde(borrow)]
    pub(super) input: Loose<'a>,
}
