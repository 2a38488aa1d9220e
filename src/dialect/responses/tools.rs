//! Tools that a chat does not have, as functions: custom tools, which take plain text, and tools in namespaces.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::dialect::arguments::arguments_of;

/// The tools that a client declares.
#[derive(Clone, Debug, Default)]
pub(super) struct Toolbox {
    tools: Vec<Tool>,
    /// By namespace and name.
    by_name: HashMap<(String, String), usize>,
    by_function: HashMap<String, usize>,
}

fn name_of(tool: &Value) -> &str {
    tool["name"].as_str().unwrap_or_default()
}

fn key(namespace: &Value, named: &Value) -> (String, String) {
    let namespace = namespace.as_str().unwrap_or_default();
    (namespace.to_owned(), name_of(named).to_owned())
}

/// One of them, and the name of its function.
#[derive(Clone, Debug)]
struct Tool {
    declared: Value,
    namespace: Value,
    function: String,
}

impl Tool {
    fn is_custom(&self) -> bool {
        self.declared["type"] == "custom"
    }
}

/// No client has more tools than that; to search them takes quadratic time.
const MOST: usize = 1024;

/// The feature of a request's tools that a chat does not have. `can_search`: the upstream can search the web.
pub(super) fn unsupported_feature(body: &Value, can_search: bool) -> Option<&'static str> {
    if declared(body).nth(MOST).is_some() {
        return Some("so many tools");
    }
    let mut tools = declared(body).map(|(_, tool)| tool);
    tools
        .any(|tool| !(is_function(tool) || can_search && is_search(tool)))
        .then_some("hosted tools")
}

/// The tool for web search, if there is one.
pub(super) fn search(body: &Value) -> Option<&Value> {
    declared(body)
        .map(|(_, tool)| tool)
        .find(|tool| is_search(tool))
}

fn is_function(tool: &Value) -> bool {
    tool["type"] == "function" || tool["type"] == "custom"
}

/// `web_search`, `web_search_preview`, or one with a date.
fn is_search(tool: &Value) -> bool {
    let kind = tool["type"].as_str();
    // A search in the provider's own copy of the web exists nowhere else.
    kind.is_some_and(|kind| kind.starts_with("web_search")) && tool["external_web_access"] != false
}

/// The tools with their namespaces: those of the request, and those in its input.
fn declared(body: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let items = body["input"].as_array().into_iter().flatten();
    let brought = items.filter(|item| item["type"] == "additional_tools");
    let lists = std::iter::once(body).chain(brought);
    let tools = lists.flat_map(|list| list["tools"].as_array().into_iter().flatten());
    tools.flat_map(|tool| {
        let is_group = tool["type"] == "namespace";
        let group = is_group.then(|| tool["tools"].as_array()).flatten();
        let members = group.into_iter().flatten();
        let members = members.map(|member| (&tool["name"], member));
        members.chain((!is_group).then_some((&Value::Null, tool)))
    })
}

impl Toolbox {
    pub(super) fn of(body: &Value) -> Self {
        let declared: Vec<(&Value, &Value)> = declared(body)
            .filter(|(_, tool)| is_function(tool))
            .take(MOST)
            .collect();
        let mut namespaces: HashMap<&str, HashSet<&str>> = HashMap::new();
        for (namespace, tool) in &declared {
            let of_the_name = namespaces.entry(name_of(tool)).or_default();
            of_the_name.insert(namespace.as_str().unwrap_or_default());
        }
        let mut toolbox = Self::default();
        for (namespace, tool) in declared {
            let name = name_of(tool);
            let is_ambiguous = namespaces[name].len() > 1;
            let function = match namespace.as_str() {
                Some(namespace) if is_ambiguous => format!("{namespace}__{name}"),
                _ => name.to_owned(),
            };
            toolbox.add(Tool {
                declared: tool.clone(),
                namespace: namespace.clone(),
                function,
            });
        }
        toolbox
    }

    /// A later declaration replaces an earlier one.
    fn add(&mut self, tool: Tool) {
        let place = *self
            .by_name
            .entry(key(&tool.namespace, &tool.declared))
            .or_insert(self.tools.len());
        self.by_function.insert(tool.function.clone(), place);
        if place == self.tools.len() {
            self.tools.push(tool);
        } else {
            self.tools[place] = tool;
        }
    }

    /// All of them in a chat's form.
    pub(super) fn functions(&self) -> Vec<Value> {
        self.tools.iter().map(function).collect()
    }

    /// The function's name for an item that calls a tool, or for a choice of one.
    pub(super) fn function_for(&self, named: &Value) -> Value {
        match self.by_name.get(&key(&named["namespace"], named)) {
            Some(place) => self.tools[*place].function.as_str().into(),
            None => named["name"].clone(),
        }
    }

