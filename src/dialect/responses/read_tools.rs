//! The tools of a request, and which of them is to be called.

use serde_json::Value;

use crate::dialect::conversation::fields::{Object, kind_of, take, take_list, take_text};
use crate::dialect::conversation::{
    Choice, Dropped, Search, Tool, ToolKind, ToolName, Tools, Unsaid,
};

/// No client has more tools than that; to search them takes quadratic time.
const MOST: usize = 1024;

const HOSTED: Unsaid = Unsaid("hosted tools");
const CHOICE: Unsaid = Unsaid("tool_choice");

/// Reads declared tools. A later declaration replaces an earlier one.
pub(super) fn read_tools(
    list: Vec<Value>,
    tools: &mut Tools,
    dropped: &mut Dropped,
) -> Result<(), Unsaid> {
    for tool in list {
        let Value::Object(mut tool) = tool else {
            return Err(HOSTED);
        };
        match kind_of(&tool) {
            "namespace" => {
                let namespace = take_text(&mut tool, "name");
                for member in take_list(&mut tool, "tools") {
                    match member {
                        Value::Object(member) if is_own(&member) => {
                            add(read_tool(member, namespace.clone(), dropped), tools)?;
                        }
                        _ => return Err(HOSTED),
                    }
                }
            }
            // The provider's own copy of the web exists nowhere else, and the web itself is not wanted (Codex by default).
            kind if kind.starts_with("web_search")
                && tool.get("external_web_access") == Some(&Value::Bool(false)) =>
            {
                dropped.named("tools.web_search");
            }
            kind if kind.starts_with("web_search") => tools.search = Some(Search::read(tool)),
            // All tools are given; there is nothing to search. How they are called is a hint, too.
            "tool_search" | "programmatic_tool_calling" => {
                dropped.named(&format!("tools.{}", kind_of(&tool)));
            }
            _ if is_own(&tool) => add(read_tool(tool, None, dropped), tools)?,
            _ => return Err(HOSTED),
        }
    }
    Ok(())
}

/// Whether the client runs it. Some leave the type of functions out.
fn is_own(tool: &Object) -> bool {
    match kind_of(tool) {
        "function" | "custom" => true,
        "" => tool.contains_key("name"),
        _ => false,
    }
}

fn read_tool(mut tool: Object, namespace: Option<String>, dropped: &mut Dropped) -> Tool {
    // As chats write it.
    if let Value::Object(nested) = take(&mut tool, "function") {
        tool = nested;
    }
    let kind = if kind_of(&tool) == "custom" {
        let format = take(&mut tool, "format");
        let is_any = format["type"] == "text";
        ToolKind::Custom {
            format: if is_any { Value::Null } else { format },
        }
    } else {
        ToolKind::Function {
            schema: take(&mut tool, "parameters"),
            strict: take(&mut tool, "strict").as_bool(),
        }
    };
    tool.remove("type");
    let name = take_text(&mut tool, "name").unwrap_or_default();
    let description = take_text(&mut tool, "description");
    dropped.rest_of("tools.", &tool);
    Tool {
        name,
        namespace,
        description,
        kind,
        cache: None,
    }
}

fn add(tool: Tool, tools: &mut Tools) -> Result<(), Unsaid> {
    let is_same = |known: &&mut Tool| known.name == tool.name && known.namespace == tool.namespace;
    if let Some(known) = tools.list.iter_mut().find(is_same) {
        *known = tool;
    } else if tools.list.len() < MOST {
        tools.list.push(tool);
    } else {
        return Err(Unsaid("so many tools"));
    }
    Ok(())
}

/// Reads which tool is to be called.
pub(super) fn read_choice(choice: Value, tools: &mut Tools) -> Result<(), Unsaid> {
    tools.choice = match choice {
        Value::Null => Choice::Unsaid,
        Value::String(text) => match text.as_str() {
            "auto" => Choice::Auto,
            "none" => Choice::Never,
            "required" => Choice::Any,
            _ => return Err(CHOICE),
        },
        Value::Object(mut choice) => match kind_of(&choice) {
            kind if kind.starts_with("web_search") && tools.search.is_some() => Choice::Search,
            "function" | "custom" => Choice::One(ToolName::read(choice).ok_or(CHOICE)?),
            "allowed_tools" => {
                let must = choice.get("mode").is_some_and(|mode| mode == "required");
                read_allowed(take_list(&mut choice, "tools"), must, tools)?
            }
            _ => return Err(CHOICE),
        },
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => return Err(CHOICE),
    };
    Ok(())
}

fn read_allowed(list: Vec<Value>, must: bool, tools: &mut Tools) -> Result<Choice, Unsaid> {
    let mut names = Vec::new();
    let mut may_search = false;
    for named in list {
        match named {
            Value::Object(named) if kind_of(&named).starts_with("web_search") => may_search = true,
            Value::Object(named) if is_own(&named) => names.extend(ToolName::read(named)),
            _ => return Err(CHOICE),
        }
    }
    if !may_search {
        tools.search = None;
    } else if names.is_empty() && must {
        return Err(CHOICE);
    }
    Ok(Choice::Among { names, must })
}
