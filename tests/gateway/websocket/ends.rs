//! How relayed conversations end that neither side closes.

use std::time::Duration;

use backstop::config::Config;
use backstop::event::{Event, RequestResult};
use futures_util::{SinkExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::peer::{Accepted, Client, Provider, connect, rest, say, told, try_connect};
use super::{attempts, outcomes};
use crate::harness::{TestGateway, within};

const REALTIME: &str = "/v1/realtime?model=gpt-4o";

/// A conversation under way.
async fn conversation(more: &str) -> (TestGateway, Provider, Client, Accepted) {
    let mut provider = Provider::start().await;
    let gateway = TestGateway::start(&provider.alone(more)).await;
    let mut client = connect(&gateway, REALTIME, &[]).await;
    let mut upstream = provider.next().await;
    say(&mut client.stream, Message::text("hello")).await;
    assert_eq!(
        told(&mut upstream.stream).await.unwrap(),
        Message::text("hello")
    );
    (gateway, provider, client, upstream)
}

fn close(code: CloseCode, reason: &str) -> Message {
    Message::Close(Some(CloseFrame {
        code,
        reason: reason.to_owned().into(),
    }))
}

fn restart(reason: &str) -> Message {
    close(CloseCode::Restart, reason)
}

/// Waits until no request is in flight.
async fn idle(gateway: &TestGateway) {
    within(async {
        while !gateway
            .admin("/metrics")
            .await
            .text()
            .contains("backstop_requests_in_flight 0")
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_whose_upstream_is_lost_is_asked_to_reconnect() {
    for is_reset in [false, true] {
        let (gateway, _provider, mut client, mut upstream) = conversation("").await;
        say(&mut upstream.stream, Message::text("half of the answer")).await;
        let half = told(&mut client.stream).await.unwrap();
        assert_eq!(half, Message::text("half of the answer"));
        if is_reset {
            let socket = socket2::SockRef::from(upstream.stream.get_ref());
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(upstream);
        assert_eq!(
            rest(&mut client.stream).await,
            [restart("the upstream was lost, connect again")]
        );
        let report = gateway.events.finished(0).await;
        assert_eq!(report.result, RequestResult::Broken);
        assert_eq!(report.status, 101);
        assert_eq!(report.failed_by.len(), 1);
        assert_eq!(outcomes(&gateway), ["stream_broken"]);
        let detail = attempts(&gateway)[0].detail.clone().unwrap();
        let detail_of = if is_reset { "broke: " } else { "hung up" };
        assert!(detail.contains(detail_of), "{detail}");
        idle(&gateway).await;
    }
}

#[tokio::test]
async fn a_client_that_keeps_sending_to_a_lost_upstream_is_asked_too() {
    let (gateway, _provider, mut client, upstream) = conversation("").await;
    drop(upstream);
    // All of it, or as much as is accepted.
    let talk = Message::binary(vec![0; 1 << 20]);
    let _ = within(client.stream.send(talk)).await;
    assert_eq!(
        rest(&mut client.stream).await,
        [restart("the upstream was lost, connect again")]
    );
    assert_eq!(
        gateway.events.finished(0).await.result,
        RequestResult::Broken
    );
    assert_eq!(outcomes(&gateway), ["stream_broken"]);
}

#[tokio::test]
async fn a_frame_that_breaks_off_is_not_completed_by_us() {
    let (gateway, _provider, mut client, mut upstream) = conversation("").await;
    let begun = [0x82, 126, 1, 0, 1, 2, 3];
    upstream.stream.get_mut().write_all(&begun).await.unwrap();
    drop(upstream);
    let mut left = Vec::new();
    let socket = client.stream.get_mut();
    within(socket.read_to_end(&mut left)).await.unwrap();
    assert_eq!(left, begun);
    assert_eq!(
        gateway.events.finished(0).await.result,
        RequestResult::Broken
    );
    assert_eq!(outcomes(&gateway), ["stream_broken"]);
}

#[tokio::test]
async fn an_upstream_is_left_soon_after_its_client_has_gone() {
    for is_reset in [false, true] {
        let (gateway, _provider, client, mut upstream) = conversation("").await;
        if is_reset {
            let socket = socket2::SockRef::from(client.stream.get_ref());
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        }
        let gone_since = Instant::now();
        drop(client);
        let ended = within(upstream.stream.next()).await;
        assert!(!matches!(ended, Some(Ok(_))), "{ended:?}");
        assert!(gone_since.elapsed() < Duration::from_secs(1));
        assert_eq!(
            gateway.events.finished(0).await.result,
            RequestResult::ClientGone
        );
        assert_eq!(outcomes(&gateway), ["ok"]);
        idle(&gateway).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let (gateway, _provider, client, mut upstream) = conversation("limits: {write: 300ms}\n").await;
    // A provider that is not read would stop reading as well; the client stalls in both directions.
    let talk = async {
        let words = Message::binary(vec![0; 1 << 20]);
        while upstream.stream.send(words.clone()).await.is_ok() {}
    };
    within(talk).await;
    assert_eq!(
        gateway.events.finished(0).await.result,
        RequestResult::ClientGone
    );
    assert_eq!(outcomes(&gateway), ["ok"]);
    idle(&gateway).await;
    drop(client);
}

#[tokio::test]
async fn an_upstream_that_does_not_read_is_given_up() {
    let (gateway, _provider, client, upstream) = conversation("timeouts: {idle: 300ms}\n").await;
    let (mut to, mut from) = client.stream.split();
    let talk = async {
        let words = Message::binary(vec![0; 1 << 20]);
        while to.send(words.clone()).await.is_ok() {}
    };
    let ((), told) = within(async { tokio::join!(talk, from.next()) }).await;
    // It is not to connect at once: the next conversation would stall as well.
    let later = close(CloseCode::Again, "the upstream was lost, connect again");
    assert_eq!(told.unwrap().unwrap(), later);
    assert_eq!(
        gateway.events.finished(0).await.result,
        RequestResult::Broken
    );
    assert_eq!(outcomes(&gateway), ["stream_broken"]);
    drop(upstream);
}

/// It stops reading because nobody takes what it says.
#[tokio::test]
async fn an_upstream_is_not_to_blame_for_a_client_that_does_not_read() {
    let lines = "timeouts: {idle: 300ms}\nlimits: {write: 1h}\n";
    let (gateway, _provider, mut client, mut upstream) = conversation(lines).await;
    let words = Message::binary(vec![0; 1 << 20]);
    let asks = async { while client.stream.send(words.clone()).await.is_ok() {} };
    let says = async { while upstream.stream.send(words.clone()).await.is_ok() {} };
    within(async { tokio::join!(asks, says) }).await;
    assert_eq!(
        gateway.events.finished(0).await.result,
        RequestResult::ClientGone
    );
    assert_eq!(outcomes(&gateway), ["ok"]);
}

#[tokio::test]
async fn a_conversation_holds_a_place_among_the_requests_until_its_end() {
    let (gateway, mut provider, mut client, mut upstream) =
        conversation("limits: {requests: 1}\n").await;
    let page = gateway.admin("/metrics").await.text();
    assert!(page.contains("backstop_requests_in_flight 1"), "{page}");
    match try_connect(&gateway, REALTIME, &[]).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("{:?}", other.map(|client| client.answered)),
    }
    say(&mut client.stream, Message::Close(None)).await;
    tokio::join!(rest(&mut client.stream), rest(&mut upstream.stream));
    let again = async {
        // The slot is released just after the event is reported.
        while try_connect(&gateway, REALTIME, &[]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(again).await;
    provider.next().await;
}

#[tokio::test]
async fn a_drain_waits_for_conversations_and_then_ends_them() {
    let (gateway, _provider, mut client, mut upstream) =
        conversation("limits: {drain: 300ms}\n").await;
    let events = gateway.events.clone();
    let draining = tokio::spawn(gateway.gateway.drain());
    // It goes on for as long as the grace time lasts.
    say(&mut client.stream, Message::text("still there?")).await;
    assert_eq!(
        told(&mut upstream.stream).await.unwrap(),
        Message::text("still there?")
    );
    assert_eq!(
        rest(&mut client.stream).await,
        [restart("the proxy is stopping, connect again")]
    );
    let ended = within(upstream.stream.next()).await;
    assert!(!matches!(ended, Some(Ok(_))), "{ended:?}");
    within(draining).await.unwrap();
    let result = |event: &_| match event {
        Event::RequestFinished(report) => Some((report.result, report.failed_by.len())),
        _ => None,
    };
    assert_eq!(events.wait_for(result).await, (RequestResult::Broken, 0));
}

#[tokio::test]
async fn a_drain_is_over_with_the_last_conversation() {
    let (gateway, _provider, mut client, mut upstream) =
        conversation("limits: {drain: 1h}\n").await;
    let draining = tokio::spawn(gateway.gateway.drain());
    say(&mut client.stream, Message::Close(None)).await;
    tokio::join!(rest(&mut client.stream), rest(&mut upstream.stream));
    within(draining).await.unwrap();
}

/// Whoever takes a key away, as it has leaked, means at once.
#[tokio::test]
async fn a_client_whose_key_is_taken_away_is_sent_off_and_others_talk_on() {
    let mut provider = Provider::start().await;
    let without = provider.alone("clients: [{name: bert, key: key-of-bert-1234}]\n");
    let both = without.replace("[{name", "[{name: anna, key: key-of-anna-1234}, {name");
    let gateway = TestGateway::start(&both).await;
    let mut talk = async |key: &str| {
        let key = format!("Bearer {key}");
        let client = connect(&gateway, REALTIME, &[("authorization", &key)]).await;
        (client, provider.next().await)
    };
    let (mut anna, _of_anna) = talk("key-of-anna-1234").await;
    let (mut bert, mut of_bert) = talk("key-of-bert-1234").await;
    let reload = async |yaml: &str| {
        let config = Config::parse("test", yaml, &|_| None).unwrap();
        gateway.gateway.reload(Ok(config)).await.unwrap();
    };
    reload(&both).await;
    say(&mut anna.stream, Message::text("still here")).await;
    reload(&without).await;
    let farewell = close(
        CloseCode::Policy,
        "this API key is accepted no more; ask for a new one",
    );
    assert_eq!(told(&mut anna.stream).await.unwrap(), farewell);
    say(&mut bert.stream, Message::text("me too")).await;
    assert_eq!(
        told(&mut of_bert.stream).await.unwrap(),
        Message::text("me too")
    );
    let result = |event: &_| match event {
        Event::RequestFinished(report) => Some(report.result),
        _ => None,
    };
    let result = gateway.events.wait_for(result).await;
    assert_eq!(result, RequestResult::Rejected);
}

#[tokio::test]
async fn a_client_whose_key_expires_is_sent_off() {
    let mut provider = Provider::start().await;
    let soon = Timestamp::now() + SignedDuration::from_millis(1500);
    let clients = format!("clients: [{{name: anna, key: key-of-anna-1234, expires: {soon}}}]\n");
    let gateway = TestGateway::start(&provider.alone(&clients)).await;
    let key = [("authorization", "Bearer key-of-anna-1234")];
    let mut anna = connect(&gateway, REALTIME, &key).await;
    let _upstream = provider.next().await;
    let farewell = told(&mut anna.stream).await.unwrap();
    assert!(matches!(farewell, Message::Close(Some(frame)) if frame.code == CloseCode::Policy));
}
