//! Writes tools, the choice among them, and the form of the answer.

use serde_json::{Value, json};

use super::own_tools::{ANSWER_TOOL, WEB_SEARCH};
use super::wire::{Choice, Tool};
use crate::catalogue::Facts;
use crate::dialect::conversation::schema::{self, Taker};
use crate::dialect::conversation::{
    Choice as Asked, Dropped, Field, Format, Names, Search, Tool as Described, ToolKind, Tools,
    Unsaid, described, parameters,
};

/// Anthropic accepts longer names than others.
const LONGEST_NAME: usize = 128;

/// The tools of a request.
pub(super) struct Toolbox {
    /// In Anthropic's form.
    pub(super) tools: Vec<Tool>,
    /// Which is to be called.
    pub(super) choice: Option<Choice>,
    /// The names that are sent.
    pub(super) names: Names,
    /// The form of the answer.
    pub(super) shape: Shape,
}

/// How the form of an answer is asked for.
pub(super) enum Shape {
    /// By the instructions, if at all.
    Free,
    /// By a schema that the model keeps to by itself.
    Schema(Value),
    /// By the input of [`ANSWER_TOOL`].
    Tool,
}

impl Toolbox {
    /// Writes the tools for a model.
    pub(super) fn of(
        mut tools: Tools,
        format: Format,
        facts: &Facts,
        dropped: &mut Dropped,
    ) -> Result<Self, Unsaid> {
        let (shape, answer) = shape(format, facts, dropped)?;
        let reserved: &[&str] = match (&tools.search, &answer) {
            (Some(_), Some(_)) => &[WEB_SEARCH, ANSWER_TOOL],
            (Some(_), None) => &[WEB_SEARCH],
            (None, Some(_)) => &[ANSWER_TOOL],
            (None, None) => &[],
        };
        // "Tool names must be unique."
        tools.replace();
        let mut names = Names::of(&tools.list, LONGEST_NAME, reserved);
        tools.list.retain(tools.choice.allows());
        let must_call = tools.choice.is_forced() && !tools.list.is_empty();
        let is_single = tools.parallel == Some(false);
        let mut written: Vec<Tool> = Vec::with_capacity(tools.list.len() + 1);
        for tool in tools.list {
            written.push(function(tool, &mut names, dropped));
        }
        written.extend(tools.search.map(|tool| search(tool, dropped)));
        let mut choice = match written.is_empty() {
            true => None,
            false => choice(tools.choice, written.len(), &mut names),
        };
        // Whoever must call a tool of the client's does not answer yet.
        if let Some(answer) = answer.filter(|_| !must_call) {
            // If there are other tools, the model may call one of them first.
            let may_call =
                !written.is_empty() && choice.as_ref().is_none_or(|choice| choice.kind != "none");
            choice = Some(match may_call {
                true => Choice::of("any"),
                false => named(ANSWER_TOOL.to_owned()),
            });
            written.push(answer);
        }
        if choice.as_ref().is_some_and(Choice::is_forced) && !facts.takes_forced_tools {
            return Err(Unsaid("tool_choice"));
        }
        if is_single && !written.is_empty() {
            let choice = choice.get_or_insert_with(|| Choice::of("auto"));
            choice.disable_parallel_tool_use = choice.kind != "none";
        }
        Ok(Self {
            tools: written,
            choice,
            names,
            shape,
        })
    }

    /// If the history has tool calls, tools must be declared.
    pub(super) fn declare_past(&mut self) {
        if self.tools.is_empty() {
            self.tools.push(Tool::Function {
                name: "unused".to_owned(),
                description: None,
                input_schema: any_object(),
                cache_control: None,
            });
            self.choice = Some(Choice::of("none"));
        }
    }
}

/// How the form of an answer is asked for, and the tool for that, if it takes one.
fn shape(
    format: Format,
    facts: &Facts,
    dropped: &mut Dropped,
) -> Result<(Shape, Option<Tool>), Unsaid> {
    let Format::Schema {
        name,
        description,
        mut schema,
        ..
    } = format
    else {
        return Ok((Shape::Free, None));
    };
    // There are no fields for these beside the schema, but in it.
    for (field, said, lost) in [
        ("title", name, Field::SchemaName),
        ("description", description, Field::SchemaDescription),
    ] {
        let Some(said) = said else {
            continue;
        };
        let own = schema
            .as_object_mut()
            .map(|fields| fields.entry(field).or_insert_with(|| said.as_str().into()));
        if own.is_none_or(|own| *own != said) {
            dropped.field(lost);
        }
    }
    if facts.takes_schema
        && let Some(schema) = schema::of_answer(schema.clone(), Taker::Anthropic)
    {
        return Ok((Shape::Schema(schema), None));
    }
    if !facts.takes_forced_tools {
        return Err(Unsaid("this JSON schema"));
    }
    let mut description = Some("Gives the answer. Call it once, with the whole answer.".to_owned());
    let input_schema = schema::of_tool(schema, Taker::Anthropic, &mut description);
    let tool = Tool::Function {
        name: ANSWER_TOOL.to_owned(),
        description,
        input_schema,
        cache_control: None,
    };
    Ok((Shape::Tool, Some(tool)))
}

fn function(tool: Described, names: &mut Names, dropped: &mut Dropped) -> Tool {
    let mut description = tool.description;
    let schema = match tool.kind {
        ToolKind::Function { schema, strict } => {
            if strict == Some(true) {
                // Anthropic rejects many strict schemas that are fine elsewhere, such as those that refer to themselves, or
                // too many at once.
                dropped.field(Field::Strict);
            }
            schema
        }
        ToolKind::Custom { format } => {
            description = described(description, &format);
            parameters()
        }
    };
    let schema = match schema::of_tool(schema, Taker::Anthropic, &mut description) {
        schema @ Value::Object(_) => schema,
        _ => any_object(),
    };
    Tool::Function {
        name: names.sent(&tool.name, tool.namespace.as_deref()),
        description,
        input_schema: schema,
        cache_control: tool.cache,
    }
}

fn any_object() -> Value {
    json!({ "type": "object", "properties": {} })
}

/// The provider's own search.
fn search(search: Search, dropped: &mut Dropped) -> Tool {
    if search.context_size.is_some() {
        dropped.field(Field::SearchContextSize);
    }
    Tool::Search {
        kind: "web_search_20250305",
        name: WEB_SEARCH,
        allowed_domains: search.allowed_domains,
        user_location: Search::located(search.location),
    }
}

/// The choice among so many tools.
fn choice(asked: Asked, count: usize, names: &mut Names) -> Option<Choice> {
    Some(match asked {
        Asked::Unsaid => return None,
        Asked::Auto | Asked::Among { must: false, .. } => Choice::of("auto"),
        Asked::Never => Choice::of("none"),
        Asked::One(tool) => named(names.sent(&tool.name, tool.namespace.as_deref())),
        Asked::Search => named(WEB_SEARCH.to_owned()),
        Asked::Among { names: among, .. } if count == 1 && among.len() == 1 => {
            let tool = &among[0];
            named(names.sent(&tool.name, tool.namespace.as_deref()))
        }
        Asked::Any | Asked::Among { .. } => Choice::of("any"),
    })
}

fn named(name: String) -> Choice {
    Choice {
        name: Some(name),
        ..Choice::of("tool")
    }
}
