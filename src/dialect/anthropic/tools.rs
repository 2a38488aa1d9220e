//! Tools: their definitions, the choice among them, and names that Anthropic takes.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// The tool by which a model without schemas of its own is made to answer in one.
pub(super) const JSON_TOOL: &str = "json_tool_call";

/// What must be turned back in the answer.
#[derive(Clone, Debug, Default)]
pub struct Glossary {
    /// The client's names of tools, by the names that were sent.
    names: HashMap<String, String>,
    /// Whether the answer is the input of [`JSON_TOOL`].
    pub(super) is_json_tool: bool,
    /// Whether the client wants the usage of a stream.
    pub(super) wants_usage: bool,
}

impl Glossary {
    /// A name that Anthropic takes: 1 to 128 letters, digits, `_` and `-`.
    pub(super) fn name(&mut self, name: &str) -> String {
        let is_fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        if !name.is_empty() && name.len() <= 128 && name.chars().all(is_fine) {
            return name.to_owned();
        }
        if let Some((sent, _)) = self.names.iter().find(|(_, own)| own.as_str() == name) {
            return sent.clone();
        }
        let fine = name
            .chars()
            .map(|letter| if is_fine(letter) { letter } else { '_' });
        let sent = format!(
            "t{}_{}",
            self.names.len(),
            fine.take(100).collect::<String>()
        );
        self.names.insert(sent.clone(), name.to_owned());
        sent
    }

    /// The client's name of a tool.
    pub(super) fn own_name<'a>(&'a self, sent: &'a str) -> &'a str {
        self.names.get(sent).map_or(sent, String::as_str)
    }
}

/// The tools of a request, from `tools` or the older `functions`.
pub(super) fn tools(body: &Value, glossary: &mut Glossary) -> Vec<Value> {
    let functions = body["tools"].as_array().into_iter().flatten();
    let functions = functions.map(|tool| &tool["function"]);
    let older = body["functions"].as_array().into_iter().flatten();
    functions
        .chain(older)
        .filter_map(|function| {
            let mut tool = Map::new();
            tool.insert(
                "name".to_owned(),
                glossary.name(function["name"].as_str()?).into(),
            );
            if let Some(description) = function["description"].as_str() {
                tool.insert("description".to_owned(), description.into());
            }
            let schema = match &function["parameters"] {
                Value::Object(schema) if !schema.is_empty() => Value::Object(schema.clone()),
                _ => json!({ "type": "object", "properties": {} }),
            };
            tool.insert("input_schema".to_owned(), schema);
            if function["strict"] == true {
                tool.insert("strict".to_owned(), true.into());
            }
            Some(Value::Object(tool))
        })
        .collect()
}

/// The choice among the tools, if any is made.
pub(super) fn choice(body: &Value, glossary: &mut Glossary) -> Option<Value> {
    let wish = match &body["tool_choice"] {
        Value::Null => &body["function_call"],
        wish => wish,
    };
    let mut choice = match wish {
        Value::String(wish) => match wish.as_str() {
            "none" => return Some(json!({ "type": "none" })),
            "required" => json!({ "type": "any" }),
            _ => json!({ "type": "auto" }),
        },
        Value::Object(wish) => {
            let named = wish
                .get("function")
                .and_then(|function| function["name"].as_str());
            let name = named.or_else(|| wish.get("name")?.as_str())?;
            json!({ "type": "tool", "name": glossary.name(name) })
        }
        _ if body["parallel_tool_calls"] == false => json!({ "type": "auto" }),
        _ => return None,
    };
    if body["parallel_tool_calls"] == false {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Some(choice)
}
