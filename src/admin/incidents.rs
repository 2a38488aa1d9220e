//! `GET /api/incidents`: the outages of upstreams, models and our own network.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde_json::{Value, json};

use super::availability::{time, value};
use super::no_answer::NoAnswer;
use crate::history::{History, Incident};

/// The incidents that lasted within so much time until now, the newest first.
pub(super) async fn json(history: &History, query: &str) -> Result<Value, NoAnswer> {
    let asked = value(query, "since").unwrap_or("90d");
    let length = duration(asked).ok_or_else(|| {
        NoAnswer::Question(format!(
            "`{asked}` is no span of time: ask for example for since=24h, 7d or 90d"
        ))
    })?;
    let length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let since = history.now().saturating_sub(length);
    let incidents = history.incidents(since).await?;
    let incidents: Vec<Value> = incidents.iter().map(incident).collect();
    Ok(json!({ "incidents": incidents }))
}

/// Days have 24 hours here; the parser of durations knows no days.
fn duration(text: &str) -> Option<Duration> {
    if let Some(days) = text.strip_suffix('d') {
        let days: u64 = days.trim().parse().ok()?;
        return Some(Duration::from_secs(days.checked_mul(86_400)?));
    }
    SpanParser::new().parse_unsigned_duration(text).ok()
}

fn incident(incident: &Incident) -> Value {
    json!({
        "id": incident.id,
        "upstream": incident.upstream,
        "model": incident.model,
        "cause": incident.cause,
        "words": incident.damage.words,
        "started_at": time(incident.started_at),
        "ended_at": incident.ended_at.map(time),
        "requests": incident.damage.requests,
        "moved": incident.damage.moved,
        "noticed": incident.damage.noticed,
    })
}
