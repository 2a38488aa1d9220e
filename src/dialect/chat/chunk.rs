//! The chunks of a stream and whole completions, as providers write them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::conversation::lenient::{List, Loose, Object, TextOrJson};

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

/// A chunk, or a whole completion. What is large and rare is boxed, so that the usual chunk is small.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Chunk<'a> {
    pub(super) id: Loose<'a>,
    pub(super) model: Loose<'a>,
    pub(super) created: Loose<'a>,
    pub(super) choices: Objects<Choice<'a>>,
    pub(super) usage: Option<&'a RawValue>,
    /// Sources of the whole answer: their addresses (Perplexity, xAI), and what is known of them (Perplexity).
    pub(super) citations: List<Loose<'a>>,
    pub(super) search_results: Objects<Page<'a>>,
    pub(super) error: Loose<'a>,
    /// Groq's own, in which it tells the usage without being asked.
    pub(super) x_groq: Object<Box<OfGroq<'a>>>,
    /// Errors may have no object of their own.
    pub(super) object: Loose<'a>,
    pub(super) message: Loose<'a>,
    pub(super) code: Loose<'a>,
    #[serde(rename = "type")]
    pub(super) kind: Loose<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct OfGroq<'a> {
    pub(super) usage: Option<&'a RawValue>,
}

/// One of the answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Choice<'a> {
    pub(super) index: Loose<'a>,
    pub(super) delta: Object<Delta<'a>>,
    pub(super) message: Object<Box<Delta<'a>>>,
    /// Some servers answer in the words of `/completions`, which have no message.
    pub(super) text: TextOrJson<'a>,
    pub(super) finish_reason: Loose<'a>,
    /// The text that ended the answer, or the number of a token (vLLM).
    pub(super) stop_reason: Loose<'a>,
    /// The same (`SGLang`).
    pub(super) matched_stop: Loose<'a>,
    pub(super) error: Loose<'a>,
    /// Moonshot tells it here.
    pub(super) usage: Option<&'a RawValue>,
}

/// What a chunk adds to an answer, or the whole of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Delta<'a> {
    pub(super) content: TextOrJson<'a>,
    pub(super) refusal: Loose<'a>,
    pub(super) reasoning_content: Loose<'a>,
    pub(super) reasoning: Loose<'a>,
    pub(super) thinking: Loose<'a>,
    pub(super) reasoning_details: Objects<Detail<'a>>,
    pub(super) annotations: Objects<Annotation<'a>>,
    pub(super) tool_calls: Objects<CallPart<'a>>,
    pub(super) function_call: Object<Box<Function<'a>>>,
}

/// A piece of reasoning, as `OpenRouter` writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Detail<'a> {
    pub(super) text: Loose<'a>,
    pub(super) summary: Loose<'a>,
}

/// A source; some write the page flat.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Annotation<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Loose<'a>,
    pub(super) url_citation: Object<Page<'a>>,
    #[serde(flatten)]
    pub(super) flat: Page<'a>,
}

/// A page that is cited.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Page<'a> {
    pub(super) url: Loose<'a>,
    pub(super) title: Loose<'a>,
    pub(super) start_index: Loose<'a>,
    pub(super) end_index: Loose<'a>,
}

/// A piece of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct CallPart<'a> {
    pub(super) index: Loose<'a>,
    pub(super) id: Loose<'a>,
    pub(super) function: Object<Function<'a>>,
    pub(super) custom: Object<Custom<'a>>,
    pub(super) extra_content: Object<Box<Extra<'a>>>,
}

/// What only one provider adds to a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Extra<'a> {
    pub(super) google: Object<Google<'a>>,
}

/// Google's proof of the thought that led to a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Google<'a> {
    pub(super) thought_signature: Loose<'a>,
}

/// A function and its arguments; some write the object itself instead of its JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Function<'a> {
    pub(super) name: Loose<'a>,
    pub(super) arguments: TextOrJson<'a>,
}

/// A custom tool and its text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Custom<'a> {
    pub(super) name: Loose<'a>,
    pub(super) input: TextOrJson<'a>,
}
