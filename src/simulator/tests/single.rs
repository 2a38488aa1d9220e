//! Faults of answers that are not streamed, and those that come before any answer.

use std::time::Duration;

use super::{End, Fault, chat, failing, simulator};
use crate::simulator::Script;

#[tokio::test]
async fn without_an_answer_the_connection_ends_as_told() {
    for (fault, end) in [
        (Fault::Close, End::Closed),
        (Fault::Reset, End::Reset),
        (Fault::Hang, End::Silent),
    ] {
        let simulator = failing(fault.clone()).await;
        let reply = chat(&simulator).await;
        assert_eq!((reply.text.as_str(), reply.end), ("", end), "{fault:?}");
        assert_eq!(simulator.received_count(), 1);
    }
}

#[tokio::test]
async fn half_an_answer_ends_as_told() {
    for (fault, end) in [
        (Fault::Truncated, End::Closed),
        (Fault::RoleThenCut, End::Closed),
        (Fault::CutAfter(1), End::Closed),
        (Fault::ResetAfter(1), End::Reset),
        (Fault::StallAfter(1), End::Silent),
        (Fault::HangAfterHeaders, End::Silent),
    ] {
        let simulator = failing(fault.clone()).await;
        let reply = chat(&simulator).await;
        assert!(reply.is_status(200), "{fault:?}");
        let length: usize = reply.text.split("content-length: ").nth(1).unwrap()[..3]
            .parse()
            .unwrap();
        let sent = if fault == Fault::HangAfterHeaders {
            0
        } else {
            length / 2
        };
        assert_eq!((reply.body().len(), reply.end), (sent, end), "{fault:?}");
        assert_eq!(simulator.abandoned(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn half_an_answer_can_end_cleanly() {
    let reply = chat(&failing(Fault::EndAfter(1)).await).await;
    assert!(reply.is_whole() && !reply.has("content-length"));
}

#[tokio::test]
async fn statuses_come_with_the_error_typical_of_them() {
    for (code, field, value) in [
        (400, "type", "invalid_request_error"),
        (401, "code", "invalid_api_key"),
        (404, "code", "model_not_found"),
        (429, "code", "rate_limit_exceeded"),
        (500, "type", "server_error"),
        (503, "code", "server_is_overloaded"),
        (529, "type", "overloaded_error"),
    ] {
        let simulator = simulator(Script::status(code)).await;
        let reply = chat(&simulator).await;
        assert!(reply.is_status(code), "{code}");
        assert_eq!(reply.json()["error"][field], value, "{code}");
    }
}

#[tokio::test]
async fn a_status_can_bring_its_own_headers_and_body() {
    let simulator = failing(Fault::Status {
        code: 418,
        headers: vec![("retry-after".into(), "7".into())],
        body: Some("[1]".into()),
    })
    .await;
    let reply = chat(&simulator).await;
    assert!(reply.is_status(418) && reply.has("retry-after: 7\r\n"));
    assert_eq!(reply.body(), "[1]");
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let after = Duration::from_millis(1500);
    let reply = chat(&failing(Fault::RateLimited { after }).await).await;
    assert!(reply.is_status(429));
    assert!(reply.has("retry-after: 2\r\n") && reply.has("retry-after-ms: 1500\r\n"));
}

#[tokio::test]
async fn wrong_answers_have_a_good_status() {
    for (fault, sign) in [
        (Fault::Html, "content-type: text/html"),
        (Fault::Empty, "content-length: 0\r\n"),
        (Fault::OnlyDone, "content-length: 0\r\n"),
        (Fault::Garbage, "<<<"),
        (Fault::ErrorInside { status: 429 }, "rate_limit_exceeded"),
        (Fault::ErrorAfter(1), "server_error"),
        (Fault::JsonForStream, "server_error"),
        (Fault::NoChoices, r#""choices":[]"#),
        (Fault::NoDone, "Hello from a."),
    ] {
        let reply = chat(&failing(fault.clone()).await).await;
        assert!(
            reply.is_status(200) && reply.has(sign),
            "{fault:?}: {}",
            reply.text
        );
        assert_eq!(reply.end, End::Closed);
    }
}

#[tokio::test]
async fn a_redirect_names_the_other_place() {
    let to = "http://127.0.0.1:9/v1".to_owned();
    let reply = chat(&failing(Fault::Redirect { to }).await).await;
    assert!(reply.is_status(302) && reply.has("location: http://127.0.0.1:9/v1\r\n"));
}
