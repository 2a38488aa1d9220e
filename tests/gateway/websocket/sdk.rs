//! The official Python SDK's own WebSocket clients, which understand our Close frame.

use std::ffi::OsStr;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::peer::{Accepted, Provider, rest, say, told};
use crate::harness::TestGateway;
use crate::sdk::install::{PYTHON, install_python, sdk_folder};
use crate::sdk::run;

fn event(kind: &str) -> Message {
    Message::text(json!({"type": kind}).to_string())
}

/// Waits for the client's event.
async fn asked(upstream: &mut Accepted) {
    let Some(Message::Text(text)) = told(&mut upstream.stream).await else {
        panic!("no text");
    };
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(event["type"], "response.create");
}

#[tokio::test]
async fn python_connects_again_when_its_upstream_is_lost() {
    let python = install_python(PYTHON).await;
    let script = sdk_folder().join("realtime.py");
    for (kind, path) in [
        ("realtime", "/v1/realtime?model=gpt-4o"),
        ("responses", "/v1/responses"),
    ] {
        let mut provider = Provider::start().await;
        let keys = "clients: [{name: laptop, key: client-key}]\n";
        let gateway = TestGateway::start(&provider.alone(keys)).await;
        let base_url = gateway.url("/v1");
        let arguments = [
            script.as_os_str(),
            OsStr::new(&base_url),
            OsStr::new("client-key"),
            OsStr::new(kind),
        ];
        let conversations = async {
            let mut lost = provider.next().await;
            assert_eq!(lost.uri, path);
            assert_eq!(lost.headers["authorization"], "Bearer only-key");
            asked(&mut lost).await;
            say(&mut lost.stream, event("response.created")).await;
            drop(lost);

            let mut second = provider.next().await;
            assert_eq!(second.uri, path);
            say(&mut second.stream, event("session.updated")).await;
            asked(&mut second).await;
            say(&mut second.stream, event("response.done")).await;
            // Without a code, it would connect again.
            let goodbye = CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            };
            say(&mut second.stream, Message::Close(Some(goodbye))).await;
            rest(&mut second.stream).await;
        };
        let (printed, ()) = tokio::join!(run(&python, &arguments, ""), conversations);
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(
            lines,
            [
                "response.created",
                "closed with 1012",
                "session.updated",
                "response.done"
            ],
            "{kind}"
        );
    }
}
