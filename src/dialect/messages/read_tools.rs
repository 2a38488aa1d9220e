//! Reads tools, and the choice among them.

use serde_json::Value;

use super::own_tools::WEB_SEARCH;
use super::read_blocks::mark;
use crate::dialect::conversation::fields::{
    Object, object, take, take_list, take_object, take_text,
};
use crate::dialect::conversation::{
    Choice, Dropped, Search, Tool, ToolKind, ToolName, Tools, Unsaid,
};

/// Fields of a tool that only make it cheaper, or easier to use.
const HINTS: [&str; 4] = [
    "defer_loading",
    "input_examples",
    "eager_input_streaming",
    "allowed_callers",
];

/// Takes tools and choice out of the fields of a request.
pub(super) fn read_tools(fields: &mut Object, dropped: &mut Dropped) -> Result<Tools, Unsaid> {
    let mut tools = Tools::default();
    for described in take_list(fields, "tools").into_iter().map(object) {
        match described.get("type").and_then(Value::as_str) {
            None | Some("custom") => tools.list.push(tool(described, dropped)),
            Some(kind) if kind.starts_with("web_search_") => {
                tools.search = Some(search(described, dropped));
            }
            // Where all tools are given, there is nothing to search.
            Some(kind) if kind.starts_with("tool_search_tool_") => dropped.named(kind),
            Some(_) => return Err(Unsaid("hosted tools")),
        }
    }
    let mut asked = take_object(fields, "tool_choice");
    tools.choice = match asked.get("type").and_then(Value::as_str) {
        None => Choice::Unsaid,
        Some("any") => Choice::Any,
        Some("none") => Choice::Never,
        Some("tool") => one(take_text(&mut asked, "name").unwrap_or_default(), &tools),
        Some(_) => Choice::Auto,
    };
    if take(&mut asked, "disable_parallel_tool_use") == true {
        tools.parallel = Some(false);
    }
    Ok(tools)
}

/// The choice of the tool with this name. The provider's own have fixed names.
fn one(name: String, tools: &Tools) -> Choice {
    let is_search = name == WEB_SEARCH && tools.search.is_some();
    if is_search && tools.list.iter().all(|tool| tool.name != name) {
        return Choice::Search;
    }
    Choice::One(ToolName {
        name,
        ..ToolName::default()
    })
}

fn tool(mut described: Object, dropped: &mut Dropped) -> Tool {
    for hint in HINTS {
        if !matches!(
            described.get(hint),
            None | Some(Value::Null | Value::Bool(false))
        ) {
            dropped.named(hint);
        }
    }
    Tool {
        name: take_text(&mut described, "name").unwrap_or_default(),
        namespace: None,
        description: take_text(&mut described, "description"),
        kind: ToolKind::Function {
            schema: take(&mut described, "input_schema"),
            strict: take(&mut described, "strict").as_bool(),
        },
        cache: mark(take(&mut described, "cache_control")),
    }
}

/// The provider's own search.
fn search(described: Object, dropped: &mut Dropped) -> Search {
    for limit in ["blocked_domains", "max_uses"] {
        if !described.get(limit).is_none_or(Value::is_null) {
            dropped.named(limit);
        }
    }
    Search::read(described)
}
