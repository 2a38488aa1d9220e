//! A WebSocket's handshake fails over, and then frames pass as they are until one side ends the conversation.

mod ends;
mod handshake;
mod peer;
mod sdk;
mod secure;

use backstop::event::{AttemptReport, Event, RequestResult};
use backstop::request::Endpoint;
use backstop::simulator::{Script, Simulator};
use http::Method;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use self::peer::{Provider, connect, say, told};
use crate::harness::{Setup, TestGateway};

/// How the attempts were reported.
fn attempts(gateway: &TestGateway) -> Vec<AttemptReport> {
    let events = gateway.events.all();
    let attempts = events.into_iter().filter_map(|event| match event {
        Event::AttemptFinished { report, .. } => Some(report),
        _ => None,
    });
    attempts.collect()
}

fn outcomes(gateway: &TestGateway) -> Vec<&'static str> {
    let attempts = attempts(gateway);
    attempts
        .iter()
        .map(|report| report.outcome.label())
        .collect()
}

#[tokio::test]
async fn a_conversation_passes_unharmed_in_both_directions() {
    let mut provider = Provider::start().await;
    let gateway = TestGateway::start(&provider.alone("")).await;
    let mut client = connect(&gateway, "/v1/realtime?model=gpt-4o", &[]).await;
    let mut upstream = provider.next().await;

    assert_eq!(client.answered.status(), 101);
    assert_eq!(client.header("x-backstop-upstream"), "only");
    assert!(client.header("x-request-id").starts_with("req_"));
    let trail = client.header("x-backstop-attempts");
    assert!(trail.starts_with("only;outcome=ok;ms="), "{trail}");
    assert_eq!(client.header("content-length"), "");

    let large: Vec<u8> = (0..1 << 20)
        .map(|number: u32| (number % 251) as u8)
        .collect();
    let messages = [
        Message::text("{\"type\": \"session.update\"}"),
        Message::text(""),
        Message::binary(vec![0x88; 200]),
        Message::binary(large),
        Message::text("ä".repeat(40_000)),
    ];
    for message in &messages {
        say(&mut client.stream, message.clone()).await;
        assert_eq!(told(&mut upstream.stream).await.unwrap(), *message);
        say(&mut upstream.stream, message.clone()).await;
        assert_eq!(told(&mut client.stream).await.unwrap(), *message);
    }
    // Pings go through to the other end, which answers them.
    say(&mut client.stream, Message::Ping("here?".into())).await;
    let ping = Message::Ping("here?".into());
    assert_eq!(told(&mut upstream.stream).await.unwrap(), ping);
    say(&mut upstream.stream, Message::text("still here")).await;
    for expected in [Message::text("still here"), Message::Pong("here?".into())] {
        assert_eq!(told(&mut client.stream).await.unwrap(), expected);
    }
}

/// A proxy between a browser and us may drop `upgrade`: an ordinary request with a key in it is left.
#[tokio::test]
async fn a_key_among_subprotocols_goes_nowhere_even_without_an_upgrade() {
    let upstream = Simulator::start("only", Script::healthy()).await.unwrap();
    let gateway = Setup::new()
        .upstream(&upstream)
        .lines("clients: [{name: browser, key: client-key}]")
        .start()
        .await;
    let path = "/v1/realtime?model=gpt-4o";
    let name = "sec-websocket-protocol";
    for (offered, left) in [
        (
            "realtime, openai-insecure-api-key.client-key, openai-project.p",
            Some("realtime"),
        ),
        ("openai-insecure-api-key.client-key", None),
    ] {
        let answered = gateway
            .send(Method::GET, path, &[(name, offered)], "")
            .await;
        assert_ne!(answered.status, 401, "{offered}");
        let asked = upstream.received().pop().unwrap();
        assert_eq!(asked.path, path);
        assert_eq!(asked.header(name), left, "{offered}");
        for value in asked.headers.values() {
            let value = String::from_utf8_lossy(value.as_bytes());
            assert!(!value.contains("client-key"), "{:?}", asked.headers);
        }
    }
    assert_eq!(upstream.received_count(), 2);
}

#[tokio::test]
async fn all_messages_at_once_in_both_directions_arrive_in_order() {
    const COUNT: usize = 300;
    let mut provider = Provider::start().await;
    let gateway = TestGateway::start(&provider.alone("")).await;
    let client = connect(&gateway, "/v1/responses", &[]).await;
    let upstream = provider.next().await;
    let message = |number: usize| Message::binary(vec![number as u8; number * 97]);
    tokio::join!(
        peer::exchange(client.stream, COUNT, message),
        peer::exchange(upstream.stream, COUNT, message),
    );
}

#[tokio::test]
async fn a_close_frame_from_either_side_ends_it_with_its_code() {
    let goodbye = || {
        Message::Close(Some(CloseFrame {
            code: CloseCode::from(4003),
            reason: "enough".into(),
        }))
    };
    for is_by_client in [true, false] {
        let mut provider = Provider::start().await;
        let gateway = TestGateway::start(&provider.alone("")).await;
        let mut client = connect(&gateway, "/v1/realtime?model=gpt-4o", &[]).await;
        let mut upstream = provider.next().await;
        let (first, second) = if is_by_client {
            (&mut client.stream, &mut upstream.stream)
        } else {
            (&mut upstream.stream, &mut client.stream)
        };
        say(first, goodbye()).await;
        assert_eq!(told(second).await.unwrap(), goodbye());
        // The answer to it is sent while reading on.
        let (end_of_first, end_of_second) = tokio::join!(peer::rest(first), peer::rest(second));
        assert_eq!(end_of_first, [goodbye()], "by the client: {is_by_client}");
        assert_eq!(end_of_second, [], "by the client: {is_by_client}");

        let report = gateway.events.finished(0).await;
        assert_eq!(report.result, RequestResult::Answered);
        assert_eq!(report.endpoint, Endpoint::Realtime);
        assert_eq!(report.endpoint.label(), "realtime");
        assert_eq!(report.status, 101);
        assert_eq!(report.attempts, 1);
        assert_eq!(outcomes(&gateway), ["ok"]);
    }
}
