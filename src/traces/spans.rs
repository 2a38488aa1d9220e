//! The spans of one request: one for itself, and a child for each attempt, so that a failover can be seen.
//!
//! Names of attributes are those of OpenTelemetry's semantic conventions, for generative AI where those are concerned:
//! <https://github.com/open-telemetry/semantic-conventions-genai>. What only we know begins with `backstop.`. Nothing of
//! prompts and answers is in them, and of models only names that stand in the configuration.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::time::Instant;

use crate::config::{Config, UpstreamId};
use crate::event::{AttemptReport, RequestReport, RequestResult};
use crate::outcome::{Blame, Outcome};
use crate::request::{Endpoint, Trace};

/// A request that is over.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) report: RequestReport,
    pub(super) trace: Trace,
    pub(super) ended: Instant,
    pub(super) attempts: Vec<(AttemptReport, Instant)>,
}

/// What spans say about an upstream.
#[derive(Clone, Debug)]
pub(super) struct Server {
    provider: &'static str,
    address: String,
    port: i64,
}

/// What spans say about all upstreams.
pub(super) type Servers = HashMap<UpstreamId, Server>;

/// The servers of a configuration.
pub(super) fn servers(config: &Config) -> Servers {
    let upstreams = config.upstreams.iter();
    let one = |upstream: &crate::config::UpstreamConfig| {
        let url: http::Uri = upstream.base_url().parse().unwrap_or_default();
        let usual = if url.scheme_str() == Some("http") {
            80
        } else {
            443
        };
        Server {
            provider: provider(upstream.provider.name()),
            address: url.host().unwrap_or_default().to_owned(),
            port: url.port_u16().unwrap_or(usual).into(),
        }
    };
    upstreams
        .map(|(id, upstream)| (id.clone(), one(upstream)))
        .collect()
}

/// The well-known value of `gen_ai.provider.name`, where that is another than our name for the provider.
fn provider(name: &'static str) -> &'static str {
    match name {
        "azure" => "azure.ai.openai",
        "bedrock" | "bedrock-mantle" => "aws.bedrock",
        "vertex" => "gcp.vertex_ai",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        "moonshot" => "moonshot_ai",
        name => name,
    }
}

/// `gen_ai.operation.name`, where there is one.
fn operation(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Responses | Endpoint::Messages => Some("chat"),
        Endpoint::Completions => Some("text_completion"),
        Endpoint::Embeddings => Some("embeddings"),
        Endpoint::CountTokens | Endpoint::Realtime | Endpoint::Other => None,
    }
}

/// The spans of a request. `scope`: who has made them.
pub(super) fn of(
    finished: &Finished,
    servers: &Servers,
    scope: &InstrumentationScope,
) -> Vec<SpanData> {
    // All times are measured from one moment, so that spans fit each other whatever happens to the clock.
    let (now, wall) = (Instant::now(), SystemTime::now());
    let clock = |at: Instant| wall - now.saturating_duration_since(at);
    let Finished {
        report,
        trace,
        ended,
        attempts,
    } = finished;
    let remote = trace.parent.map(|parent| parent.span);
    let span =
        |id: u64, parent: Option<u64>, kind: SpanKind, end: Instant, lasted: Duration| SpanData {
            span_context: context(trace.id(&report.id), id),
            parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: parent.is_some() && parent == remote,
            span_kind: kind,
            name: "".into(),
            start_time: clock(end) - lasted,
            end_time: clock(end),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: scope.clone(),
        };
    let mut spans = Vec::with_capacity(attempts.len() + 1);
    spans.push(SpanData {
        name: format!("{} of route {}", report.endpoint.label(), route(report)).into(),
        attributes: about_request(report),
        status: match report.result {
            RequestResult::Failed | RequestResult::Broken => Status::error(report.result.label()),
            RequestResult::Answered | RequestResult::Rejected | RequestResult::ClientGone => {
                Status::Unset
            }
        },
        ..span(trace.span, remote, SpanKind::Server, *ended, report.total)
    });
    for (attempt, ended) in attempts {
        let id = trace.attempt(attempt.number);
        spans.push(SpanData {
            name: name(report.endpoint, attempt).into(),
            attributes: about_attempt(report.endpoint, attempt, servers.get(&attempt.upstream)),
            status: status(attempt),
            ..span(
                id,
                Some(trace.span),
                SpanKind::Client,
                *ended,
                attempt.elapsed,
            )
        });
    }
    spans
}

