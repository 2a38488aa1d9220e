//! The events of Responses, as far as supervision reads them.

use std::borrow::Cow;
use std::num::ParseIntError;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::shape::{Kind, is_text};
use crate::dialect::said::{self, Part};

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ResponseEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    sequence_number: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) response: Option<ResponseHead<'a>>,
    pub(super) item: Option<&'a RawValue>,
    pub(super) part: Option<&'a RawValue>,
    delta: Option<&'a RawValue>,
    /// What makes events of different texts equally long.
    obfuscation: Option<&'a RawValue>,
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

    /// Its number in the stream, if it has one.
    pub(super) fn number(&self) -> Result<Option<u64>, ParseIntError> {
        self.sequence_number
            .map(|number| number.get().parse())
            .transpose()
    }

    /// What is different in the next event of the same kind, if it adds a text.
    pub(super) fn changing(&self) -> Option<impl Iterator<Item = (Kind, &'a str)> + use<'a>> {
        let others = [self.error, self.item, self.part];
        if self.response.is_some() || others.iter().any(Option::is_some) {
            return None;
        }
        let delta = self.delta.filter(|delta| is_text(delta))?;
        let values = [
            Some((Kind::Text, delta)),
            self.sequence_number.map(|number| (Kind::Number, number)),
            self.obfuscation.map(|filler| (Kind::Filler, filler)),
        ];
        let values = values.into_iter().flatten();
        Some(values.map(|(kind, value)| (kind, value.get())))
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
        let output = self.response.as_ref().and_then(|response| response.output);
        output.is_some_and(|output| said::in_list(output.get()))
    }
}

/// Whether an item stands for work of which the client sees nothing, so that silence may follow.
pub(super) fn is_unseen_work(item: &Part<'_>) -> bool {
    let kind = item.kind.as_deref().unwrap_or_default();
    UNSEEN_WORK.contains(&kind)
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ResponseHead<'a> {
    id: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    created_at: Option<&'a RawValue>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) output: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

impl ResponseHead<'_> {
    /// What its end must repeat, if it says which one it is.
    pub(super) fn begun(&self) -> Option<Begun> {
        Some(Begun {
            id: self.id.as_deref()?.to_owned(),
            model: self.model.as_deref().unwrap_or_default().to_owned(),
            created_at: self
                .created_at
                .and_then(|at| at.get().parse().ok())
                .unwrap_or_default(),
        })
    }
}

/// A response that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    id: String,
    model: String,
    /// A Unix timestamp in seconds.
    created_at: u64,
}

/// Ends a broken stream whose last event had this number. SDKs look for errors in different places: the error event has its
/// fields both flat and nested, and `response.failed` ends the stream for SDKs that wait for a terminal event. Strict ones
/// read it only with every field that `OpenAI` always sends.
pub(super) fn interruption(begun: Option<&Begun>, number: u64, error: &Value) -> Vec<u8> {
    let mut flat = error.clone();
    flat["type"] = "error".into();
    flat["sequence_number"] = (number + 1).into();
    flat["error"] = error.clone();
    let failed = json!({
        "type": "response.failed",
        "sequence_number": number + 2,
        "response": {
            "id": begun.map_or("resp_interrupted", |begun| &begun.id),
            "object": "response",
            "created_at": begun.map_or(0, |begun| begun.created_at),
            "status": "failed",
            "error": { "code": "server_error", "message": error["message"] },
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "model": begun.map_or("", |begun| &begun.model),
            "output": [],
            "parallel_tool_calls": true,
            "temperature": null,
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
        },
    });
    format!("event: error\ndata: {flat}\n\nevent: response.failed\ndata: {failed}\n\n").into_bytes()
}
