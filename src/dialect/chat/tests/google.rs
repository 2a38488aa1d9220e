//! Google's proofs of thoughts, which come with calls.

use serde_json::{Value, json};

use super::{asked, events, pieces, reading, sent};
use crate::catalogue::Quirks;
use crate::dialect::chat::read_answer;
use crate::dialect::conversation::arbitrary::kept;
use crate::dialect::conversation::{Api, Event};

fn signed_call(id: &str, signature: Option<&str>) -> Value {
    let mut call =
        json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
    if let Some(signature) = signature {
        call["extra_content"] = json!({ "google": { "thought_signature": signature } });
    }
    call
}

fn message() -> Value {
    let calls = [
        signed_call("a", Some("s")),
        signed_call("b", None),
        signed_call("c", Some("t")),
    ];
    json!({ "role": "assistant", "content": "Hi", "reasoning_content": "Hm.", "tool_calls": calls })
}

/// A client's next request, with this answer in its history.
fn next(client: Api, answer: &Value) -> Value {
    let user = json!({ "role": "user", "content": "hi" });
    match client {
        Api::Chat => json!({ "model": "m", "messages": [user, answer["choices"][0]["message"]] }),
        Api::Messages => {
            json!({ "model": "m", "max_tokens": 9, "messages": [user, { "role": "assistant", "content": answer["content"] }] })
        }
        Api::Responses => {
            let mut items = vec![user];
            items.extend(answer["output"].as_array().unwrap().iter().cloned());
            json!({ "model": "m", "input": items })
        }
    }
}

#[test]
fn they_find_back_through_the_client_of_any_api() {
    let completion = json!({ "id": "c", "choices": [{ "index": 0, "message": message(), "finish_reason": "tool_calls" }] });
    let mut asked = asked(false, false);
    asked.echo.fields = json!({ "include": ["reasoning.encrypted_content"] });
    let mut deltas = message();
    for (index, call) in deltas["tool_calls"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        call["index"] = index.into();
    }
    let streamed = pieces(&[super::chunk(deltas), super::end("tool_calls")]);
    let whole = kept(read_answer(completion.to_string().as_bytes(), &reading()).unwrap());
    for client in [Api::Messages, Api::Responses] {
        for pieces in [streamed.clone(), whole.clone()] {
            let events: Vec<Event<'_>> = events(pieces);
            asked.api = client;
            let answer = (client.form().write_answer)(&asked, events).unwrap();
            let answer = serde_json::from_str(&answer).unwrap();
            let conversation = || (client.form().read_request)(next(client, &answer)).unwrap();
            let (body, _) = sent(conversation(), "gemini-3-pro", Quirks::GEMINI);
            let calls = &body["messages"][1]["tool_calls"];
            let expected = json!([
                signed_call("a", Some("s")),
                signed_call("b", None),
                signed_call("c", Some("t"))
            ]);
            assert_eq!(calls, &expected, "{client:?} {answer}");
            let (body, dropped) = sent(conversation(), "m", Quirks::UNKNOWN);
            assert!(!body.to_string().contains("extra_content"), "{body}");
            assert!(!dropped.is_empty());
        }
    }
    let chat = (Api::Chat.form().read_request)(next(Api::Chat, &completion)).unwrap();
    let (body, _) = sent(chat, "gemini-3-pro", Quirks::GEMINI);
    assert_eq!(
        body["messages"][1]["tool_calls"][2],
        signed_call("c", Some("t"))
    );
}
