//! Upstreams that serve a limited number of requests at a time: nobody is sent to one that is full, and the last resort has
//! a short queue.

use std::time::Duration;

use backstop::event::{Event, HealthChange};
use backstop::simulator::{Fault, Script};
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;

use crate::harness::{Setup, TestGateway, chat, chat_stream, simulators, stream_text, within};

const CHAT: &str = "/v1/chat/completions";

fn limited(more: &str) -> String {
    format!("provider: openai-compatible, api_key: k, concurrency: 1{more}")
}

/// A stream that has begun.
async fn begun(gateway: &TestGateway) -> Incoming {
    let headers = [("content-type", "application/json")];
    let body = chat_stream().to_string();
    let answer = gateway.open(Method::POST, CHAT, &headers, body).await;
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

#[tokio::test]
async fn a_request_that_finds_it_full_goes_to_the_next_candidate() {
    let (first, second) = simulators().await;
    let slow = Script::healthy().with_token_delay(Duration::from_millis(700));
    first.play(slow).await;
    let gateway = Setup::new()
        .upstream_as(&first, &limited(""))
        .upstream(&second)
        .start()
        .await;
    let stream = begun(&gateway).await;
    for _ in 0..3 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), ["first:full", "second:ok"]);
    }
    // A stream has its seat to the end, and gives it back then.
    let rest = within(stream.collect()).await.unwrap().to_bytes();
    let text = String::from_utf8(rest.to_vec()).unwrap();
    assert_eq!(stream_text(&text), ("Hello from first.".to_owned(), true));
    assert_eq!(gateway.post(CHAT, &chat()).await.trail(), ["first:ok"]);
    assert_eq!(first.received_count(), 2);
}

/// What is forwarded untouched waits there, too, if nobody else is left.
#[tokio::test]
async fn a_forwarded_request_waits_for_the_only_one() {
    let (first, _) = simulators().await;
    let slow = Script::healthy().with_token_delay(Duration::from_millis(300));
    first.play(slow).await;
    let gateway = Setup::new()
        .upstream_as(&first, &limited(", queue: {time: 60s}"))
        .start()
        .await;
    let stream = begun(&gateway).await;
    let image = json!({"model": "dall-e-3"});
    let image = gateway.post("/v1/images/generations", &image);
    let (image, rest) = within(async { tokio::join!(image, stream.collect()) }).await;
    assert_eq!(image.status, 200, "{}", image.text());
    assert_eq!(image.trail(), ["first:ok"]);
    assert!(rest.is_ok());
}

#[tokio::test]
async fn the_last_resort_has_a_queue_and_to_wait_there_is_no_slowness() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Refuse)).await;
    let slow = Script::healthy().with_first_token_delay(Duration::from_millis(400));
    second.play(slow).await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream_as(&second, &limited(""))
        .lines("timeouts: {first_token: 900ms}\n")
        .start()
        .await;
    // The last one waits for longer than a first token may take.
    let body = chat_stream();
    let ask = || gateway.post(CHAT, &body);
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    for answered in [a, b, c, d] {
        let expected = ("Hello from second.".to_owned(), true);
        let text = answered.text();
        assert_eq!(stream_text(&text), expected, "{:?}", answered.trail());
    }
    assert_eq!(second.received_count(), 4);
    let events = gateway.events.all();
    let is_against_second = |event: &Event| match event {
        Event::HealthChanged(HealthChange::Opened { scope, .. }) => {
            scope.upstream.as_ref() == "second"
        }
        _ => false,
    };
    assert!(!events.iter().any(is_against_second), "{events:#?}");
}

/// A request that is forwarded unread asks everybody, too, before it waits anywhere.
#[tokio::test]
async fn a_forwarded_request_waits_for_a_seat_only_if_everybody_is_full() {
    let (first, second) = simulators().await;
    let slow = Script::healthy().with_token_delay(Duration::from_millis(700));
    first.play(slow.clone()).await;
    let gateway = Setup::new()
        .upstream_as(&first, &limited(""))
        .upstream_as(&second, &limited(""))
        .start()
        .await;
    let _at_first = begun(&gateway).await;
    let image = json!({"model": "m", "prompt": "a gull"});
    let answered = gateway.post("/v1/images/generations", &image).await;
    assert_eq!(answered.trail(), ["first:full", "second:ok"]);

    second.play(slow).await;
    let _at_second = begun(&gateway).await;
    let answered = gateway.post("/v1/images/generations", &image).await;
    let trail = ["first:full", "second:full", "first:ok"];
    assert_eq!(answered.trail(), trail);
    assert_eq!((first.received_count(), second.received_count()), (2, 2));
}

#[tokio::test]
async fn a_reload_gives_nobody_a_second_seat() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::StallAfter(1))).await;
    let setup = Setup::new()
        .upstream_as(&first, &limited(""))
        .upstream(&second);
    let gateway = setup.start().await;
    let _stream = begun(&gateway).await;
    gateway.gateway.reload(setup.config()).await.unwrap();
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:full", "second:ok"]);
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let (first, _) = simulators().await;
    first.play(Script::fault(Fault::StallAfter(1))).await;
    let queue = ", queue: {requests: 1, time: 300ms}";
    let gateway = Setup::new()
        .upstream_as(&first, &limited(queue))
        .lines("timeouts: {wait: 1s}\n")
        .start()
        .await;
    let stream = begun(&gateway).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.status, 503, "{}", answered.text());
    assert_eq!(answered.trail(), ["first:full"], "it waits once");
    // Who goes away gives its seat back.
    drop(stream);
    first.play(Script::healthy()).await;
    within(first.wait_abandoned(1)).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
}
