//! What it costs to put a conversation into another API: the request of a coding agent, and an event of a stream.
//!
//! `cargo bench --bench translation`. The request has 150 calls, 40 tools and 191 KiB; its time is from the client's bytes to the
//! upstream's. The event is one token; its time is that of the translation alone, without HTTP. What an event costs in all,
//! passed through and translated, is a row of `cargo bench --bench overhead`. All in one thread, medians of rounds in turns.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that goes wrong should stop"
)]

use std::hint::black_box;
use std::time::Duration;

use backstop::catalogue::Dialect;
use backstop::dialect::{Delivery, RequestKind, StreamTranslator, UpstreamApi, UpstreamRequest};
use backstop::request::Endpoint;
use backstop::wire::sse::Framer;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

const CALLS: usize = 150;
const TOOLS: usize = 40;
const SIZE: usize = 191 << 10;
const ROUNDS: usize = 41;
const EVENTS: usize = 2000;

/// A model of `OpenAI`'s that takes tools by Responses alone.
const BY_RESPONSES: &str = "gpt-6.2";
const BY_CHAT: &str = "m";
const CLAUDE: &str = "claude-sonnet-4-5";

/// From one API to another: its name, what the client calls, who is asked, and for which model.
type Direction = (&'static str, Endpoint, UpstreamApi, &'static str);

fn main() {
    let directions = directions();
    println!(
        "a request of {} KiB with {CALLS} calls and {TOOLS} tools, in milliseconds\n",
        SIZE >> 10
    );
    println!("{:24} {:>8} {:>8}", "", "parse", "all");
    for (name, endpoint, api, model) in directions {
        let body = request(endpoint);
        let parse = median(|| drop(black_box(serde_json::from_slice::<Value>(&body).unwrap())));
        let all = median(|| drop(black_box(translated(api, endpoint, model, &body))));
        println!("{name:24} {:8.2} {:8.2}", millis(parse), millis(all));
    }
    println!("\nthe translation of an event of a stream, in nanoseconds\n");
    for (name, endpoint, api, model) in directions {
        let body = request(endpoint);
        let mut request = translated(api, endpoint, model, &body);
        let stream = stream(request.translator.endpoint(endpoint));
        let time = median(|| translate(&mut request, &stream));
        println!("{name:24} {:8}", time.as_nanos() / EVENTS as u128);
    }
}

fn directions() -> [Direction; 6] {
    let openai = UpstreamApi::new(Dialect::OpenAi);
    let chats = UpstreamApi {
        has_responses: false,
        ..openai
    };
    let anthropic = UpstreamApi::new(Dialect::Anthropic);
    let (chat, messages, responses) = (
        Endpoint::ChatCompletions,
        Endpoint::Messages,
        Endpoint::Responses,
    );
    [
        ("chat → messages", chat, anthropic, CLAUDE),
        ("chat → responses", chat, openai, BY_RESPONSES),
        ("messages → chat", messages, chats, BY_CHAT),
        ("messages → responses", messages, openai, BY_RESPONSES),
        ("responses → chat", responses, chats, BY_CHAT),
        ("responses → messages", responses, anthropic, CLAUDE),
    ]
}

