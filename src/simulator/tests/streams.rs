//! Faults of streams: what still arrives, and how the stream ends.

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{End, Fault, STREAM, chat_stream, exchange, failing, send, within};

/// Plays a fault to a chat stream; returns the number of events, whether the chunks ended properly, and the end.
async fn outcome(fault: Fault) -> (usize, bool, End) {
    let reply = chat_stream(&failing(fault.clone()).await).await;
    assert!(
        reply.is_status(200) && reply.has("content-type: text/event-stream"),
        "{fault:?}"
    );
    let events = reply.body().matches("data: ").count();
    (events, reply.is_whole(), reply.end)
}

#[tokio::test]
async fn streams_end_as_told() {
    for (fault, events, whole, end) in [
        (Fault::Empty, 0, true, End::Closed),
        (Fault::HangAfterHeaders, 0, false, End::Silent),
        (Fault::Truncated, 1, false, End::Closed),
        (Fault::RoleThenCut, 1, false, End::Closed),
        (Fault::RoleThenEnd, 1, true, End::Closed),
        (Fault::OnlyDone, 1, true, End::Closed),
        (Fault::Garbage, 0, true, End::Closed),
        (Fault::StallAfter(2), 3, false, End::Silent),
        (Fault::StallAfter(0), 1, false, End::Silent),
        (Fault::CutAfter(2), 3, false, End::Closed),
        (Fault::ResetAfter(2), 3, false, End::Reset),
        (Fault::EndAfter(2), 3, true, End::Closed),
        (Fault::ErrorAfter(2), 4, true, End::Closed),
        (Fault::GarbageAfter(2), 4, true, End::Closed),
        (Fault::ErrorInside { status: 429 }, 1, true, End::Closed),
        (Fault::NoChoices, 3, true, End::Closed),
        (Fault::NoDone, 5, true, End::Closed),
    ] {
        let name = format!("{fault:?}");
        assert_eq!(outcome(fault).await, (events, whole, end), "{name}");
    }
}

#[tokio::test]
async fn comments_go_on_until_the_caller_has_enough() {
    let simulator = failing(Fault::OnlyComments).await;
    let mut tcp = within(send(&simulator, "/chat/completions", STREAM))
        .await
        .unwrap();
    let mut text = String::new();
    while text.matches(": ping\n\n").count() < 3 {
        read_some(&mut tcp, &mut text).await;
    }
    drop(tcp);
    within(simulator.wait_abandoned(1)).await;
}

async fn read_some(tcp: &mut TcpStream, text: &mut String) {
    let mut buffer = [0; 1024];
    let count = within(tcp.read(&mut buffer)).await.unwrap();
    assert_ne!(count, 0);
    text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
}

#[tokio::test]
async fn callers_that_leave_are_counted() {
    let simulator = failing(Fault::Hang).await;
    let hanging = within(send(&simulator, "/responses", STREAM))
        .await
        .unwrap();
    within(simulator.wait_received(1)).await;
    assert_eq!(simulator.abandoned(), 0);
    drop(hanging);
    within(simulator.wait_abandoned(1)).await;

    simulator
        .play(super::Script::fault(Fault::StallAfter(1)))
        .await;
    let mut stalled = within(send(&simulator, "/chat/completions", STREAM))
        .await
        .unwrap();
    let mut text = String::new();
    while !text.contains("Hello") {
        read_some(&mut stalled, &mut text).await;
    }
    drop(stalled);
    within(simulator.wait_abandoned(2)).await;
    assert_eq!(simulator.abandoned(), 2);
}

#[tokio::test]
async fn a_json_error_may_come_instead_of_a_stream() {
    let reply = chat_stream(&failing(Fault::JsonForStream).await).await;
    assert!(reply.is_status(200) && reply.has("content-type: application/json"));
    assert_eq!(reply.json()["error"]["type"], "server_error");
}

#[tokio::test]
async fn responses_are_named_and_numbered() {
    let simulator = failing(Fault::None).await;
    let reply = exchange(&simulator, "/v1/responses", STREAM).await;
    let numbers: Vec<usize> = reply
        .body()
        .split(r#""sequence_number":"#)
        .skip(1)
        .filter_map(|rest| rest.split(&[',', '}']).next()?.parse().ok())
        .collect();
    assert_eq!(numbers, (0..11).collect::<Vec<_>>());
    assert!(reply.has("event: response.completed\n") && reply.is_whole());

    let simulator = failing(Fault::ErrorAfter(1)).await;
    let reply = exchange(&simulator, "/v1/responses", STREAM).await;
    assert!(reply.has("event: error\n") && reply.has("event: response.failed\n"));
    assert!(!reply.has("response.completed"));
}