    fn find(&self, function: &Value) -> Option<&Tool> {
        let place = self.by_function.get(function.as_str()?)?;
        self.tools.get(*place)
    }

    /// Whether a function is a custom tool.
    pub(super) fn is_custom(&self, function: &Value) -> bool {
        self.find(function).is_some_and(Tool::is_custom)
    }

    /// The item for a function call.
    pub(super) fn item(&self, id: &str, status: &str, call_id: &str, call: &Value) -> Value {
        let function = &call["name"];
        let mut item = if self.is_custom(function) {
            json!({ "type": "custom_tool_call", "input": input(&arguments_of(call)) })
        } else {
            json!({ "type": "function_call", "arguments": arguments_of(call) })
        };
        item["id"] = id.into();
        item["status"] = status.into();
        item["call_id"] = call_id.into();
        item["name"] = function.clone();
        if let Some(tool) = self.find(function) {
            item["name"] = tool.declared["name"].clone();
            if !tool.namespace.is_null() {
                item["namespace"] = tool.namespace.clone();
            }
        }
        item
    }
}

/// The definition of a function: flat in a response, nested in a chat.
fn function(tool: &Tool) -> Value {
    let declared = &tool.declared;
    let mut function = Map::new();
    for field in ["description", "parameters", "strict"] {
        if !declared[field].is_null() {
            function.insert(field.to_owned(), declared[field].clone());
        }
    }
    function.insert("name".to_owned(), tool.function.as_str().into());
    if tool.is_custom() {
        let description = describe(declared);
        function.insert("description".to_owned(), description.into());
        let text = json!({ "type": "string", "description": "The whole input, as it is." });
        let parameters = json!({
            "type": "object", "properties": { "input": text },
            "required": ["input"], "additionalProperties": false,
        });
        function.insert("parameters".to_owned(), parameters);
    }
    json!({ "type": "function", "function": function })
}

/// A grammar cannot be enforced, so the description explains it.
fn describe(tool: &Value) -> String {
    let mut description = tool["description"].as_str().unwrap_or_default().to_owned();
    if let Some(grammar) = tool["format"]["definition"].as_str() {
        let kind = tool["format"]["syntax"].as_str().unwrap_or_default();
        description += &format!("\n\nThe input follows this grammar ({kind}):\n{grammar}");
    }
    description
}

/// The arguments of a function for a custom tool's plain text.
pub(super) fn arguments(input: &Value) -> String {
    json!({ "input": input }).to_string()
}

