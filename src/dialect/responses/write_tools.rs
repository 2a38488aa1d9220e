//! Tools and the choice among them, as they are written.

use serde::Serialize;
use serde_json::{Value, json};

use crate::dialect::conversation::{
    Choice, Dropped, Field, Names, Search, Tool, ToolKind, ToolName, schema,
};

/// A tool.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Written {
    Function {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        parameters: Value,
        /// If it is left out, the API tries to be strict.
        strict: bool,
    },
    Custom {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(skip_serializing_if = "Value::is_null")]
        format: Value,
    },
    WebSearch {
        #[serde(skip_serializing_if = "Value::is_null")]
        filters: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        search_context_size: Option<String>,
    },
}

/// The client's own tool.
pub(super) fn write_tool(tool: Tool, names: &mut Names, dropped: &mut Dropped) -> Written {
    let name = names.sent(&tool.name, tool.namespace.as_deref());
    let mut description = tool.description;
    if tool.cache.is_some() {
        dropped.field(Field::CacheControl);
    }
    match tool.kind {
        ToolKind::Function { schema, strict } => {
            let mut parameters = schema::of_tool(schema, schema::Taker::OpenAi, &mut description);
            if parameters.is_null() {
                parameters = json!({ "type": "object", "properties": {} });
            }
            // Others allow more in a strict schema.
            let strict = schema::keeps_strict(strict, &parameters, dropped);
            Written::Function {
                name,
                description,
                parameters,
                strict,
            }
        }
        ToolKind::Custom { format } => Written::Custom {
            name,
            description,
            format,
        },
    }
}

/// The search of the web.
pub(super) fn write_search(search: Search) -> Written {
    let filters = match search.allowed_domains {
        domains if domains.is_empty() => Value::Null,
        domains => json!({ "allowed_domains": domains }),
    };
    Written::WebSearch {
        filters,
        user_location: Search::located(search.location),
        search_context_size: search.context_size,
    }
}

/// The choice among so many tools; `None` leaves it to the API.
pub(super) fn write_choice(choice: &Choice, count: usize, names: &mut Names) -> Option<Value> {
    Some(match choice {
        Choice::Unsaid => return None,
        Choice::Auto => "auto".into(),
        Choice::Never => "none".into(),
        Choice::Any => "required".into(),
        Choice::Search if count == 1 => "required".into(),
        // A choice by the tool's own type takes other words than the tool itself.
        Choice::Search => {
            json!({ "type": "allowed_tools", "mode": "required", "tools": [{ "type": "web_search" }] })
        }
        Choice::One(tool) => named(tool, names),
        Choice::Among {
            names: allowed,
            must,
        } => {
            let tools: Vec<Value> = allowed.iter().map(|tool| named(tool, names)).collect();
            let mode = if *must { "required" } else { "auto" };
            json!({ "type": "allowed_tools", "mode": mode, "tools": tools })
        }
    })
}

fn named(tool: &ToolName, names: &mut Names) -> Value {
    let kind = if tool.is_custom { "custom" } else { "function" };
    json!({ "type": kind, "name": names.sent(&tool.name, tool.namespace.as_deref()) })
}
