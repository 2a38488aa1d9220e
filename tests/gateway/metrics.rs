//! What operators see: probes, and metrics that stay few whatever clients send.

use backstop::event::{Event, RequestResult};
use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;

use crate::harness::{Setup, TestGateway, chat, chat_stream, refusal, simulators, within};

const CHAT: &str = "/v1/chat/completions";

/// The value of the series of this name that has all these labels.
fn value(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut found = metrics.lines().filter(|line| {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (given, rest) = series.split_once('{').unwrap_or((series, ""));
        given == name && labels.iter().all(|label| rest.contains(label))
    });
    let line = found.next()?;
    assert_eq!(found.next(), None, "more than one series: {metrics}");
    let (_, value) = line.rsplit_once(' ')?;
    Some(value.parse().unwrap())
}

#[tokio::test]
async fn probes_and_metrics_are_on_the_operators_address_only() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answered = gateway.admin(path).await;
        assert_eq!(answered.status, 200, "{path}");
        assert_eq!(answered.text(), text);
        assert!(answered.header("content-type").starts_with("text/plain"));
    }
    let metrics = gateway.admin("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    let info = value(&metrics.text(), "backstop_build_info", &[version]);
    assert_eq!(info, Some(1.0));
    assert_eq!(gateway.admin("/v1/models").await.status, 404);

    // To clients these are paths like any other.
    let answered = gateway.get("/metrics").await;
    assert_eq!(answered.upstream(), "first");
    assert!(!answered.text().contains("backstop_"));
}

#[tokio::test]
async fn a_failover_shows_in_the_metrics() {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);

    let metrics = gateway.admin("/metrics").await.text();
    let shown = |name: &str, labels: &[&str]| value(&metrics, name, labels);
    let chat = "endpoint=\"chat_completions\"";
    let request = ["route=\"*\"", chat, "status=\"200\"", "result=\"answered\""];
    assert_eq!(shown("backstop_requests_total", &request), Some(1.0));
    let failed = ["upstream=\"first\"", "outcome=\"overloaded\""];
    assert_eq!(shown("backstop_attempts_total", &failed), Some(1.0));
    let good = ["upstream=\"second\"", "outcome=\"ok\""];
    assert_eq!(shown("backstop_attempts_total", &good), Some(1.0));
    let failover = ["from=\"first\"", "to=\"second\"", "reason=\"overloaded\""];
    assert_eq!(shown("backstop_failovers_total", &failover), Some(1.0));
    for histogram in ["first_byte", "duration", "overhead"] {
        let count = format!("backstop_request_{histogram}_seconds_count");
        assert_eq!(shown(&count, &[chat]), Some(1.0), "{histogram}");
        let bucket = format!("backstop_request_{histogram}_seconds_bucket");
        assert_eq!(shown(&bucket, &[chat, "le=\"+Inf\""]), Some(1.0));
    }
}

/// An answer in which nothing is said goes to the client though somebody who was asked later rejects what was made of the
/// request.
#[tokio::test]
async fn a_request_is_counted_by_the_attempt_that_its_answer_comes_from() {
    let (first, second) = simulators().await;
    let nothing = json!({"choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": ""}}]});
    first
        .play(Script::fault(Fault::Status {
            code: 200,
            headers: Vec::new(),
            body: Some(nothing.to_string()),
        }))
        .await;
    second.play(Script::status(422)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let answered = gateway.post("/v1/messages", &body).await;
    assert_eq!(answered.trail(), ["first:no_answer", "second:rejected"]);
    assert_eq!((answered.status, answered.upstream()), (200, "first"));

    let metrics = gateway.admin("/metrics").await.text();
    let count = |result: &str| {
        let labels = ["status=\"200\"", &format!("result=\"{result}\"")];
        value(&metrics, "backstop_requests_total", &labels)
    };
    assert_eq!((count("failed"), count("rejected")), (Some(1.0), None));
}

