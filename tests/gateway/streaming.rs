//! Streams: unchanged while the upstream works, replaced by another upstream's if the first one fails before any
//! content, and never with an ending that looks complete if it is not.

use std::time::Duration;

use backstop::event::{Event, RequestResult};
use backstop::outcome::Blame;
use backstop::simulator::{Fault, Framing, Script, Simulator};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{TestGateway, chat, chat_stream, chat_text, simulators, stream_text, within};
use crate::streamed::{Streamed, read};

const TIMEOUTS: &str =
    "timeouts: {connect: 1s, first_token: 400ms, answer: 400ms, idle: 400ms, total: 20s}\n";
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

/// Both APIs with their own end of stream: paths, and requests for a stream.
pub(crate) fn apis() -> [(&'static str, Value); 2] {
    let response = json!({"model": "gpt-4o", "input": "hi", "stream": true});
    [(CHAT, chat_stream()), (RESPONSES, response)]
}

/// Posts to a simulator directly.
async fn post_directly(simulator: &Simulator, path: &str, body: &Value) -> Bytes {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("http://{}{path}", simulator.address()))
        .body(Full::from(body.to_string()))
        .unwrap();
    let response = within(client.request(request)).await.unwrap();
    let body = within(response.into_body().collect()).await.unwrap();
    body.to_bytes()
}

