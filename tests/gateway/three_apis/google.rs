//! Google signs the calls of its models: through whichever API the client speaks, the signature finds back to Google, and nobody
//! else gets it.

use serde_json::{Value, json};

use super::Wire::{self, Chat, Messages, Responses};
use super::client::{go_on, hear, question, request};
use super::upstream::{answer, judge, stream};
use super::{Three, WEATHER};

const SIGNATURE: &str = "CiQB0/proof==";

fn bytes(wire: Wire, whole: &Value, is_streamed: bool) -> String {
    match is_streamed {
        true => stream(wire, whole),
        false => whole.to_string(),
    }
}

async fn two_turns(client: Wire, is_streamed: bool) {
    let three = Three::start().await;
    let mut history = vec![question(0)];
    // Of several calls the first one is signed.
    let mut calling = answer(Chat, 0, WEATHER);
    calling["choices"][0]["message"]["tool_calls"][0]["extra_content"] =
        json!({"google": {"thought_signature": SIGNATURE}});
    let body = request(client, &history, is_streamed);
    let said = bytes(Chat, &calling, is_streamed);
    let asked = three.ask_who_says(said, client, &body, &three.google).await;
    let heard = hear(client, &asked.answer);
    go_on(client, &mut history, &asked.answer, &heard);

    let body = request(client, &history, is_streamed);
    let ask = async |wire, upstream| {
        let said = bytes(wire, &answer(wire, 1, WEATHER), is_streamed);
        let received = three
            .ask_who_says(said, client, &body, upstream)
            .await
            .received;
        let judged = judge(wire, &received);
        assert_eq!(
            (judged.calls, judged.own_thoughts),
            (2, 0),
            "{client:?} {received}"
        );
        received
    };
    let received = ask(Chat, &three.google).await;
    let said = |message: &&Value| message["role"] == "assistant";
    let message = received["messages"].as_array().unwrap().iter().find(said);
    let calls = &message.unwrap()["tool_calls"];
    let google = &calls[0]["extra_content"]["google"];
    assert_eq!(
        google["thought_signature"], SIGNATURE,
        "{client:?} {received}"
    );
    assert_eq!(
        calls[1]["extra_content"],
        Value::Null,
        "{client:?} {received}"
    );
    for wire in [Chat, Messages, Responses] {
        let received = ask(wire, three.upstream(wire)).await.to_string();
        assert!(!received.contains(SIGNATURE), "{client:?} {received}");
        assert!(!received.contains("extra_content"), "{client:?} {received}");
    }
}

#[tokio::test]
async fn signatures_of_calls_find_back_to_google_alone() {
    for client in [Chat, Messages, Responses] {
        two_turns(client, false).await;
        two_turns(client, true).await;
    }
}