#[tokio::test]
async fn what_an_answer_has_cost_counts_though_its_client_has_left() {
    let claude = Simulator::start("claude", Script::fault(Fault::StallAfter(1)))
        .await
        .unwrap();
    let setup = Setup::new().upstream_as(&claude, "provider: anthropic, api_key: k");
    let gateway = setup.start().await;
    let body = json!({"model": "m", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    let json = [("content-type", "application/json")];
    let response = gateway
        .open(Method::POST, "/v1/messages", &json, body.to_string())
        .await;
    let mut answer = response.into_body();
    let mut text = String::new();
    while !text.contains("Hello") {
        let frame = within(answer.frame()).await.unwrap().unwrap();
        text += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
    }
    drop(answer);

    let report = gateway.events.finished(0).await;
    assert_eq!(report.result, RequestResult::ClientGone);
    let input = report.tokens.unwrap().input;
    assert!(input > 0);
    let at_upstream = |event: &Event| match event {
        Event::AttemptFinished { report, .. } => Some(report.tokens),
        _ => None,
    };
    let tokens = gateway.events.wait_for(at_upstream).await;
    assert_eq!(tokens.unwrap().input, input);
}

#[tokio::test]
async fn an_upstream_out_of_rotation_shows_in_the_metrics() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let out = async |upstream: &str| {
        let metrics = gateway.admin("/metrics").await.text();
        let labels = [&format!("upstream=\"{upstream}\"") as &str, "model=\"*\""];
        value(&metrics, "backstop_upstream_state", &labels)
    };
    assert_eq!(out("first").await, Some(0.0));
    gateway.ask_until_out(&chat()).await;
    assert_eq!(out("first").await, Some(1.0));
    assert_eq!(out("second").await, Some(0.0));
}

/// How many lines the metrics have.
async fn line_count(gateway: &TestGateway) -> usize {
    gateway.admin("/metrics").await.text().lines().count()
}

#[tokio::test]
async fn models_that_clients_make_up_add_no_series() {
    let (first, second) = simulators().await;
    let some = Setup::new()
        .upstream(&first)
        .route(&["gpt-4o"], &["first"])
        .start()
        .await;
    let all = TestGateway::before(&first, &second, "").await;
    for (gateway, status) in [(&some, 404), (&all, 200)] {
        let ask = async |number: usize| {
            let model = format!("made-up-{number}");
            let answered = gateway.post(CHAT, &json!({"model": model})).await;
            assert_eq!(answered.status, status);
            let path = format!("/v1/made/up/{number}");
            assert_eq!(gateway.get(&path).await.status, 200);
        };
        ask(0).await;
        let before = line_count(gateway).await;
        for number in 1..=50 {
            ask(number).await;
        }
        assert_eq!(line_count(gateway).await, before);
        let metrics = gateway.admin("/metrics").await.text();
        assert!(!metrics.contains("made-up"), "{metrics}");
    }
}

#[tokio::test]
async fn requests_in_flight_are_counted_until_they_are_over_however_they_end() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let in_flight = async || {
        let metrics = gateway.admin("/metrics").await.text();
        value(&metrics, "backstop_requests_in_flight", &[]).unwrap()
    };
    assert_eq!(in_flight().await, 0.0);
    for fault in [Fault::None, Fault::CutAfter(1), Fault::status(500)] {
        first.play(Script::fault(fault.clone())).await;
        gateway.post(CHAT, &chat_stream()).await;
        gateway.post(CHAT, &chat()).await;
        refusal(&gateway.post(CHAT, &json!({})).await, 400, "missing_model");
        assert_eq!(in_flight().await, 0.0, "{fault:?}");
    }

    second.play(Script::fault(Fault::Hang)).await;
    let waiting_since = second.received_count();
    let meanwhile = async {
        within(second.wait_received(waiting_since + 1)).await;
        assert_eq!(in_flight().await, 1.0);
    };
    let body = chat();
    tokio::select! {
        _ = gateway.post(CHAT, &body) => panic!("an answer from an upstream that hangs"),
        () = meanwhile => {}
    }
    // That the client has disconnected is noticed a moment later.
    let over = async {
        while in_flight().await != 0.0 {
            tokio::task::yield_now().await;
        }
    };
    within(over).await;
}