/// The same answer, but for its time.
fn timeless(body: &Bytes) -> String {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let mut result = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("\"created") {
        let digits = at + rest[at..].find(':').unwrap() + 1;
        result += &rest[..digits];
        rest = rest[digits..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    result + rest
}

#[tokio::test]
async fn the_bytes_of_a_healthy_upstream_pass_unchanged_in_every_framing() {
    for framing in [Framing::Usual, Framing::CrLf, Framing::OneBytePerChunk] {
        let script =
            Script::answer("Grüße, \"quoted\"\nand 数 in two lines.").with_framing(framing);
        let (first, second) = simulators().await;
        first.play(script.clone()).await;
        let gateway = TestGateway::before(&first, &second, "").await;
        // It has the same name and counts its requests alike, so that it gives the same ids.
        let twin = Simulator::start("first", script).await.unwrap();
        for (path, body) in apis() {
            let direct = post_directly(&twin, path, &body).await;
            let answered = gateway.post(path, &body).await;
            assert!(answered.header("content-type").starts_with("text/event-"));
            assert_eq!(
                timeless(&answered.body),
                timeless(&direct),
                "{path} {framing:?}"
            );
            let streamed = read(&answered.text());
            assert!(streamed.claims_end, "{path} {framing:?}");
            assert!(streamed.text.ends_with("lines."), "{path} {framing:?}");
        }
        assert_eq!(second.received_count(), 0);
        assert_eq!(first.received()[0].json(), chat_stream());
    }
}

/// Reads a body until the text streamed so far is this one.
async fn read_until(body: &mut Incoming, text: &str) {
    read_while(body, |streamed| streamed.text != text).await;
}

async fn read_while(body: &mut Incoming, is_too_little: impl Fn(&Streamed) -> bool) {
    let mut so_far = String::new();
    let reading = async {
        while is_too_little(&read(&so_far)) {
            let frame = body.frame().await.expect("more of the stream").unwrap();
            so_far += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
    };
    within(reading).await;
}

#[tokio::test]
async fn each_event_goes_out_while_the_upstream_still_holds_back_the_next() {
    let (first, second) = simulators().await;
    // The harness gives up before the default idle timeout would end the silence.
    let gateway = TestGateway::before(&first, &second, "").await;
    for (path, body) in apis() {
        for (count, text) in [(1, "Hello"), (2, "Hello from"), (3, "Hello from first.")] {
            first.play(Script::fault(Fault::StallAfter(count))).await;
            let response = gateway
                .open(Method::POST, path, &JSON, body.to_string())
                .await;
            read_until(&mut response.into_body(), text).await;
        }
    }
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_content_is_replaced_by_another_one() {
    let faults = [
        (Fault::RoleThenCut, "connection_lost"),
        (Fault::RoleThenEnd, "cut_short"),
        (Fault::OnlyDone, "no_answer"),
        (Fault::OnlyComments, "first_token_timeout"),
        (Fault::JsonForStream, "server_error"),
        (Fault::Garbage, "cut_short"),
        (Fault::HangAfterHeaders, "first_token_timeout"),
        (Fault::StallAfter(0), "first_token_timeout"),
        (Fault::ErrorInside { status: 429 }, "rate_limited"),
        (Fault::ErrorInside { status: 500 }, "server_error"),
        (Fault::ErrorAfter(0), "server_error"),
        (Fault::Html, "wrong_content_type"),
        (Fault::Empty, "empty_reply"),
        (Fault::Truncated, "connection_lost"),
        (Fault::NoChoices, "no_answer"),
    ];
    for (fault, outcome) in faults {
        for (path, body) in apis() {
            let (first, second) = simulators().await;
            first.play(Script::fault(fault.clone())).await;
            let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
            let answered = gateway.post(path, &body).await;
            let about = format!("{path} {fault:?}: {}", answered.text());
            assert_eq!(answered.status, 200, "{about}");
            let trail = [format!("first:{outcome}"), "second:ok".to_owned()];
            assert_eq!(answered.trail(), trail, "{about}");
            let expected = Streamed {
                text: "Hello from second.".to_owned(),
                claims_end: true,
                ..Streamed::default()
            };
            assert_eq!(read(&answered.text()), expected, "{about}");
            assert!(!answered.text().contains("first0"), "{about}");
            assert_eq!((first.received_count(), second.received_count()), (1, 1));
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_after_its_first_content_ends_with_an_error_and_never_as_if_whole() {
    let faults = [
        (Fault::CutAfter(2), "stream_broken"),
        (Fault::ResetAfter(2), "stream_broken"),
        (Fault::EndAfter(2), "stream_broken"),
        (Fault::EndAfter(3), "stream_broken"),
        (Fault::StallAfter(2), "idle_timeout"),
        (Fault::ErrorAfter(2), "server_error"),
        (Fault::GarbageAfter(2), "unparsable_reply"),
    ];
    for (fault, outcome) in faults {
        for (path, body) in apis() {
            let (first, second) = simulators().await;
            first.play(Script::fault(fault.clone())).await;
            let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
            let answered = gateway.post(path, &body).await;
            let about = format!("{path} {fault:?}: {}", answered.text());

            assert_eq!(answered.status, 200, "{about}");
            let streamed = read(&answered.text());
            assert!(streamed.text.starts_with("Hello"), "{about}");
            assert!("Hello from first.".starts_with(&streamed.text), "{about}");
            assert!(!streamed.claims_end, "{about}");
            assert_eq!(streamed.errors[0], "stream_interrupted", "{about}");
            assert!(streamed.ends_with_failure, "{about}");

            let attempt = gateway
                .events
                .wait_for(|event| match event {
                    Event::AttemptFinished { report, .. } => Some(report.clone()),
                    _ => None,
                })
                .await;
            assert_eq!(attempt.outcome.label(), outcome, "{about}");
            assert_eq!(attempt.outcome.blame(), Blame::Upstream, "{about}");
            let report = gateway.events.finished(0).await;
            assert_eq!(report.result, RequestResult::Broken, "{about}");
            assert_eq!((first.received_count(), second.received_count()), (1, 0));
        }
    }
}

#[tokio::test]
async fn upstreams_whose_streams_break_midway_go_out_of_rotation() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::CutAfter(1))).await;
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    let mut cuts = 0;
    while !gateway.has_something_out() {
        cuts += 1;
        assert!(cuts <= 8, "{cuts}");
        // The same one again would start with the second.
        let mut body = chat_stream();
        body["seed"] = cuts.into();
        gateway.post(CHAT, &body).await;
    }
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["second:ok"]);
    assert_eq!(first.received_count(), cuts);
}

#[tokio::test]
async fn a_stream_that_outlasts_the_total_time_goes_on_while_it_makes_progress() {
    let (first, second) = simulators().await;
    let long = Script::answer("word ".repeat(100)).with_token_delay(Duration::from_millis(20));
    first.play(long).await;
    let timeouts = "timeouts: {first_token: 600ms, idle: 600ms, total: 600ms}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    for (path, body) in apis() {
        let start = Instant::now();
        let answered = gateway.post(path, &body).await;
        assert!(start.elapsed() >= Duration::from_millis(1900), "{path}");
        let streamed = read(&answered.text());
        assert_eq!(streamed.text.matches("word").count(), 100, "{path}");
        assert!(streamed.claims_end && streamed.errors.is_empty(), "{path}");
    }
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn a_missing_done_is_added() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::NoDone)).await;
    let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
    for count in 0..4 {
        let answered = gateway.post(CHAT, &chat_stream()).await;
        assert_eq!(answered.trail(), ["first:ok"]);
        let whole = ("Hello from first.".to_owned(), true);
        assert_eq!(stream_text(&answered.text()), whole);
        assert_eq!(answered.text().matches("[DONE]").count(), 1);
        let report = gateway.events.finished(count).await;
        assert_eq!(report.result, RequestResult::Answered);
    }
    assert_eq!(second.received_count(), 0);
}

