//! Tools: their definitions, the choice among them, and names that Anthropic accepts.

use serde_json::{Map, Value, json};

use crate::dialect::names::Names;

/// The tool that forces a model without JSON schemas to answer in one.
pub(super) const JSON_TOOL: &str = "json_tool_call";

/// The name of the provider's own web search.
pub(super) const WEB_SEARCH: &str = "web_search";

/// What is needed to translate the answer back.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The names of tools.
    pub(super) names: Names,
    /// Whether the answer is the input of [`JSON_TOOL`].
    pub(super) is_json_tool: bool,
    /// Whether the client uses the older `functions`: it knows one call in an answer.
    pub(super) is_older: bool,
    /// Whether the client wants the usage of a stream.
    pub(super) wants_usage: bool,
}

impl Default for RequestContext {
    fn default() -> Self {
        Self {
            names: Names::up_to(128),
            is_json_tool: false,
            is_older: false,
            wants_usage: false,
        }
    }
}

/// Whether a request has `functions`, the predecessor of `tools`.
pub(super) fn are_older(body: &Value) -> bool {
    let has = |field: &str| body[field].as_array().is_some_and(|list| !list.is_empty());
    has("functions") && !has("tools")
}

/// Whether an answer may have one call only.
pub(super) fn is_single(body: &Value) -> bool {
    body["parallel_tool_calls"] == false || are_older(body)
}

/// The tools of a request, from `tools`, the older `functions`, and `web_search_options`.
pub(super) fn tools(body: &Value, names: &mut Names) -> Vec<Value> {
    let functions = body["tools"].as_array().into_iter().flatten();
    let functions = functions.map(|tool| &tool["function"]);
    let older = body["functions"].as_array().into_iter().flatten();
    let mut tools: Vec<Value> = functions
        .chain(older)
        .filter_map(|function| tool(function, names))
        .collect();
    if body["web_search_options"].is_object() {
        tools.push(web_search(&body["web_search_options"]));
    }
    tools
}

fn tool(function: &Value, names: &mut Names) -> Option<Value> {
    let mut tool = Map::new();
    let name = names.send(function["name"].as_str()?);
    tool.insert("name".to_owned(), name.into());
    if let Some(description) = function["description"].as_str() {
        tool.insert("description".to_owned(), description.into());
    }
    let parameters = match &function["parameters"] {
        Value::Object(schema) if !schema.is_empty() => Value::Object(schema.clone()),
        _ => json!({ "type": "object", "properties": {} }),
    };
    tool.insert("input_schema".to_owned(), parameters);
    Some(Value::Object(tool))
}

/// The provider's own web search.
fn web_search(options: &Value) -> Value {
    let mut tool = json!({ "type": "web_search_20250305", "name": WEB_SEARCH });
    if options["filters"]["allowed_domains"].is_array() {
        tool["allowed_domains"] = options["filters"]["allowed_domains"].clone();
    }
    if let Some(place) = options["user_location"]["approximate"].as_object() {
        let mut location = place.clone();
        location.insert("type".to_owned(), "approximate".into());
        tool["user_location"] = location.into();
    }
    tool
}

/// The choice among the tools, if there is one.
pub(super) fn choice(body: &Value, names: &mut Names) -> Option<Value> {
    let choice_asked = match &body["tool_choice"] {
        Value::Null => &body["function_call"],
        choice_asked => choice_asked,
    };
    let is_single = is_single(body);
    let mut choice = match choice_asked {
        Value::String(choice_asked) => match choice_asked.as_str() {
            "none" => return Some(json!({ "type": "none" })),
            "required" => json!({ "type": "any" }),
            _ => json!({ "type": "auto" }),
        },
        Value::Object(choice_asked) => {
            let named = choice_asked
                .get("function")
                .and_then(|function| function["name"].as_str());
            let name = named.or_else(|| choice_asked.get("name")?.as_str())?;
            json!({ "type": "tool", "name": names.send(name) })
        }
        _ if is_single => json!({ "type": "auto" }),
        _ => return None,
    };
    if is_single {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Some(choice)
}

/// Whether a request forces the model to call a tool.
pub(super) fn is_forced(body: &Value) -> bool {
    let choice_asked = match &body["tool_choice"] {
        Value::Null => &body["function_call"],
        choice_asked => choice_asked,
    };
    choice_asked.is_object() || choice_asked == "required"
}

/// Whether any tool has a strict schema. Strictness is not asked for here: Anthropic rejects many strict schemas that
/// are fine elsewhere, such as those that refer to themselves, or too many at once.
pub(super) fn are_strict(body: &Value) -> bool {
    let mut tools = body["tools"].as_array().into_iter().flatten();
    tools.any(|tool| tool["function"]["strict"] == true)
}