fn translated(api: UpstreamApi, endpoint: Endpoint, model: &str, body: &Bytes) -> UpstreamRequest {
    let kind = RequestKind {
        endpoint,
        model,
        has_tools: true,
        is_fallback: true,
        is_renamed: true,
        body,
    };
    let asking = api.asking(kind);
    let delivery = Delivery::Fallback { model };
    asking.translate(body.clone(), delivery).unwrap()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One event after the other, as they come from a connection.
fn translate(request: &mut UpstreamRequest, events: &[Bytes]) {
    let mut framer = Framer::new();
    let Some(StreamTranslator::Between(mut way)) = request.translator.translator() else {
        return;
    };
    for piece in events {
        let whole = framer.push(piece.clone());
        black_box(way.translate(&whole));
    }
}

fn schema() -> Value {
    let text = json!({ "type": "string", "description": "Where the file is, from the root of the project." });
    json!({ "type": "object", "properties": { "path": text, "line": { "type": "integer" } }, "required": ["path"] })
}

/// An agent's request: the size is made up by the results of its calls.
fn request(endpoint: Endpoint) -> Bytes {
    let empty = written(endpoint, "").to_string().len();
    let result = "fn main() { println!(\"hello\"); }\n".repeat((SIZE - empty) / CALLS / 36);
    written(endpoint, &result).to_string().into()
}

fn written(endpoint: Endpoint, result: &str) -> Value {
    let calls = 0..CALLS;
    let tools =
        (0..TOOLS).map(|number| (format!("tool_{number}"), "Reads a file, or a part of one."));
    let input = json!({ "path": "src/main.rs", "line": 7 });
    match endpoint {
        Endpoint::ChatCompletions => {
            let turns = calls.flat_map(|number| {
                let id = format!("call_{number}");
                let function = json!({ "name": "tool_1", "arguments": input.to_string() });
                [
                    json!({ "role": "assistant", "content": "I look.", "tool_calls": [{ "id": id, "type": "function", "function": function }] }),
                    json!({ "role": "tool", "tool_call_id": id, "content": result }),
                ]
            });
            let first = json!({ "role": "user", "content": "Mend it." });
            let turns: Vec<Value> = std::iter::once(first).chain(turns).collect();
            let tools: Vec<Value> = tools
                .map(|(name, about)| json!({ "type": "function", "function": { "name": name, "description": about, "parameters": schema() } }))
                .collect();
            json!({ "model": "m", "stream": true, "reasoning_effort": "low", "messages": turns, "tools": tools })
        }
        Endpoint::Messages => {
            let turns = calls.flat_map(|number| {
                let id = format!("call_{number}");
                [
                    json!({ "role": "assistant", "content": [{ "type": "text", "text": "I look." }, { "type": "tool_use", "id": id, "name": "tool_1", "input": input }] }),
                    json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": result }] }),
                ]
            });
            let first = json!({ "role": "user", "content": "Mend it." });
            let turns: Vec<Value> = std::iter::once(first).chain(turns).collect();
            let tools: Vec<Value> = tools
                .map(|(name, about)| json!({ "name": name, "description": about, "input_schema": schema() }))
                .collect();
            json!({ "model": "m", "stream": true, "max_tokens": 9000, "messages": turns, "tools": tools })
        }
        _ => {
            let items = calls.flat_map(|number| {
                let id = format!("call_{number}");
                [
                    json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "I look." }] }),
                    json!({ "type": "function_call", "call_id": id, "name": "tool_1", "arguments": input.to_string() }),
                    json!({ "type": "function_call_output", "call_id": id, "output": result }),
                ]
            });
            let first = json!({ "role": "user", "content": "Mend it." });
            let items: Vec<Value> = std::iter::once(first).chain(items).collect();
            let tools: Vec<Value> = tools
                .map(|(name, about)| json!({ "type": "function", "name": name, "description": about, "parameters": schema() }))
                .collect();
            json!({ "model": "m", "stream": true, "input": items, "tools": tools })
        }
    }
}

/// An upstream's stream: its beginning, and tokens.
fn stream(endpoint: Endpoint) -> Vec<Bytes> {
    let event = |name: &str, data: Value| format!("event: {name}\ndata: {data}\n\n");
    let token = |number: usize| format!(" word{number}");
    let mut events = match endpoint {
        Endpoint::Messages => {
            let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
                                  "stop_reason": null, "usage": { "input_tokens": 9, "output_tokens": 1 } });
            let block = json!({ "type": "text", "text": "" });
            vec![
                event(
                    "message_start",
                    json!({ "type": "message_start", "message": message }),
                ),
                event(
                    "content_block_start",
                    json!({ "type": "content_block_start", "index": 0, "content_block": block }),
                ),
            ]
        }
        Endpoint::Responses => {
            let response = json!({ "id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "model": "gpt", "output": [] });
            let item = json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": [] });
            vec![
                event(
                    "response.created",
                    json!({ "type": "response.created", "sequence_number": 0, "response": response }),
                ),
                event(
                    "response.output_item.added",
                    json!({ "type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item }),
                ),
            ]
        }
        _ => Vec::new(),
    };
    events.extend((0..EVENTS).map(|number| match endpoint {
        Endpoint::Messages => {
            let delta = json!({ "type": "text_delta", "text": token(number) });
            event("content_block_delta", json!({ "type": "content_block_delta", "index": 0, "delta": delta }))
        }
        Endpoint::Responses => event(
            "response.output_text.delta",
            json!({ "type": "response.output_text.delta", "sequence_number": number + 2, "item_id": "msg_1", "output_index": 0,
                    "content_index": 0, "delta": token(number), "logprobs": [] }),
        ),
        _ => {
            let choice = json!({ "index": 0, "delta": { "content": token(number) }, "logprobs": null, "finish_reason": null });
            let chunk = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
            format!("data: {chunk}\n\n")
        }
    }));
    events.into_iter().map(Bytes::from).collect()
}
