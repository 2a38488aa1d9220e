//! The item of the output that is being sent.

use serde_json::{Value, json};

use super::numbered::{Numbered, delta_head};
use crate::dialect::conversation::thoughts::ITEM;
use crate::dialect::conversation::{CallHead, OpenPart};

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Refusal,
    Thought,
    Call(CallHead),
}

/// An item whose beginning was sent.
#[derive(Debug)]
pub(super) struct OpenItem {
    pub(super) kind: Kind,
    id: String,
    index: usize,
    /// Its complete parts, where another writer has begun it with several; a writer's own items have one.
    parts: Vec<Value>,
    /// The text, the refusal, the thought, or the input of the call.
    text: String,
    pub(super) annotations: Vec<Value>,
    /// The encrypted thought.
    pub(super) encrypted: Option<String>,
    /// Whether all of a call has come.
    pub(super) is_complete: bool,
    /// The beginning of the events with more of the text.
    head: Vec<u8>,
}

impl OpenItem {
    /// Begins an item. `name`: that of the response.
    pub(super) fn begin(
        kind: Kind,
        name: &str,
        index: usize,
        numbered: &mut Numbered,
        out: &mut Vec<u8>,
    ) -> Self {
        let id = item_id(&kind, name, index);
        let begun = Self::of(kind, id, index, Vec::new());
        begun.announce(numbered, out);
        begun
    }

    /// Goes on with an item that the client has the beginning of.
    pub(super) fn resume(open: &OpenPart, index: usize) -> Self {
        let kind = if open.is_thought {
            Kind::Thought
        } else {
            Kind::Text
        };
        Self {
            text: open.text.clone(),
            ..Self::of(kind, open.id.clone(), index, open.parts.clone())
        }
    }

    fn of(kind: Kind, id: String, index: usize, parts: Vec<Value>) -> Self {
        let words = kind.words();
        let mut place = format!("\"item_id\":\"{id}\",\"output_index\":{index}");
        if let Some(Parts { index, .. }) = words.parts {
            place += &format!(",\"{index}\":{}", parts.len());
        }
        if kind == Kind::Text {
            place += ",\"logprobs\":[]";
        }
        let head = delta_head(&format!("{}.delta", words.events), &place);
        Self {
            kind,
            id,
            index,
            parts,
            text: String::new(),
            annotations: Vec::new(),
            encrypted: None,
            is_complete: false,
            head,
        }
    }

    /// Sends its beginning.
    fn announce(&self, numbered: &mut Numbered, out: &mut Vec<u8>) {
        let item = self.item("in_progress", None);
        numbered.tell_item("response.output_item.added", self.index, &item, out);
        if let Some(parts) = self.kind.words().parts {
            let added = self.place(parts.index, "part", &self.part());
            numbered.tell(&format!("{}.added", parts.events), &added, out);
        }
    }

    /// Sends more of its text.
    pub(super) fn say(&mut self, text: &str, numbered: &mut Numbered, out: &mut Vec<u8>) {
        self.text.push_str(text);
        numbered.delta(&self.head, text, out);
    }

    /// Sends a source of its text.
    pub(super) fn cite(&mut self, annotation: Value, numbered: &mut Numbered, out: &mut Vec<u8>) {
        let mut added = self.place("content_index", "annotation", &annotation);
        added["annotation_index"] = self.annotations.len().into();
        numbered.tell("response.output_text.annotation.added", &added, out);
        self.annotations.push(annotation);
    }

    /// Ends it, and returns the whole item.
    pub(super) fn end(self, status: &str, numbered: &mut Numbered, out: &mut Vec<u8>) -> Value {
        let (words, part) = (self.kind.words(), self.part());
        let text = Value::from(self.text.as_str());
        let mut done = match (&self.kind, &words.parts) {
            (_, Some(parts)) => self.place(parts.index, words.field, &text),
            (Kind::Call(head), None) => {
                json!({ "item_id": self.id, "output_index": self.index, "name": head.tool.name, words.field: text })
            }
            (Kind::Text | Kind::Refusal | Kind::Thought, None) => Value::Null,
        };
        if self.kind == Kind::Text {
            done["logprobs"] = json!([]);
        }
        numbered.tell(&format!("{}.done", words.events), &done, out);
        if let Some(parts) = words.parts {
            let done = self.place(parts.index, "part", &part);
            numbered.tell(&format!("{}.done", parts.events), &done, out);
        }
        let item = self.item(status, Some(part));
        numbered.tell_item("response.output_item.done", self.index, &item, out);
        item
    }

