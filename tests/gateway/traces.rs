//! Traces: what a collector gets of a request, and what upstreams see of them.

use std::collections::BTreeMap;
use std::time::Duration;

use backstop::simulator::{Fault, Received, Script, Simulator};
use http::Method;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;

use crate::harness::{Answered, Setup, TestGateway, chat, chat_stream, pass, simulators, within};

const CHAT: &str = "/v1/chat/completions";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// A span, as far as tests look at it.
#[derive(Clone, Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: SpanKind,
    start: u64,
    end: u64,
    is_error: bool,
    about: BTreeMap<String, String>,
}

impl Span {
    fn says(&self, name: &str) -> &str {
        self.about.get(name).map_or("", String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(value: Option<Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// All spans of a message, in the order in which they began.
fn spans(message: &Received) -> Vec<Span> {
    let message =
        ExportTraceServiceRequest::decode(message.body.clone()).expect("a message of OTLP");
    let all = message.resource_spans.into_iter();
    let all = all.flat_map(|of_resource| of_resource.scope_spans);
    let mut spans: Vec<Span> = all
        .flat_map(|of_scope| of_scope.spans)
        .map(|span| Span {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            kind: span.kind(),
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            is_error: span
                .status
                .is_some_and(|status| status.code() == StatusCode::Error),
            name: span.name,
            about: span
                .attributes
                .into_iter()
                .map(|pair| (pair.key, shown(pair.value.and_then(|value| value.value))))
                .collect(),
        })
        .collect();
    spans.sort_by_key(|span| (span.start, span.kind != SpanKind::Server));
    spans
}

/// A collector: any server that answers 200.
async fn collector() -> Simulator {
    let answer = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(String::new()),
    };
    Simulator::start("collector", Script::fault(answer))
        .await
        .unwrap()
}

fn traces(collector: &Simulator, more: &str) -> String {
    format!(
        "traces: {{endpoint: \"http://{}\"{more}}}",
        collector.address()
    )
}

async fn gateway(more: &str) -> (TestGateway, [Simulator; 3]) {
    let ((first, second), collector) = (simulators().await, collector().await);
    let setup = Setup::new().upstream(&first).upstream(&second);
    let gateway = setup.lines(&traces(&collector, more)).start().await;
    (gateway, [first, second, collector])
}

/// Asks as a part of a trace that is recorded or not.
async fn ask(gateway: &TestGateway, body: &serde_json::Value, flags: &str) -> Answered {
    let parent = format!("00-{TRACE}-{SPAN}-{flags}");
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", parent.as_str()),
        ("tracestate", "vendor=1"),
    ];
    gateway
        .send(Method::POST, CHAT, &headers, body.to_string())
        .await
}

async fn first_message(collector: &Simulator) -> Vec<Span> {
    within(collector.wait_received(1)).await;
    let message = &collector.received()[0];
    assert_eq!(message.path, "/v1/traces");
    assert_eq!(
        message.header("content-type"),
        Some("application/x-protobuf")
    );
    spans(message)
}

#[tokio::test]
async fn a_failover_can_be_seen() {
    let (gateway, [first, second, collector]) = gateway("").await;
    first.play(Script::status(401)).await;
    let answered = ask(&gateway, &chat(), "01").await;
    assert_eq!(answered.upstream(), "second");
    let spans = first_message(&collector).await;
    let [request, failed, answered_by] = spans.as_slice() else {
        panic!("{spans:#?}");
    };
    assert_eq!(
        (request.trace.as_str(), request.parent.as_str()),
        (TRACE, SPAN)
    );
    assert_eq!((request.kind, request.is_error), (SpanKind::Server, false));
    assert_eq!(request.name, "chat_completions of route *");
    assert_eq!(
        request.says("backstop.request.id"),
        answered.header("x-request-id")
    );
    assert_eq!(request.says("backstop.in_place_of"), "first");
    assert_eq!(request.says("http.response.status_code"), "200");
    for attempt in [failed, answered_by] {
        assert_eq!(
            (&attempt.trace, &attempt.parent),
            (&request.trace, &request.id)
        );
        assert_eq!(attempt.kind, SpanKind::Client);
        assert!(
            request.start <= attempt.start && attempt.end <= request.end,
            "{spans:#?}"
        );
        assert_eq!(attempt.says("gen_ai.operation.name"), "chat");
        assert_eq!(attempt.says("server.address"), "127.0.0.1");
        // A client's name for a model is no configured one.
        assert_eq!(attempt.says("gen_ai.request.model"), "");
    }
    assert!(failed.end <= answered_by.start, "{spans:#?}");
    assert!(failed.is_error && !answered_by.is_error);
    assert_eq!(failed.says("error.type"), "unauthorized");
    assert_eq!(failed.says("http.response.status_code"), "401");
    assert_eq!(failed.says("backstop.upstream"), "first");
    assert_eq!(answered_by.says("backstop.upstream"), "second");
    assert_ne!(answered_by.says("gen_ai.usage.output_tokens"), "");
    // Each upstream sees its own attempt as the parent.
    for (upstream, attempt) in [(&first, failed), (&second, answered_by)] {
        let received = &upstream.received()[0];
        let parent = format!("00-{TRACE}-{}-01", attempt.id);
        assert_eq!(received.header("traceparent"), Some(parent.as_str()));
        assert_eq!(received.header("tracestate"), Some("vendor=1"));
    }
}

#[tokio::test]
async fn a_hedge_overlaps_what_it_is_to_replace() {
    let ((first, second), collector) = (simulators().await, collector().await);
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route_with(&["gpt-4o"], &["first", "second"], "hedge: true")
        .lines("timeouts: {first_token: 2s}")
        .lines(&traces(&collector, ", ratio: 0"))
        .start()
        .await;
    for _ in 0..40 {
        gateway.post(CHAT, &chat_stream()).await;
    }
    let late = Script::healthy().with_first_token_delay(Duration::from_millis(900));
    first.play(late).await;
    assert_eq!(ask(&gateway, &chat_stream(), "01").await.status, 200);
    let spans = first_message(&collector).await;
    let [_, late, hedge] = spans.as_slice() else {
        panic!("{spans:#?}");
    };
    assert_eq!(late.says("backstop.outcome"), "superseded");
    assert_eq!((late.is_error, hedge.is_error), (false, false));
    assert_eq!(hedge.says("backstop.phase"), "hedge");
    assert_eq!(hedge.name, "chat gpt-4o");
    assert_eq!(hedge.says("gen_ai.request.model"), "gpt-4o");
    assert!(
        late.start < hedge.start && hedge.start < late.end,
        "{spans:#?}"
    );
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_of_its_attempt_and_of_the_request() {
    let (gateway, [first, _second, collector]) = gateway("").await;
    first.play(Script::fault(Fault::CutAfter(2))).await;
    ask(&gateway, &chat_stream(), "01").await;
    let spans = first_message(&collector).await;
    let (request, last) = (&spans[0], spans.last().unwrap());
    assert!(request.is_error && last.is_error, "{spans:#?}");
    assert_eq!(request.says("error.type"), "broken");
    assert_eq!(last.says("error.type"), "stream_broken");
    assert!(
        last.says("gen_ai.response.time_to_first_chunk")
            .parse::<f64>()
            .is_ok()
    );
}

#[tokio::test]
async fn what_is_not_traced_passes_as_it_came() {
    let (gateway, [first, _second, collector]) = gateway(", ratio: 1").await;
    ask(&gateway, &chat(), "00").await;
    let parent = format!("00-{TRACE}-{SPAN}-00");
    assert_eq!(
        first.received()[0].header("traceparent"),
        Some(parent.as_str())
    );
    // A request without a trace begins one, whose id is its own.
    let own = gateway.post(CHAT, &chat()).await;
    let spans = first_message(&collector).await;
    assert!(
        spans.iter().all(|span| span.trace == trace_of(&own)),
        "{spans:#?}"
    );
    assert_eq!(spans[0].parent, "");
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    ask(&gateway, &chat(), "01").await;
    let parent = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(
        first.received()[0].header("traceparent"),
        Some(parent.as_str())
    );
    gateway.post(CHAT, &chat()).await;
    assert_eq!(first.received()[1].header("traceparent"), None);
}

/// The trace that begins with a request.
fn trace_of(answered: &Answered) -> &str {
    let id = answered.header("x-request-id");
    id.strip_prefix("req_").unwrap()
}

#[tokio::test]
async fn without_a_ratio_what_fails_is_traced_and_what_goes_well_is_not() {
    let (gateway, [first, second, collector]) = gateway(", ratio: 0").await;
    gateway.post(CHAT, &chat()).await;
    first.play(Script::status(401)).await;
    let moved = gateway.post(CHAT, &chat()).await;
    assert_eq!(moved.upstream(), "second");
    let spans = first_message(&collector).await;
    assert!(
        spans.iter().all(|span| span.trace == trace_of(&moved)),
        "{spans:#?}"
    );
    let outcomes: Vec<&str> = spans[1..]
        .iter()
        .map(|span| span.says("backstop.outcome"))
        .collect();
    assert_eq!(outcomes, ["unauthorized", "ok"], "{spans:#?}");
    // Nobody knew before that it would be.
    for upstream in [&first, &second] {
        for received in upstream.received() {
            assert_eq!(received.header("traceparent"), None);
        }
    }
}

#[tokio::test]
async fn a_collector_that_hangs_disturbs_nobody_and_the_last_spans_are_sent_at_the_end() {
    let (gateway, [_first, _second, collector]) = gateway("").await;
    collector.play(Script::fault(Fault::Hang)).await;
    for _ in 0..5 {
        assert_eq!(ask(&gateway, &chat(), "01").await.status, 200);
    }
    within(collector.wait_received(1)).await;
    assert_eq!(ask(&gateway, &chat(), "01").await.status, 200);
    // What hangs is given up.
    pass(Duration::from_secs(15)).await;
    let answer = Fault::Status {
        code: 200,
        headers: Vec::new(),
        body: Some(String::new()),
    };
    collector.play(Script::fault(answer)).await;
    pass(Duration::from_secs(15)).await;
    let before = collector.received_count();
    let last = ask(&gateway, &chat(), "01").await;
    within(gateway.gateway.drain()).await;
    let messages = &collector.received()[before..];
    let ids: Vec<String> = messages
        .iter()
        .flat_map(spans)
        .map(|span| span.says("backstop.request.id").to_owned())
        .collect();
    assert!(
        ids.contains(&last.header("x-request-id").to_owned()),
        "{ids:?}"
    );
}
