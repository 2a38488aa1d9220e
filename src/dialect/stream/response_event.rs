//! The events of Responses, as far as supervision reads them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::said::{self, Part};

#[derive(Deserialize)]
pub(super) struct ResponseEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    pub(super) sequence_number: Option<u64>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<ResponseHead<'a>>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) part: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
}

/// Items that stand for work of which the client sees nothing: reasoning, and tools of the upstream's own.
const UNSEEN_WORK: [&str; 7] = [
    "reasoning",
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
];

impl<'a> ResponseEvent<'a> {
    /// The item or the part of an item that it is about.
    pub(super) fn piece(&self) -> Option<Part<'_>> {
        let piece = self.item.or(self.part)?;
        serde_json::from_str(piece.get()).ok()
    }

    /// Whether it adds nothing to a text.
    pub(super) fn has_empty_delta(&self) -> bool {
        self.delta.is_some_and(|delta| delta.get() == "\"\"")
    }

    /// What the response costs, if it says so.
    pub(super) fn usage(&self) -> Option<&'a RawValue> {
        self.response.as_ref()?.usage
    }

    pub(super) fn has_output(&self) -> bool {
        let response = self.response.as_ref();
        response.is_some_and(|response| said::in_output(response.output))
    }
}

/// Whether an item stands for work of which the client sees nothing, so that silence may follow.
pub(super) fn is_unseen_work(item: &Part<'_>) -> bool {
    let kind = item.kind.as_deref().unwrap_or_default();
    UNSEEN_WORK.contains(&kind)
}

#[derive(Deserialize)]
pub(super) struct ResponseHead<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}
