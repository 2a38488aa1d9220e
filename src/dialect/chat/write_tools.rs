//! Writes the tools of a chat request, and the choice among them.

use serde_json::{Value, json};

use super::request_body::{Described, FUNCTION, Function};
use crate::dialect::conversation::schema::{self, Taker};
use crate::dialect::conversation::{Choice, Dropped, Field, Names, Tool, ToolKind, ToolName};

/// The tools, as they are sent.
#[derive(Debug, Default)]
pub(super) struct Toolbox {
    pub(super) functions: Vec<Function>,
    /// The descriptions that are too long for their field.
    pub(super) more: Vec<String>,
    /// null: the model decides.
    pub(super) choice: Value,
}

impl Toolbox {
    /// `longest`: the longest description that is accepted, in bytes.
    pub(super) fn of(
        list: Vec<Tool>,
        choice: &Choice,
        names: &mut Names,
        longest: Option<usize>,
        dropped: &mut Dropped,
    ) -> Self {
        let mut toolbox = Self::default();
        for tool in list {
            if tool.cache.is_some() {
                dropped.field(Field::CacheControl);
            }
            if is_allowed(&tool, choice) {
                toolbox.add(tool, names, longest, dropped);
            }
        }
        if !toolbox.functions.is_empty() {
            toolbox.choice = written(choice, names);
        }
        toolbox
    }

    fn add(
        &mut self,
        tool: Tool,
        names: &mut Names,
        longest: Option<usize>,
        dropped: &mut Dropped,
    ) {
        let name = names.sent(&tool.name, tool.namespace.as_deref());
        let mut description = tool.description;
        let (parameters, strict) = match tool.kind {
            ToolKind::Function { schema, strict } => {
                let schema = schema::of_tool(schema, Taker::OpenAi, &mut description);
                let is_strict = strict == Some(true) && schema::is_strict(&schema);
                if strict == Some(true) && !is_strict {
                    dropped.field(Field::Strict);
                }
                (schema, is_strict.then_some(true))
            }
            ToolKind::Custom { format } => {
                describe(&format, &mut description);
                (text_parameters(), None)
            }
        };
        let description = description.map(|text| {
            let (begin, rest) = cut(&text, longest);
            if !rest.is_empty() {
                self.more.push(format!(
                    "The description of the tool {name} goes on: {rest}"
                ));
            }
            if rest.is_empty() {
                text
            } else {
                begin.to_owned()
            }
        });
        let function = Described {
            name,
            description,
            parameters,
            strict,
        };
        self.functions.push(Function {
            kind: FUNCTION,
            function,
        });
    }
}

/// Few know `allowed_tools`; the others must not know of the other tools.
fn is_allowed(tool: &Tool, choice: &Choice) -> bool {
    match choice {
        Choice::Among { names, .. } => names.iter().any(|name| is_named(tool, name)),
        Choice::Unsaid | Choice::Auto | Choice::Never | Choice::Any | Choice::One(_) => true,
    }
}

fn is_named(tool: &Tool, name: &ToolName) -> bool {
    tool.name == name.name && (name.namespace.is_none() || tool.namespace == name.namespace)
}

fn written(choice: &Choice, names: &mut Names) -> Value {
    match choice {
        Choice::Unsaid => Value::Null,
        Choice::Auto | Choice::Among { must: false, .. } => "auto".into(),
        Choice::Never => "none".into(),
        Choice::Any | Choice::Among { must: true, .. } => "required".into(),
        Choice::One(tool) => {
            let name = names.sent(&tool.name, tool.namespace.as_deref());
            json!({ "type": FUNCTION, "function": { "name": name } })
        }
    }
}

/// A function's one argument, for the text of a custom tool.
fn text_parameters() -> Value {
    let text = json!({ "type": "string", "description": "The whole input, as it is." });
    json!({
        "type": "object", "properties": { "input": text },
        "required": ["input"], "additionalProperties": false,
    })
}

/// A grammar cannot be enforced, so the description explains it.
fn describe(format: &Value, description: &mut Option<String>) {
    if let Some(grammar) = format["definition"].as_str() {
        let kind = format["syntax"].as_str().unwrap_or_default();
        let text = description.get_or_insert_default();
        *text += &format!("\n\nThe input follows this grammar ({kind}):\n{grammar}");
    }
}

fn cut(text: &str, longest: Option<usize>) -> (&str, &str) {
    match longest {
        Some(longest) if text.len() > longest => text.split_at(text.floor_char_boundary(longest)),
        _ => (text, ""),
    }
}