    /// How many characters its text has, where that counts for citations.
    pub(super) fn characters(&self) -> usize {
        match self.kind {
            Kind::Text => self.text.chars().count(),
            Kind::Refusal | Kind::Thought | Kind::Call(_) => 0,
        }
    }

    /// The fields of an event about its open part.
    fn place(&self, part_index: &str, field: &str, value: &Value) -> Value {
        json!({ "item_id": self.id, "output_index": self.index, part_index: self.parts.len(), field: value })
    }

    /// Its open part, with the text so far; null for a call.
    fn part(&self) -> Value {
        match self.kind {
            Kind::Text => json!({
                "type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": [],
            }),
            Kind::Refusal => json!({ "type": "refusal", "refusal": self.text }),
            Kind::Thought => json!({ "type": "summary_text", "text": self.text }),
            Kind::Call(_) => Value::Null,
        }
    }

    /// The item with this part behind those that are complete.
    fn item(&self, status: &str, part: Option<Value>) -> Value {
        let parts: Vec<Value> = self.parts.iter().cloned().chain(part).collect();
        match &self.kind {
            Kind::Text | Kind::Refusal => json!({
                "id": self.id, "type": "message", "role": "assistant", "status": status, "content": parts,
            }),
            Kind::Thought => reasoning(&self.id, parts, self.encrypted.as_deref()),
            Kind::Call(head) => self.call(head, status),
        }
    }

    fn call(&self, head: &CallHead, status: &str) -> Value {
        let (kind, input) = if head.tool.is_custom {
            ("custom_tool_call", "input")
        } else {
            ("function_call", "arguments")
        };
        let mut item = json!({
            "id": self.id, "type": kind, "status": status, "call_id": head.id, "name": head.tool.name,
            input: self.text,
        });
        if let Some(namespace) = &head.tool.namespace {
            item["namespace"] = namespace.as_str().into();
        }
        item
    }
}

/// How events name what they are about.
struct Words {
    /// What the events about its text begin with.
    events: &'static str,
    /// The field that has all of the text.
    field: &'static str,
    /// Its parts, if it has some.
    parts: Option<Parts>,
}

struct Parts {
    /// What the events about a part begin with.
    events: &'static str,
    /// The field that has the number of a part.
    index: &'static str,
}

impl Kind {
    fn words(&self) -> Words {
        let content = Parts {
            events: "response.content_part",
            index: "content_index",
        };
        let summary = Parts {
            events: "response.reasoning_summary_part",
            index: "summary_index",
        };
        let (events, field, parts) = match self {
            Self::Text => ("response.output_text", "text", Some(content)),
            Self::Refusal => ("response.refusal", "refusal", Some(content)),
            Self::Thought => ("response.reasoning_summary_text", "text", Some(summary)),
            Self::Call(head) if head.tool.is_custom => {
                ("response.custom_tool_call_input", "input", None)
            }
            Self::Call(_) => ("response.function_call_arguments", "arguments", None),
        };
        Words {
            events,
            field,
            parts,
        }
    }
}

/// The id of an item: its kind, the name of the response, and its place there.
pub(super) fn item_id(kind: &Kind, name: &str, index: usize) -> String {
    let kind = match kind {
        Kind::Text | Kind::Refusal => "msg_",
        Kind::Thought => ITEM,
        Kind::Call(head) if head.tool.is_custom => "ctc_",
        Kind::Call(_) => "fc_",
    };
    format!("{kind}{name}{index:02}")
}

/// An item of reasoning.
pub(super) fn reasoning(id: &str, summary: Vec<Value>, encrypted: Option<&str>) -> Value {
    let mut item = json!({ "id": id, "type": "reasoning", "summary": summary });
    if let Some(encrypted) = encrypted {
        item["encrypted_content"] = encrypted.into();
    }
    item
}
