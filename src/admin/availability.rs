//! `GET /api/availability` and `GET /api/history`: what clients had and how upstreams did, in spans that end now, and step
//! by step.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::no_answer::NoAnswer;
use crate::history::{Counts, History, OfUpstream, Points, Quantiles, Span, WINDOWS};

/// The figures of everybody.
pub(super) async fn json(history: &History) -> Result<Value, NoAnswer> {
    let all = history.availability().await?;
    let names = WINDOWS.map(|(name, _)| name);
    let upstreams = all.upstreams.iter();
    Ok(json!({
        "now": time(all.now),
        "since": time(all.since),
        "store": all.trouble.map_or_else(|| "in history.redb".to_owned(), |why| format!("in memory only: {why}")),
        "windows": names,
        "clients": windows(&all.clients, clients),
        "by_client": all.by_client.iter()
            .map(|(name, counts)| json!({"name": &**name, "windows": windows(counts, one_client)}))
            .collect::<Vec<_>>(),
        "upstreams": upstreams
            .map(|upstream| of_upstream(upstream, "windows", &|counts| windows(counts, attempts)))
            .collect::<Vec<_>>(),
    }))
}

/// The steps of a span.
pub(super) async fn series(history: &History, query: &str) -> Result<Value, NoAnswer> {
    let asked = value(query, "span").unwrap_or("90d");
    let span = Span::named(asked).ok_or_else(|| {
        NoAnswer::Question(format!(
            "there is no span `{asked}`: ask for span=1h, 24h or 90d"
        ))
    })?;
    let all = history.series(span).await?;
    let upstreams = all.upstreams.iter();
    Ok(json!({
        "step": span.step(),
        "clients": points(&all.clients, clients),
        "upstreams": upstreams
            .map(|upstream| of_upstream(upstream, "points", &|all| points(all, attempts)))
            .collect::<Vec<_>>(),
    }))
}

/// The value of a query's parameter.
pub(super) fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

fn of_upstream<T>(upstream: &OfUpstream<T>, key: &str, show: &dyn Fn(&T) -> Value) -> Value {
    let models = upstream.models.iter();
    let models: Vec<Value> = models
        .map(|(name, about)| json!({"name": &**name, key: show(about)}))
        .collect();
    json!({"name": upstream.name.as_ref(), key: show(&upstream.whole), "models": models})
}

fn windows(counts: &[Counts], figures: fn(&Counts) -> Value) -> Value {
    let named = WINDOWS.iter().zip(counts);
    let named = named.map(|((name, _), counts)| ((*name).to_owned(), figures(counts)));
    Value::Object(named.collect())
}

fn points(points: &Points, figures: fn(&Counts) -> Value) -> Value {
    points
        .iter()
        .map(|(at, counts)| json!({"at": time(*at), "figures": figures(counts)}))
        .collect()
}

/// What clients had.
fn clients(counts: &Counts) -> Value {
    let mut figures = attempts(counts);
    if let Value::Object(figures) = &mut figures {
        figures.insert("saved".to_owned(), counts.saved.into());
        figures.insert("rejected".to_owned(), counts.rejected.into());
        figures.insert("limited".to_owned(), counts.limited.into());
        figures.insert("left".to_owned(), counts.gone.into());
    }
    figures
}

/// What one client had.
fn one_client(counts: &Counts) -> Value {
    if counts.is_empty() {
        return Value::Null;
    }
    json!({
        "requests": counts.requests,
        "failed": counts.failed,
        "by_requests": counts.by_requests(),
        "saved": counts.saved,
        "rejected": counts.rejected,
        "limited": counts.limited,
        "left": counts.gone,
        "tokens": tokens(counts),
    })
}

fn tokens(counts: &Counts) -> Value {
    json!({
        "input": counts.tokens.input,
        "cached": counts.tokens.cached,
        "output": counts.tokens.output,
    })
}

/// How an upstream or a model did. Where nobody wanted anything of it there is nothing to say.
fn attempts(counts: &Counts) -> Value {
    if !counts.is_wanted() {
        return Value::Null;
    }
    let failures = counts.failures.0.iter();
    let failures: Map<String, Value> = failures
        .map(|(label, count)| (label.to_string(), (*count).into()))
        .collect();
    json!({
        "requests": counts.requests,
        "failed": counts.failed,
        "by_requests": counts.by_requests(),
        "by_time": counts.by_time(),
        "failures": failures,
        "first_token_ms": quantiles(counts.first_token.quantiles()),
        "total_ms": quantiles(counts.total.quantiles()),
        "passed_over": counts.skipped,
        "tokens": tokens(counts),
    })
}

fn quantiles(quantiles: Option<Quantiles>) -> Value {
    quantiles.map_or(
        Value::Null,
        |of| json!({"p50": of.p50, "p95": of.p95, "p99": of.p99}),
    )
}

/// Milliseconds since 1970, in full seconds as RFC 3339 has them.
pub(super) fn time(millis: u64) -> Value {
    let seconds = i64::try_from(millis / 1000).unwrap_or_default();
    let time = Timestamp::from_second(seconds).unwrap_or_default();
    time.to_string().into()
}
