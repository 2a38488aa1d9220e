//! Writes the tools of a chat request, and the choice among them.

use serde_json::{Value, json};

use super::request_body::{Described, FUNCTION, Function};
use crate::dialect::conversation::schema::{self, Taker};
use crate::dialect::conversation::{
    Choice, Dropped, Field, Names, Tool, ToolKind, described, parameters,
};

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
        let allows = choice.allows();
        for tool in list {
            if tool.cache.is_some() {
                dropped.field(Field::CacheControl);
            }
            // Few know `allowed_tools`; the others must not know of the other tools.
            if allows(&tool) {
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
        let (schema, strict) = match tool.kind {
            ToolKind::Function { schema, strict } => {
                let schema = schema::of_tool(schema, Taker::OpenAi, &mut description);
                let is_strict = schema::keeps_strict(strict, &schema, dropped);
                (schema, is_strict.then_some(true))
            }
            ToolKind::Custom { format } => {
                description = described(description, &format);
                (parameters(), None)
            }
        };
        if let (Some(text), Some(longest)) = (&mut description, longest)
            && text.len() > longest
        {
            let rest = text.split_off(text.floor_char_boundary(longest));
            let more = format!("The description of the tool {name} goes on: {rest}");
            self.more.push(more);
        }
        let function = Described {
            name,
            description,
            parameters: schema,
            strict,
        };
        self.functions.push(Function {
            kind: FUNCTION,
            function,
        });
    }
}

fn written(choice: &Choice, names: &mut Names) -> Value {
    match choice {
        Choice::Unsaid => Value::Null,
        Choice::Auto | Choice::Among { must: false, .. } => "auto".into(),
        Choice::Never => "none".into(),
        Choice::Any | Choice::Search | Choice::Among { must: true, .. } => "required".into(),
        Choice::One(tool) => {
            let name = names.sent(&tool.name, tool.namespace.as_deref());
            json!({ "type": FUNCTION, "function": { "name": name } })
        }
    }
}
