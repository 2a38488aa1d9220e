//! `GET /api/incidents`: the outages of upstreams, models and our own network, at all replicas.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde_json::{Value, json};

use super::availability::{time, value};
use super::no_answer::NoAnswer;
use super::replicas;
use crate::history::{History, Incident};
use crate::shared::Sharing;

/// The incidents that lasted within so much time until now, the newest first. With `sharing` also those that other replicas
/// have told of.
pub(super) async fn json(
    history: &History,
    sharing: Option<&Sharing>,
    query: &str,
) -> Result<Value, NoAnswer> {
    let asked = value(query, "since").unwrap_or("90d");
    let length = duration(asked).ok_or_else(|| {
        NoAnswer::Question(format!(
            "`{asked}` is no span of time: ask for example for since=24h, 7d or 90d"
        ))
    })?;
    let length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let since = history.now().saturating_sub(length);
    let incidents = history.incidents(since).await?;
    let here = sharing.map(Sharing::name);
    let mut incidents: Vec<Value> = incidents.iter().map(|one| incident(one, here)).collect();
    if let Some(sharing) = sharing {
        let since = time(since);
        let others = replicas::incidents(sharing).into_iter();
        incidents.extend(others.filter(|one| lasted_since(one, &since)));
        // Moments that are written like these are in the order of their letters.
        incidents.sort_by(|a, b| b["started_at"].as_str().cmp(&a["started_at"].as_str()));
    }
    Ok(json!({ "incidents": incidents }))
}

fn lasted_since(incident: &Value, since: &Value) -> bool {
    let end = incident["ended_at"].as_str();
    end.is_none_or(|end| Some(end) >= since.as_str())
}

/// Days have 24 hours here; the parser of durations knows no days.
fn duration(text: &str) -> Option<Duration> {
    if let Some(days) = text.strip_suffix('d') {
        let days: u64 = days.trim().parse().ok()?;
        return Some(Duration::from_secs(days.checked_mul(86_400)?));
    }
    SpanParser::new().parse_unsigned_duration(text).ok()
}

fn incident(incident: &Incident, replica: Option<&str>) -> Value {
    json!({
        "id": incident.id,
        "replica": replica,
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
