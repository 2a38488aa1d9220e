//! One conversation with tools, an image and a schema, which moves from one provider to the other and back.

use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway};

const CHAT: &str = "/v1/chat/completions";
const PIXEL: &str = "iVBORw0KGgo=";

async fn gateway(openai: &Simulator, claude: &Simulator) -> TestGateway {
    Setup::new()
        .upstream_as(openai, "provider: openai, api_key: a")
        .upstream_as(claude, "provider: anthropic, api_key: b")
        .route(&["*"], &["openai", "claude, model: claude-sonnet-4-5"])
        .start()
        .await
}

/// A reply with this body to every request.
fn reply(body: &Value) -> Script {
    Script::fault(Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(body.to_string()),
    })
}

fn down() -> Script {
    Script::status(503)
}

fn question() -> Value {
    let image = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PIXEL}")}});
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    json!({
        "model": "gpt-4o",
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": parameters}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}}},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Where is it warmer?"}, image]}],
    })
}

fn call(id: &str, city: &str) -> Value {
    let arguments = json!({"city": city}).to_string();
    json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}})
}

fn completion(calls: &[Value]) -> Value {
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o",
           "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
}

fn tool_use(id: &str, city: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "weather", "input": {"city": city}})
}

/// Appends an assistant's tool calls and their results to a conversation.
fn go_on(conversation: &mut Value, calls: &[Value]) {
    let messages = conversation["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
    for call in calls {
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "20 degrees"}));
    }
}

#[tokio::test]
async fn tools_an_image_and_a_schema_move_to_claude_and_back() {
    let openai = Simulator::start("openai", Script::healthy()).await.unwrap();
    let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
    let mut conversation = question();

    // Starts at OpenAI: two calls in one turn.
    let gateway = gateway(&openai, &claude).await;
    let calls = [call("call_1", "Paris"), call("call_2", "Rome")];
    openai.play(reply(&completion(&calls))).await;
    let answered = gateway.post(CHAT, &conversation).await.json();
    assert_eq!(
        answered["choices"][0]["message"]["tool_calls"],
        json!(calls)
    );
    go_on(&mut conversation, &calls);

    // Continues at Claude, which makes one more call.
    openai.play(down()).await;
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [tool_use("toolu_3", "Oslo")], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
    claude.play(reply(&message)).await;
    let answered = gateway.post(CHAT, &conversation).await;
    assert_eq!(answered.upstream(), "claude");
    let third = [call("toolu_3", "Oslo")];
    assert_eq!(
        answered.json()["choices"][0]["message"]["tool_calls"],
        json!(third)
    );
    let asked = claude.received()[0].json();
    let blocks = &asked["messages"][0]["content"];
    assert_eq!(
        blocks[1]["source"],
        json!({"type": "base64", "media_type": "image/png", "data": PIXEL})
    );
    let calls_there = json!([tool_use("call_1", "Paris"), tool_use("call_2", "Rome")]);
    assert_eq!(asked["messages"][1]["content"], calls_there);
    let results = asked["messages"][2]["content"].as_array().unwrap();
    let ids: Vec<&Value> = results
        .iter()
        .map(|result| &result["tool_use_id"])
        .collect();
    assert_eq!(ids, ["call_1", "call_2"]);
    assert_eq!(asked["output_config"]["format"]["type"], "json_schema");
    assert_eq!(asked["tools"][0]["name"], "weather");
    go_on(&mut conversation, &third);

    // And back.
    claude.play(down()).await;
    openai.play(Script::answer("{}")).await;
    let answered = loop {
        let answered = gateway.post(CHAT, &conversation).await;
        if answered.status == 200 {
            break answered;
        }
    };
    assert_eq!(answered.upstream(), "openai");
    let asked = openai.received().pop().unwrap().json();
    assert_eq!(asked["messages"], conversation["messages"]);
    assert_eq!(asked["response_format"], conversation["response_format"]);
}

#[tokio::test]
async fn streamed_calls_keep_their_ids_and_arguments_in_both_directions() {
    let openai = Simulator::start("openai", down()).await.unwrap();
    let claude = Simulator::start("claude", Script::healthy()).await.unwrap();
    let gateway = gateway(&openai, &claude).await;
    let event = |data: Value| {
        format!(
            "event: {}\ndata: {data}\n\n",
            data["type"].as_str().unwrap()
        )
    };
    let block = json!({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}});
    let part = |json: &str| {
        let delta = json!({"type": "input_json_delta", "partial_json": json});
        event(json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    };
    let stream = [
        event(
            json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-4-5", "usage": {}}}),
        ),
        event(json!({"type": "content_block_start", "index": 0, "content_block": block})),
        part("{\"city\":"),
        part("\"Paris\"}"),
        event(json!({"type": "content_block_stop", "index": 0})),
        event(
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}}),
        ),
        event(json!({"type": "message_stop"})),
    ];
    claude
        .play(Script::fault(Fault::Raw(stream.concat())))
        .await;
    let mut conversation = question();
    conversation["stream"] = json!(true);
    let answered = gateway.post(CHAT, &conversation).await;
    assert_eq!(answered.upstream(), "claude");
    let (mut id, mut arguments, mut finish) = (Value::Null, String::new(), Value::Null);
    for data in answered
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("data: {"))
    {
        let chunk: Value = serde_json::from_str(&format!("{{{data}")).unwrap();
        let choice = &chunk["choices"][0];
        let call = &choice["delta"]["tool_calls"][0];
        if call["id"].is_string() {
            id = call["id"].clone();
        }
        arguments += call["function"]["arguments"].as_str().unwrap_or_default();
        if choice["finish_reason"].is_string() {
            finish = choice["finish_reason"].clone();
        }
    }
    assert_eq!(
        (id, arguments.as_str()),
        (json!("toolu_1"), "{\"city\":\"Paris\"}")
    );
    assert_eq!(finish, "tool_calls");
}