fn context(trace: u128, span: u64) -> SpanContext {
    SpanContext::new(
        TraceId::from(trace),
        SpanId::from(span),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    )
}

fn route(report: &RequestReport) -> &str {
    report.route.as_deref().unwrap_or("none")
}

fn about_request(report: &RequestReport) -> Vec<KeyValue> {
    let mut about = vec![
        KeyValue::new("http.response.status_code", i64::from(report.status)),
        KeyValue::new("backstop.request.id", report.id.as_str().to_owned()),
        KeyValue::new("backstop.route", route(report).to_owned()),
        KeyValue::new("backstop.result", report.result.label()),
        KeyValue::new("backstop.attempts", report.attempts as i64),
    ];
    let mut note = |name: &'static str, text: Option<&str>| {
        about.extend(text.map(|text| KeyValue::new(name, text.to_owned())));
    };
    let other = report.in_place_of.as_ref();
    note("backstop.client", report.client.as_deref());
    note(
        "backstop.upstream",
        report.served_by.as_ref().map(AsRef::as_ref),
    );
    note(
        "backstop.in_place_of",
        other.map(|other| other.upstream.as_ref()),
    );
    note(
        "backstop.in_place_of.reason",
        other.map(|other| other.reason),
    );
    if matches!(report.result, RequestResult::Failed | RequestResult::Broken) {
        note("error.type", Some(report.result.label()));
    }
    about
}

/// `chat gpt-4o`, or what is called instead where no model is named.
fn name(endpoint: Endpoint, attempt: &AttemptReport) -> String {
    let operation = operation(endpoint).unwrap_or_else(|| endpoint.label());
    let subject = model(attempt).unwrap_or_else(|| attempt.upstream.as_ref());
    format!("{operation} {subject}")
}

/// The model, if the configuration names one and no pattern.
fn model(attempt: &AttemptReport) -> Option<&str> {
    let of_route = attempt.scope_model.as_deref();
    let of_route = of_route.filter(|model| !model.ends_with('*'));
    attempt.model.as_deref().or(of_route)
}

fn about_attempt(
    endpoint: Endpoint,
    attempt: &AttemptReport,
    server: Option<&Server>,
) -> Vec<KeyValue> {
    let outcome = &attempt.outcome;
    let mut about = vec![
        KeyValue::new("backstop.upstream", attempt.upstream.to_string()),
        KeyValue::new("backstop.attempt", attempt.number as i64),
        KeyValue::new("backstop.phase", attempt.phase.label()),
        KeyValue::new("backstop.outcome", outcome.label()),
    ];
    if let Some(operation) = operation(endpoint) {
        about.push(KeyValue::new("gen_ai.operation.name", operation));
    }
    if let Some(server) = server {
        about.push(KeyValue::new("gen_ai.provider.name", server.provider));
        about.push(KeyValue::new("server.address", server.address.clone()));
        about.push(KeyValue::new("server.port", server.port));
    }
    if let Some(model) = model(attempt) {
        about.push(KeyValue::new("gen_ai.request.model", model.to_owned()));
    }
    if let Some(first) = attempt.first_token {
        let seconds = first.as_secs_f64();
        about.push(KeyValue::new(
            "gen_ai.response.time_to_first_chunk",
            seconds,
        ));
    }
    if let Some(tokens) = attempt.tokens {
        let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        about.push(KeyValue::new(
            "gen_ai.usage.input_tokens",
            count(tokens.input),
        ));
        about.push(KeyValue::new(
            "gen_ai.usage.cache_read.input_tokens",
            count(tokens.cached),
        ));
        about.push(KeyValue::new(
            "gen_ai.usage.output_tokens",
            count(tokens.output),
        ));
    }
    if let Some(status) = outcome.status() {
        about.push(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
    } else if *outcome == Outcome::Success {
        about.push(KeyValue::new("http.response.status_code", 200));
    }
    if outcome.blame() != Blame::Nobody && *outcome != Outcome::ClientGone {
        about.push(KeyValue::new("error.type", outcome.label()));
    }
    about
}

fn status(attempt: &AttemptReport) -> Status {
    let outcome = &attempt.outcome;
    match outcome.blame() {
        Blame::Nobody => Status::Unset,
        Blame::Client if *outcome == Outcome::ClientGone => Status::Unset,
        // Not the upstream's own words: they may quote from a prompt.
        Blame::Upstream | Blame::Client => Status::error(outcome.label()),
    }
}
