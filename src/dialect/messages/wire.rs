//! A request as it is written, field by field.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// The body of a request. Fields that are `None` or empty are not written.
#[derive(Debug, Default, Serialize)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Choice>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) system: Vec<Block>,
    pub(super) messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) output_config: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<Number>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stream: bool,
}

impl Request {
    /// Whether tools were called before.
    pub(super) fn has_calls(&self) -> bool {
        let mut messages = self.messages.iter();
        messages.any(|message| message.content.iter().any(Block::is_call))
    }
}

/// Who is served.
#[derive(Debug, Serialize)]
pub(super) struct Metadata {
    pub(super) user_id: String,
}

/// A message.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) content: Vec<Block>,
}

impl Message {
    /// What this side says.
    pub(super) fn new(role: &'static str, content: Vec<Block>) -> Self {
        Self { role, content }
    }
}

/// A block of a message.
#[derive(Debug, Serialize)]
pub(super) struct Block {
    #[serde(flatten)]
    pub(super) said: Said,
    /// The caching mark behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Value>,
}

/// What is said in a block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Said {
    Text {
        text: String,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<String>,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        /// The JSON of an object, as it was written.
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block>,
    },
}

/// The data of an image or a document, or where it is.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source {
    Base64 {
        media_type: String,
        data: String,
    },
    Url {
        url: String,
    },
    Text {
        media_type: &'static str,
        data: String,
    },
}

/// A tool, or the provider's own search.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Tool {
    Function {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        input_schema: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Value>,
    },
    Search {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        allowed_domains: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Value>,
    },
}

/// The choice among the tools: `auto`, `any`, `none`, or `tool` with a name.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Choice {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) disable_parallel_tool_use: bool,
}

impl Choice {
    /// A choice without a name.
    pub(super) fn of(kind: &'static str) -> Self {
        Self {
            kind,
            name: None,
            disable_parallel_tool_use: false,
        }
    }

    /// Whether a tool must be called.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

impl Block {
    /// A block with this mark; thoughts take none.
    pub(super) fn new(said: Said, mark: Option<Value>) -> Self {
        let cache_control = mark.filter(|_| !said.is_thought());
        Self {
            said,
            cache_control,
        }
    }

    /// A text without a mark.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::new(Said::Text { text: text.into() }, None)
    }

    /// Whether it is a thought, readable or not.
    pub(super) fn is_thought(&self) -> bool {
        self.said.is_thought()
    }

    /// Whether it calls a tool.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.said, Said::ToolUse { .. })
    }
}

impl Said {
    fn is_thought(&self) -> bool {
        matches!(self, Self::Thinking { .. } | Self::RedactedThinking { .. })
    }
}
