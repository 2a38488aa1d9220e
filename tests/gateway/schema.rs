//! A model calls a tool of the client's first, and then answers by a schema: where no API has schemas, the answer is the input
//! of a tool of ours.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway};

const ANSWER: &str = r#"{"city":"Oslo"}"#;

/// A client whose requests have a tool and a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Chat,
    Responses,
}

impl Client {
    fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
        }
    }

    /// The question, or the request with the result of the call.
    fn request(self, is_streamed: bool, has_result: bool) -> Value {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        let question = json!({"role": "user", "content": "Where is it warmer?"});
        let mut request = match self {
            Self::Chat => json!({
                "messages": [question],
                "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}],
                "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
            }),
            Self::Responses => json!({
                "input": [question],
                "tools": [{"type": "function", "name": "weather", "parameters": schema}],
                "text": {"format": {"type": "json_schema", "name": "x", "schema": schema}},
            }),
        };
        request["model"] = "claude-sonnet-4-0".into();
        request["stream"] = is_streamed.into();
        let result = match self {
            Self::Chat => json!([
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": "20 degrees"},
            ]),
            Self::Responses => json!([
                {"type": "function_call", "call_id": "toolu_1", "name": "weather", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "toolu_1", "output": "20 degrees"},
            ]),
        };
        if has_result {
            let list = match self {
                Self::Chat => &mut request["messages"],
                Self::Responses => &mut request["input"],
            };
            let said = list.as_array_mut().unwrap();
            said.extend(result.as_array().unwrap().iter().cloned());
        }
        request
    }

    /// The text of an answer and the tools that it calls.
    fn heard(self, body: &str, is_streamed: bool) -> (String, Vec<String>) {
        let events: Vec<Value> = match is_streamed {
            true => body
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .filter_map(|data| serde_json::from_str(data).ok())
                .collect(),
            false => vec![serde_json::from_str(body).unwrap()],
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (mut said, mut called) = (String::new(), Vec::new());
        for event in &events {
            match self {
                Self::Chat => {
                    let field = if is_streamed { "delta" } else { "message" };
                    let message = &event["choices"][0][field];
                    said += &text(&message["content"]);
                    called.push(text(&message["tool_calls"][0]["function"]["name"]));
                }
                Self::Responses => {
                    let whole = if is_streamed {
                        &event["response"]
                    } else {
                        event
                    };
                    if whole["status"] != "completed" {
                        continue;
                    }
                    for item in whole["output"].as_array().unwrap() {
                        said += &text(&item["content"][0]["text"]);
                        called.push(text(&item["name"]));
                    }
                }
            }
        }
        called.retain(|name| !name.is_empty());
        (said, called)
    }
}

/// A message with a text beside a call of this tool.
fn calling(tool: &str, input: &str, is_streamed: bool) -> Script {
    let text = "Let me see.";
    let body = if is_streamed {
        let event = |data: Value| {
            format!(
                "event: {}\ndata: {data}\n\n",
                data["type"].as_str().unwrap()
            )
        };
        [
            json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-4-0", "usage": {}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "content_block_start", "index": 1, "content_block":
                {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}}),
            json!({"type": "content_block_delta", "index": 1, "delta":
                {"type": "input_json_delta", "partial_json": input}}),
            json!({"type": "content_block_stop", "index": 1}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}}),
            json!({"type": "message_stop"}),
        ]
        .map(event)
        .concat()
    } else {
        let input: Value = serde_json::from_str(input).unwrap();
        let call = json!({"type": "tool_use", "id": "toolu_1", "name": tool, "input": input});
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-0",
            "content": [{"type": "text", "text": text}, call], "stop_reason": "tool_use",
            "usage": {"input_tokens": 1, "output_tokens": 3}})
        .to_string()
    };
    Script::fault(match is_streamed {
        true => Fault::Raw(body),
        false => Fault::Status {
            code: 200,
            headers: Vec::new(),
            body: Some(body),
        },
    })
}

async fn gateway(claude: &Simulator) -> TestGateway {
    Setup::new()
        .upstream_as(claude, "provider: anthropic, api_key: a")
        .route(&["*"], &["claude"])
        .start()
        .await
}

#[tokio::test]
async fn a_tool_is_called_before_the_answer_by_a_schema() {
    let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
    let gateway = gateway(&claude).await;
    for client in [Client::Chat, Client::Responses] {
        for is_streamed in [false, true] {
            claude.play(calling("weather", "{}", is_streamed)).await;
            let request = client.request(is_streamed, false);
            let answered = gateway.post(client.path(), &request).await.text();
            // What is said beside the call is no text of the answer: clients would read it by their schema.
            let (said, called) = client.heard(&answered, is_streamed);
            assert_eq!(
                (said.as_str(), called),
                ("", vec!["weather".to_owned()]),
                "{client:?} {answered}"
            );
            let sent = claude.received().pop().unwrap().json();
            let tools = sent["tools"].as_array().unwrap();
            let names: Vec<&Value> = tools.iter().map(|tool| &tool["name"]).collect();
            assert_eq!(names, ["weather", "json_tool_call"]);
            assert_eq!(sent["tool_choice"], json!({"type": "any"}));

            claude
                .play(calling("json_tool_call", ANSWER, is_streamed))
                .await;
            let request = client.request(is_streamed, true);
            let answered = gateway.post(client.path(), &request).await.text();
            let (said, called) = client.heard(&answered, is_streamed);
            assert_eq!((said.as_str(), called.len()), (ANSWER, 0), "{answered}");
            let sent = claude.received().pop().unwrap().json();
            let last = &sent["messages"][2]["content"][0];
            assert_eq!(last["tool_use_id"], "toolu_1", "{sent}");
        }
    }
}

/// A call that must be made comes before any answer, so that there is no tool for the answer.
#[tokio::test]
async fn a_tool_that_must_be_called_leaves_no_choice() {
    let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
    let gateway = gateway(&claude).await;
    for client in [Client::Chat, Client::Responses] {
        claude.play(calling("weather", "{}", false)).await;
        let mut request = client.request(false, false);
        request["tool_choice"] = match client {
            Client::Chat => json!({"type": "function", "function": {"name": "weather"}}),
            Client::Responses => json!({"type": "function", "name": "weather"}),
        };
        let answered = gateway.post(client.path(), &request).await.text();
        let (said, called) = client.heard(&answered, false);
        assert_eq!((said.as_str(), called.len()), ("", 1), "{answered}");
        let sent = claude.received().pop().unwrap().json();
        assert_eq!(sent["tools"].as_array().unwrap().len(), 1);
        let choice = json!({"type": "tool", "name": "weather"});
        assert_eq!(sent["tool_choice"], choice);
    }
}
