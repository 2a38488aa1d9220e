//! Events turned into log lines.
//!
//! A sentence says everything, and the fields say the same once more: [`Text`] shows the one, [`Json`] both. `warn`
//! says that we coped with something or that somebody has to act, `info` that something changed; single requests are logged
//! at the level that the configuration names. What an outage repeats is summed up. Bodies, prompts and keys are never
//! logged, nor what an upstream says about a request: it may quote from it.

mod access;
mod json;
mod notices;
mod repeats;
mod text;
#[cfg(test)]
mod written;

use std::fmt::Display;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::Instant;

pub use json::Json;
pub use text::Text;

use self::access::{Access, Brief};
use self::notices::{Change, Notices};
use self::repeats::Repeats;
use crate::config::{LogConfig, RequestLines, UpstreamId};
use crate::event::{
    AttemptReport, ClientLimit, Event, HealthChange, Phase, RequestReport, RequestResult,
    SharedNews, Sink,
};
use crate::outcome::Blame;
use crate::request::RequestId;

/// Writes through `tracing`.
#[derive(Debug, Default)]
pub struct Log {
    config: ArcSwap<LogConfig>,
    notices: Notices,
    failovers: Repeats,
    failures: Repeats,
    breaks: Repeats,
}

impl Sink for Log {
    fn record(&self, event: &Event) {
        match event {
            Event::RequestStarted => {}
            Event::AttemptFinished {
                request, report, ..
            } => self.attempt_finished(request, report),
            Event::FailedOver {
                request,
                from,
                to,
                reason,
            } => {
                let line = format!("failing over from {from} to {to}: {reason}");
                let due = self.failovers.happened(line.clone(), line, Instant::now());
                if let Some(due) = due {
                    tracing::warn!(%request, %from, %to, reason = reason.label(), "{}", due.line());
                }
            }
            Event::Continued { request, from, to } => tracing::warn!(
                %request, %from, %to,
                "{to} continues a stream that broke off at {from}"
            ),
            Event::HealthChanged(change) => health_changed(change),
            Event::TakenOut { upstream } => {
                tracing::warn!(%upstream, "an operator has taken {upstream} out by hand: nothing is sent to it any more");
            }
            Event::PutBack { upstream } => {
                tracing::info!(%upstream, "an operator has put {upstream} back");
            }
            Event::HealthChecked {
                upstream,
                is_reached,
            } => {
                let result = if *is_reached { "reached" } else { "failed" };
                tracing::debug!(%upstream, is_reached, "health check of {upstream}: {result}");
            }
            Event::KeyRenewed {
                upstream,
                failure,
                is_news,
            } => key_renewed(upstream, failure.as_deref(), *is_news),
            Event::ModelsChecked(findings) => {
                for finding in findings {
                    tracing::warn!(upstream = %finding.upstream, model = finding.model, "{finding}");
                }
            }
            Event::ConfigReloaded { is_changed: true } => {
                tracing::info!("serving by the new configuration");
            }
            Event::ConfigReloaded { is_changed: false } => tracing::info!(
                "nothing has changed in the configuration; certificates and keys in files were read again"
            ),
            Event::Notified { place, failure } => notified(place, failure.as_deref()),
            Event::ConfigRejected { reason } => {
                tracing::error!(
                    "the new configuration cannot be used, the old one stays: {reason}"
                );
            }
            Event::Shared(news) => shared(news),
            Event::RequestFinished(report) => self.request_finished(report),
        }
    }
}

fn shared(news: &SharedNews) {
    match news {
        SharedNews::Connected { server } => {
            tracing::info!(server, "what replicas know is shared through {server}");
        }
        SharedNews::Disconnected { reason } => tracing::warn!(
            reason,
            "what replicas know is not shared, each goes on alone: {reason}"
        ),
        SharedNews::Ignored(reason) => {
            let reason = reason.label();
            tracing::debug!(reason, "a message of another replica is ignored: {reason}");
        }
        SharedNews::Sent | SharedNews::Received => {}
    }
}

fn notified(place: &str, failure: Option<&str>) {
    match failure {
        Some(reason) => tracing::warn!(place, reason, "a message to {place} is lost: {reason}"),
        None => tracing::debug!(place, "{place} was notified"),
    }
}

/// `attempt 2 (retry) at openai: overloaded (503) in 212ms: the upstream's own words`
fn attempt(report: &AttemptReport) -> String {
    let phase = match report.phase {
        Phase::Normal => String::new(),
        phase => format!(" ({})", phase.label()),
    };
    let words = words(report).map(|words| format!(": {words}"));
    format!(
        "attempt {}{phase} at {}: {} in {}{}",
        report.number,
        report.upstream,
        report.outcome,
        Brief(report.elapsed),
        words.unwrap_or_default()
    )
}

/// The upstream's own words, if they are about itself.
fn words(report: &AttemptReport) -> Option<&str> {
    let is_about_request = report.outcome.blame() == Blame::Client;
    report.detail.as_deref().filter(|_| !is_about_request)
}

/// Something that somebody has to see to has begun, or is over.
fn noticed(report: &AttemptReport, change: &Change) {
    let AttemptReport { upstream, key, .. } = report;
    let key = key + 1;
    let about = report.attention().and_then(|(_, model)| model);
    let model = about.map(AsRef::as_ref);
    match change {
        Change::Trouble(trouble) => {
            let words = words(report).map(|words| format!(": {words}"));
            tracing::warn!(
                %upstream, key, model, outcome = report.outcome.label(), status = report.outcome.status(),
                "{upstream} {trouble} (key {key}{}){}; somebody has to act",
                model.map(|model| format!(", model {model}")).unwrap_or_default(),
                words.unwrap_or_default()
            );
        }
        Change::Over => tracing::info!(
            %upstream, key,
            "{upstream} answers with key {key} again"
        ),
    }
}

