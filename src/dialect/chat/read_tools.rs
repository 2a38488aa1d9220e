//! Reads the tools of a chat request, and the choice among them.

use serde_json::{Value, json};

use crate::dialect::conversation::fields::{
    Object, object, said, take, take_flag, take_list, take_object, take_text, take_words,
};
use crate::dialect::conversation::{
    Choice, Dropped, Search, Tool, ToolKind, ToolName, Tools, Unsaid,
};

/// Reads the tools, and whether they are the older `functions`: a client that uses those knows one call in an answer.
pub(super) fn read_tools(
    fields: &mut Object,
    dropped: &mut Dropped,
) -> Result<(Tools, bool), Unsaid> {
    let mut tools = Tools {
        parallel: take_flag(fields, "parallel_tool_calls"),
        ..Tools::default()
    };
    for tool in take_list(fields, "tools") {
        read_tool(object(tool), &mut tools, dropped)?;
    }
    let older = take_list(fields, "functions");
    let is_older = tools.list.is_empty() && !older.is_empty();
    let functions = older
        .into_iter()
        .map(|described| function(object(described), None));
    tools.list.extend(functions);
    if is_older {
        tools.parallel = Some(false);
    }
    let options = take(fields, "web_search_options");
    if options.is_object() {
        tools.search = Some(Search::read(object(options)));
    }
    let older = take(fields, "function_call");
    tools.choice = match take(fields, "tool_choice") {
        Value::Null => choice(older)?,
        newer => choice(newer)?,
    };
    Ok((tools, is_older))
}

/// Some leave out the type of functions, or the object around them.
fn read_tool(mut tool: Object, tools: &mut Tools, dropped: &mut Dropped) -> Result<(), Unsaid> {
    let kind = take_text(&mut tool, "type");
    let cache = said(take(&mut tool, "cache_control"));
    match kind.as_deref() {
        None | Some("function") => {
            let function_fields = take_object(&mut tool, "function");
            let described = if function_fields.is_empty() {
                tool
            } else {
                function_fields
            };
            tools.list.push(function(described, cache));
        }
        Some("custom") => tools
            .list
            .push(custom(take_object(&mut tool, "custom"), cache)),
        Some(kind) if kind.starts_with("web_search") => tools.search = Some(Search::read(tool)),
        // What finds tools for a model has nothing to find where all of them are told.
        Some(kind) if kind.starts_with("tool_search") => dropped.named("tools.tool_search"),
        Some(_) => return Err(Unsaid("hosted tools")),
    }
    Ok(())
}

fn function(mut described: Object, cache: Option<Value>) -> Tool {
    let schema = match take(&mut described, "parameters") {
        Value::Object(schema) if schema.is_empty() => Value::Null,
        schema => schema,
    };
    let strict = take_flag(&mut described, "strict");
    let cache = cache.or_else(|| said(take(&mut described, "cache_control")));
    tool(described, ToolKind::Function { schema, strict }, cache)
}

fn custom(mut described: Object, cache: Option<Value>) -> Tool {
    let format = grammar(take_object(&mut described, "format"));
    tool(described, ToolKind::Custom { format }, cache)
}

fn tool(mut described: Object, kind: ToolKind, cache: Option<Value>) -> Tool {
    Tool {
        name: take_text(&mut described, "name").unwrap_or_default(),
        namespace: None,
        description: take_words(&mut described, "description"),
        kind,
        cache,
    }
}

/// A grammar is nested in a chat, and flat elsewhere.
fn grammar(mut format: Object) -> Value {
    let mut grammar = take_object(&mut format, "grammar");
    if grammar.is_empty() {
        return Value::Null;
    }
    json!({
        "type": "grammar",
        "syntax": take(&mut grammar, "syntax"),
        "definition": take(&mut grammar, "definition"),
    })
}

fn choice(choice: Value) -> Result<Choice, Unsaid> {
    let mut fields = match choice {
        Value::Null => return Ok(Choice::Unsaid),
        Value::String(name) => {
            return match name.as_str() {
                "none" => Ok(Choice::Never),
                "required" | "any" => Ok(Choice::Any),
                _ => Ok(Choice::Auto),
            };
        }
        Value::Object(fields) => fields,
        _ => return Err(Unsaid("tool_choice")),
    };
    if fields
        .get("type")
        .is_some_and(|kind| kind == "allowed_tools")
    {
        return Ok(allowed(&mut fields));
    }
    let name = ToolName::read(fields).ok_or(Unsaid("tool_choice"))?;
    Ok(Choice::One(name))
}

/// `{"type": "allowed_tools", "allowed_tools": {"mode": …, "tools": […]}}`
fn allowed(fields: &mut Object) -> Choice {
    let mut allowed = take_object(fields, "allowed_tools");
    let fields = if allowed.is_empty() {
        fields
    } else {
        &mut allowed
    };
    let must = fields.get("mode").is_some_and(|mode| mode == "required");
    let tools = take_list(fields, "tools").into_iter();
    Choice::Among {
        names: tools
            .filter_map(|tool| ToolName::read(object(tool)))
            .collect(),
        must,
    }
}
