//! The events of Responses, as far as supervision reads them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::answer::has_entries;

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
}

impl ResponseEvent<'_> {
    /// Whether it announces a message or a text that is still empty. Other items have content by their type.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty =
            |raw: Option<&RawValue>| raw.is_none_or(|raw| matches!(raw.get(), "[]" | "\"\""));
        let piece = self.item.or(self.part);
        let piece = piece.and_then(|raw| serde_json::from_str::<Piece<'_>>(raw.get()).ok());
        piece.is_some_and(|piece| match &*piece.kind {
            "message" => is_empty(piece.content),
            "output_text" => is_empty(piece.text),
            _ => false,
        })
    }

    pub(super) fn has_output(&self) -> bool {
        let response = self.response.as_ref();
        response.is_some_and(|response| has_entries(response.output))
    }
}

/// An item of the output, or a part of an item.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct ResponseHead<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
}