fn outcomes(gateway: &TestGateway) -> Vec<&'static str> {
    let all = gateway.events.all();
    all.iter()
        .filter_map(|event| match event {
            Event::AttemptFinished { report, .. } => Some(report.outcome.label()),
            _ => None,
        })
        .collect()
}

fn has_breaker_changed(gateway: &TestGateway) -> bool {
    let all = gateway.events.all();
    all.iter()
        .any(|event| matches!(event, Event::HealthChanged(_)))
}

#[tokio::test]
async fn clients_that_leave_during_a_stream_free_the_upstream_and_do_not_count_against_it() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::StallAfter(1))).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for count in 0..6 {
        let response = gateway
            .open(Method::POST, CHAT, &JSON, chat_stream().to_string())
            .await;
        let mut body = response.into_body();
        read_until(&mut body, "Hello").await;
        drop(body);
        within(first.wait_abandoned(count + 1)).await;
        let report = gateway.events.finished(count).await;
        assert_eq!(report.result, RequestResult::ClientGone);
        assert_eq!(report.status, 200);
    }
    assert_eq!(outcomes(&gateway), ["client_gone"; 6]);
    assert!(!has_breaker_changed(&gateway));

    first.play(Script::healthy()).await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(second.received_count(), 0);
}

/// SDKs close the connection at the last event, which may be before the end of the body has come.
#[tokio::test]
async fn a_client_that_leaves_at_the_last_event_has_its_answer() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::StallAfterAll)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for (count, (path, body)) in apis().into_iter().enumerate() {
        let response = gateway
            .open(Method::POST, path, &JSON, body.to_string())
            .await;
        let mut body = response.into_body();
        read_while(&mut body, |streamed| !streamed.claims_end).await;
        drop(body);
        let report = gateway.events.finished(count).await;
        assert_eq!(report.result, RequestResult::Answered, "{path}");
        within(first.wait_abandoned(count + 1)).await;
    }
    assert_eq!(outcomes(&gateway), ["ok"; 2]);
    assert!(!has_breaker_changed(&gateway));
}

#[tokio::test]
async fn clients_that_leave_before_the_answer_free_the_upstream_and_do_not_count_against_it() {
    let (first, second) = simulators().await;
    first.play(Script::fault(Fault::Hang)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for count in 0..6 {
        let body = if count % 2 == 0 {
            chat()
        } else {
            chat_stream()
        };
        tokio::select! {
            _ = gateway.post(CHAT, &body) => panic!("an answer from an upstream that hangs"),
            () = within(first.wait_received(count + 1)) => {}
        }
        within(first.wait_abandoned(count + 1)).await;
        let report = gateway.events.finished(count).await;
        assert_eq!(report.result, RequestResult::ClientGone);
        assert_eq!((report.status, report.attempts), (499, 1));
    }
    assert_eq!(outcomes(&gateway), ["client_gone"; 6]);
    assert!(!has_breaker_changed(&gateway));

    first.play(Script::healthy()).await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(chat_text(&answered), "Hello from first.");
    assert_eq!(answered.trail(), ["first:ok"]);
    assert_eq!(second.received_count(), 0);
}

#[tokio::test]
async fn a_stream_of_several_answers_is_whole_when_each_has_ended() {
    let chunk = |index: usize, delta: Value, reason: Option<&str>| {
        let choice = json!({"index": index, "delta": delta, "finish_reason": reason});
        format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
    };
    let begun = chunk(0, json!({"content": "one"}), None) + &chunk(0, json!({}), Some("stop"));
    let half = begun + &chunk(1, json!({"content": "tw"}), None);
    let whole = half.clone() + &chunk(1, json!({"content": "o"}), Some("stop"));
    let mut body = chat_stream();
    body["n"] = json!(2);
    for (sent, is_whole) in [(half, false), (whole, true)] {
        let (first, second) = simulators().await;
        first.play(Script::fault(Fault::Raw(sent.clone()))).await;
        let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
        let streamed = gateway.post(CHAT, &body).await.text();
        assert!(streamed.starts_with(&sent), "{streamed}");
        assert_eq!(
            streamed.ends_with("data: [DONE]\n\n"),
            is_whole,
            "{streamed}"
        );
        assert_eq!(
            !streamed.contains("stream_interrupted"),
            is_whole,
            "{streamed}"
        );
    }
}