fn key_renewed(upstream: &impl Display, failure: Option<&str>, is_news: bool) {
    match failure {
        None => tracing::info!(%upstream, "{upstream} has a new key"),
        Some(reason) if is_news => tracing::warn!(
            %upstream,
            "the key of {upstream} cannot be renewed, the old one stays: {reason}"
        ),
        Some(_) => {}
    }
}

fn health_changed(change: &HealthChange) {
    match change {
        HealthChange::Opened {
            scope,
            cause,
            retry_in,
        } => tracing::warn!(
            upstream = %scope.upstream, model = scope.model.as_deref(), cause, retry_in_ms = retry_in.as_millis() as u64,
            "{scope} is out of rotation for {cause}; next half-open probe within {:.1} s", retry_in.as_secs_f32()
        ),
        HealthChange::Healed { scope, cause } => tracing::info!(
            upstream = %scope.upstream, model = scope.model.as_deref(), cause,
            "{scope} has healed from {cause}: its traffic comes back step by step"
        ),
        HealthChange::NetworkLost => tracing::error!(
            "our own network seems to be lost: no upstream can be reached; their health stays as it is"
        ),
        HealthChange::NetworkBack => tracing::info!("our own network is back"),
    }
}

impl Log {
    /// Logs by this configuration from now on.
    pub fn follow(&self, config: &LogConfig) {
        self.config.store(Arc::new(config.clone()));
    }

    fn attempt_finished(&self, request: &RequestId, report: &AttemptReport) {
        tracing::debug!(
            %request,
            upstream = %report.upstream,
            attempt = report.number,
            phase = report.phase.label(),
            outcome = report.outcome.label(),
            status = report.outcome.status(),
            detail = words(report),
            elapsed_ms = report.elapsed.as_millis() as u64,
            "{}",
            attempt(report)
        );
        if let Some(change) = self.notices.change(report, Instant::now) {
            noticed(report, &change);
        }
    }

    fn request_finished(&self, report: &RequestReport) {
        let other = report.in_place_of.as_ref();
        macro_rules! line {
            ($level:ident, $($message:tt)+) => {
                tracing::$level!(
                    request = %report.id,
                    client = report.client.as_deref(),
                    route = report.route.as_deref(),
                    endpoint = report.endpoint.label(),
                    status = report.status,
                    result = report.result.label(),
                    limit = report.limit.map(ClientLimit::label),
                    upstream = report.served_by.as_ref().map(AsRef::<str>::as_ref),
                    model = report.model.as_deref(),
                    in_place_of = other.map(|other| other.upstream.as_ref()),
                    reason = other.map(|other| other.reason),
                    failed_by = names(&report.failed_by),
                    attempts = report.attempts,
                    first_token_ms = report.first_token.map(|time| time.as_millis() as u64),
                    elapsed_ms = report.total.as_millis() as u64,
                    input_tokens = report.tokens.map(|tokens| tokens.input),
                    cached_tokens = report.tokens.map(|tokens| tokens.cached),
                    output_tokens = report.tokens.map(|tokens| tokens.output),
                    $($message)+
                )
            };
        }
        for repeats in [&self.failovers, &self.breaks] {
            for due in repeats.overdue(Instant::now) {
                tracing::warn!("{}", due.line());
            }
        }
        match report.result {
            RequestResult::Failed => {
                let route = report.route.as_deref().unwrap_or_default();
                let due = self
                    .failures
                    .happened(route.to_owned(), failure(report), Instant::now());
                if let Some(due) = due {
                    line!(error, "a request failed: {}", due.line());
                }
            }
            RequestResult::Broken => {
                let line = format!("an answer{} broke off and ended with an error", by(report));
                let due = self.breaks.happened(line.clone(), line, Instant::now());
                if let Some(due) = due {
                    line!(warn, "{}", due.line());
                }
            }
            RequestResult::Answered | RequestResult::Rejected | RequestResult::ClientGone => {}
        }
        match self.config.load().requests {
            RequestLines::Off => {}
            RequestLines::Debug => line!(debug, "{}", Access(report)),
            RequestLines::Info => line!(info, "{}", Access(report)),
        }
        for due in self.failures.overdue(Instant::now) {
            tracing::error!("requests failed: {}", due.line());
        }
    }
}

/// Names with commas between them; `None` if there are none.
fn names(upstreams: &[UpstreamId]) -> Option<String> {
    let names: Vec<&str> = upstreams.iter().map(AsRef::as_ref).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// `of claude`, if it is known who answered.
fn by(report: &RequestReport) -> String {
    let upstream = report.served_by.as_ref();
    upstream.map_or_else(String::new, |upstream| format!(" of {upstream}"))
}

/// Who failed, and how.
fn failure(report: &RequestReport) -> String {
    let failure = report.failure.as_deref();
    if let Some(story) = failure.and_then(|failure| failure.story.as_ref()) {
        return story.clone();
    }
    match (&report.served_by, report.cause()) {
        (Some(upstream), _) => format!("{upstream} answered {}", report.status),
        (None, Some(cause)) => format!("backstop itself is the reason ({cause})"),
        (None, None) => "every upstream did".to_owned(),
    }
}
