//! The events of a response, as far as they are read; what is of the wrong type is taken for missing.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::dialect::conversation::lenient::{Count, Details, Object, Text, most};
use crate::dialect::conversation::{Begin, Citation, Usage};
use crate::wire::json::{Field, Wanted, pick, wanted};

/// An event.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct StreamEvent<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
    pub(super) output_index: Count,
    pub(super) content_index: Count,
    pub(super) summary_index: Count,
    pub(super) item_id: Text<'a>,
    pub(super) delta: Text<'a>,
    pub(super) text: Text<'a>,
    pub(super) refusal: Text<'a>,
    pub(super) arguments: Option<&'a RawValue>,
    pub(super) input: Option<&'a RawValue>,
    pub(super) item: Option<&'a RawValue>,
    pub(super) annotation: Option<&'a RawValue>,
    pub(super) response: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
}

/// An item of the output.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Item<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
    pub(super) id: Text<'a>,
    pub(super) status: Text<'a>,
    pub(super) call_id: Text<'a>,
    pub(super) name: Text<'a>,
    pub(super) arguments: Option<&'a RawValue>,
    pub(super) input: Option<&'a RawValue>,
    pub(super) content: Option<&'a RawValue>,
    pub(super) summary: Option<&'a RawValue>,
    pub(super) encrypted_content: Text<'a>,
}

impl<'a> Item<'a> {
    /// Reads an item; an empty one if it is none.
    pub(super) fn of(raw: &'a RawValue) -> Self {
        serde_json::from_str(raw.get()).unwrap_or_default()
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(&*self.kind.0, "function_call" | "custom_tool_call")
    }

    pub(super) fn is_custom(&self) -> bool {
        self.kind.0 == "custom_tool_call"
    }

    /// What a call is called with.
    pub(super) fn call_input(&self) -> Option<Cow<'a, str>> {
        (if self.is_custom() {
            self.input
        } else {
            self.arguments
        })
        .map(as_text)
    }
}

/// A part of a message or of reasoning.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Part<'a> {
    pub(super) text: Text<'a>,
    pub(super) refusal: Text<'a>,
    pub(super) annotations: Option<&'a RawValue>,
}

/// The parts of a content; some write one text instead.
pub(super) fn parts(content: Option<&RawValue>) -> Vec<Part<'_>> {
    let Some(raw) = content else {
        return Vec::new();
    };
    let text = raw.get();
    if text.starts_with('"') {
        let text = Text(as_text(raw));
        return vec![Part {
            text,
            ..Part::default()
        }];
    }
    serde_json::from_str(text).unwrap_or_default()
}

wanted!(
    /// What an answer costs, in tokens.
    Counts:
    input_tokens, input_tokens_details, output_tokens, output_tokens_details
);

/// Reads a usage object; `None`: it is none.
pub fn usage(usage: &str) -> Option<Usage> {
    let counts: Counts<'_> = pick(usage.as_bytes()).ok()?;
    let input = Details::of(counts.input_tokens_details);
    let output = Details::of(counts.output_tokens_details);
    Some(Usage {
        input: most([counts.input_tokens]),
        cached: most([input.cached_tokens]),
        written: most([input.cache_write_tokens]),
        output: most([counts.output_tokens]),
        reasoning: most([output.reasoning_tokens]),
    })
}

/// A response.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Response<'a> {
    id: Text<'a>,
    model: Text<'a>,
    created_at: Count,
    pub(super) status: Text<'a>,
    output: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
    incomplete_details: Object<Incomplete<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Incomplete<'a> {
    reason: Text<'a>,
}

impl<'a> Response<'a> {
    /// Reads a response; an empty one if it is none.
    pub(super) fn of(raw: Option<&'a RawValue>) -> Self {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default()
    }

    pub(super) fn begin(&self) -> Begin {
        Begin {
            id: self.id.0.clone().into_owned(),
            model: self.model.0.clone().into_owned(),
            created: self.created_at.0.filter(|seconds| *seconds > 0),
        }
    }

    /// The items of the output; `None`: it has no list of them.
    pub(super) fn items(&self) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(self.output?.get()).ok()
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage.and_then(|costs| usage(costs.get()))
    }

    /// Why it is not complete; empty if it does not say.
    pub(super) fn reason(&self) -> &str {
        let details = self.incomplete_details.0.as_ref();
        details.map_or("", |details| &details.reason.0)
    }
}

/// The page that an annotation cites, in a text that starts behind so many characters; `None`: it is another kind.
pub(super) fn citation(annotation: &Value, before: usize) -> Option<Citation> {
    if annotation["type"] != "url_citation" {
        return None;
    }
    let text = |field: &str| annotation[field].as_str().unwrap_or_default().to_owned();
    let place = |field: &str| {
        annotation[field]
            .as_u64()
            .map_or(0, |place| usize::try_from(place).unwrap_or(0))
            .saturating_add(before)
    };
    Some(Citation {
        url: text("url"),
        title: text("title"),
        start: place("start_index"),
        end: place("end_index"),
    })
}

/// The text of a value; what is no text as JSON, since some write arguments as an object.
pub(super) fn as_text(raw: &RawValue) -> Cow<'_, str> {
    let json = raw.get();
    if !json.starts_with('"') {
        return Cow::Borrowed(json);
    }
    serde_json::from_str::<Text<'_>>(json).unwrap_or_default().0
}