/// The plain text in the arguments of such a function.
fn input(arguments: &str) -> String {
    let parsed: Value = serde_json::from_str(arguments).unwrap_or_default();
    parsed["input"].as_str().unwrap_or(arguments).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::dialect::responses::{
        RequestContext, Translator, answer, request, unsupported_feature,
    };
    use crate::wire::sse;

    fn chat(asked: &Value) -> Value {
        let translated = request(asked.to_string().as_bytes(), false).unwrap();
        serde_json::from_slice(&translated.body).unwrap()
    }

    /// A request of a coding agent: a custom tool, and tools in namespaces, some of them in the input.
    fn with_tools_of_all_kinds() -> Value {
        let group = |name: &str, members: Value| json!({"type": "namespace", "name": name, "description": "", "tools": members});
        let custom = |name: &str| json!({"type": "custom", "name": name, "description": "d"});
        let mut patch = custom("patch");
        patch["format"] = json!({"type": "grammar", "syntax": "lark", "definition": "start: LF"});
        let wait = json!({"type": "function", "name": "wait", "strict": false, "parameters": {"type": "object"}});
        json!({
            "model": "m", "tools": [patch, group("agents", json!([wait]))],
            "input": [
                {"type": "additional_tools", "role": "developer", "tools": [group("functions", json!([custom("exec"), wait]))]},
                {"role": "user", "content": "x"},
                {"type": "custom_tool_call", "call_id": "c1", "name": "exec", "namespace": "functions", "input": "1 + \"1\""},
                {"type": "custom_tool_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "11"}]},
                {"type": "function_call", "call_id": "c2", "name": "wait", "namespace": "functions", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c2", "output": "done"},
            ],
        })
    }

    #[test]
    fn tools_that_a_chat_has_not_are_functions() {
        let mut asked = with_tools_of_all_kinds();
        assert_eq!(unsupported_feature(&asked, false), None);
        let translated = chat(&asked);
        let functions = translated["tools"].as_array().unwrap();
        let names: Vec<&Value> = functions
            .iter()
            .map(|tool| &tool["function"]["name"])
            .collect();
        assert_eq!(names, ["patch", "agents__wait", "exec", "functions__wait"]);
        let patch = &functions[0]["function"];
        let description = "d\n\nThe input follows this grammar (lark):\nstart: LF";
        assert_eq!(patch["description"], description);
        assert_eq!(patch["parameters"]["properties"]["input"]["type"], "string");
        assert_eq!(
            functions[1]["function"],
            json!({"name": "agents__wait", "strict": false, "parameters": {"type": "object"}})
        );
        let called =
            |message: usize| translated["messages"][message]["tool_calls"][0]["function"].clone();
        let arguments = json!({"input": "1 + \"1\""}).to_string();
        assert_eq!(called(1), json!({"name": "exec", "arguments": arguments}));
        assert_eq!(
            translated["messages"][2],
            json!({"role": "tool", "tool_call_id": "c1", "content": "11"})
        );
        assert_eq!(
            called(3),
            json!({"name": "functions__wait", "arguments": "{}"})
        );

        asked["tool_choice"] = json!({"type": "custom", "name": "patch"});
        let choice = json!({"type": "function", "function": {"name": "patch"}});
        assert_eq!(chat(&asked)["tool_choice"], choice);
        asked["tools"] =
            json!([{"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]}]);
        assert_eq!(unsupported_feature(&asked, false), Some("hosted tools"));
    }

    /// The events for a chunk with these calls.
    fn streamed(context: RequestContext, calls: &Value) -> Vec<Value> {
        let choice = json!({"delta": {"tool_calls": calls}, "finish_reason": "tool_calls"});
        let chunk = format!("data: {}\n\n", json!({"choices": [choice]}));
        let mut translator = Translator::new(context);
        let mut stream = translator.translate(chunk.as_bytes()).to_vec();
        stream.extend_from_slice(&translator.finish());
        let events = sse::events(&stream);
        events
            .map(|event| serde_json::from_slice(&event.data.unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn calls_of_functions_are_those_of_the_clients_tools() {
        let calls = json!([
            {"index": 0, "id": "c1", "function": {"name": "exec", "arguments": "{\"input\":\"a\\n\"}"}},
            {"index": 1, "id": "c2", "function": {"name": "agents__wait", "arguments": "{}"}},
            {"index": 2, "id": "c3", "function": {"name": "patch", "arguments": "no JSON"}},
            // Some providers send an object.
            {"index": 3, "id": "c4", "function": {"name": "agents__wait", "arguments": {"s": 1}}},
            {"index": 4, "id": "c5", "function": {"name": "patch", "arguments": {"input": "b"}}},
        ]);
        let expected = json!([
            {"type": "custom_tool_call", "status": "completed", "call_id": "c1", "name": "exec", "namespace": "functions", "input": "a\n"},
            {"type": "function_call", "status": "completed", "call_id": "c2", "name": "wait", "namespace": "agents", "arguments": "{}"},
            {"type": "custom_tool_call", "status": "completed", "call_id": "c3", "name": "patch", "input": "no JSON"},
            {"type": "function_call", "status": "completed", "call_id": "c4", "name": "wait", "namespace": "agents", "arguments": "{\"s\":1}"},
            {"type": "custom_tool_call", "status": "completed", "call_id": "c5", "name": "patch", "input": "b"},
        ]);
        let body = with_tools_of_all_kinds().to_string();
        let context = request(body.as_bytes(), false).unwrap().context;
        let without_ids = |mut output: Value| {
            for item in output.as_array_mut().unwrap() {
                let id = item.as_object_mut().unwrap().remove("id").unwrap();
                let is_custom = item["type"] == "custom_tool_call";
                assert!(
                    id.as_str()
                        .unwrap()
                        .starts_with(if is_custom { "ctc_" } else { "fc_" })
                );
            }
            output
        };
        let completion = json!({"choices": [{"message": {"content": null, "tool_calls": calls}, "finish_reason": "tool_calls"}]});
        let body = answer(completion.to_string().as_bytes(), &context).unwrap();
        let mut response: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(without_ids(response["output"].take()), expected);

        let mut events = streamed(context, &calls);
        let is_input = |event: &&Value| {
            event["type"]
                .as_str()
                .unwrap()
                .contains("custom_tool_call_input")
        };
        let inputs: Vec<Value> = events
            .iter()
            .filter(is_input)
            .map(|event| match &event["delta"] {
                Value::Null => event["input"].clone(),
                delta => delta.clone(),
            })
            .collect();
        assert_eq!(inputs, ["a\n", "a\n", "no JSON", "no JSON", "b", "b"]);
        let output = events.last_mut().unwrap()["response"]["output"].take();
        assert_eq!(without_ids(output), expected);
    }
}
