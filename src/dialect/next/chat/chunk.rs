//! The chunks of a stream and whole completions, as providers write them.

use serde::Deserialize;

use super::loose::{List, Loose, Maybe};
use super::usage::Counts;

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
    pub(super) choices: List<Choice<'a>>,
    pub(super) usage: Maybe<Counts>,
    #[serde(borrow)]
    pub(super) error: Loose<'a>,
    /// Groq's own, in which it tells the usage without being asked.
    pub(super) x_groq: Maybe<OfGroq>,
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
    pub(super) usage: Maybe<Counts>,
}

/// One of the answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice<'a> {
    #[serde(borrow)]
    pub(super) index: Loose<'a>,
    #[serde(borrow)]
    pub(super) delta: Maybe<Delta<'a>>,
    #[serde(borrow)]
    pub(super) message: Maybe<Delta<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Loose<'a>,
    #[serde(borrow)]
    pub(super) error: Loose<'a>,
    /// Moonshot tells it here.
    pub(super) usage: Maybe<Counts>,
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
    pub(super) reasoning_details: List<Detail<'a>>,
    #[serde(borrow)]
    pub(super) annotations: List<Annotation<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: List<CallPart<'a>>,
    #[serde(borrow)]
    pub(super) function_call: Maybe<Function<'a>>,
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
    pub(super) url_citation: Maybe<Page<'a>>,
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
    pub(super) function: Maybe<Function<'a>>,
    #[serde(borrow)]
    pub(super) custom: Maybe<Custom<'a>>,
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
