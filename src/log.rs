//! Events turned into log lines.
//!
//! A line can be read alone, and carries the same as fields. `warn` says that we coped with something, `info` that
//! something changed; single requests are logged at `debug`. Bodies, prompts and keys are never logged. But at
//! `debug`, an upstream's own words about a request are, and they may quote from it.

use crate::event::{Event, HealthChange, RequestReport, RequestResult, Sink};

/// Writes through `tracing`.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl Sink for Log {
    fn record(&self, event: &Event) {
        match event {
            Event::RequestStarted => {}
            Event::AttemptFinished { request, report } => tracing::debug!(
                %request,
                upstream = %report.upstream,
                attempt = report.number,
                phase = report.phase.label(),
                outcome = report.outcome.label(),
                status = report.outcome.status(),
                detail = report.detail,
                elapsed_ms = report.elapsed.as_millis() as u64,
                "attempt ended"
            ),
            Event::FailedOver {
                request,
                from,
                to,
                reason,
            } => tracing::warn!(
                %request, %from, %to, reason = reason.label(),
                "failing over from {from} to {to}: {reason}"
            ),
            Event::Continued { request, from, to } => tracing::warn!(
                %request, %from, %to,
                "{to} continues a stream that broke off at {from}"
            ),
            Event::HealthChanged(change) => health_changed(change),
            Event::HealthChecked {
                upstream,
                is_reached,
            } => tracing::debug!(%upstream, is_reached, "health check"),
            Event::KeyRenewed {
                upstream,
                failure: None,
                ..
            } => tracing::info!(%upstream, "{upstream} has a new key"),
            Event::KeyRenewed {
                upstream,
                failure: Some(reason),
                is_news,
            } => {
                if *is_news {
                    tracing::warn!(%upstream, "the key of {upstream} cannot be renewed, the old one stays: {reason}");
                }
            }
            Event::ConfigReloaded => tracing::info!("serving by the new configuration"),
            Event::ConfigRejected { reason } => {
                tracing::error!(
                    "the new configuration cannot be used, the old one stays: {reason}"
                );
            }
            Event::RequestFinished(report) => request_finished(report),
        }
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
            "our own network seems to be lost: no upstream can be connected to; what is believed of them stays as it is"
        ),
        HealthChange::NetworkBack => tracing::info!("our own network is back"),
    }
}

fn request_finished(report: &RequestReport) {
    macro_rules! line {
        ($level:ident, $message:literal) => {
            tracing::$level!(
                request = %report.id,
                client = report.client.as_deref(),
                route = report.route.as_deref(),
                endpoint = report.endpoint.label(),
                status = report.status,
                result = report.result.label(),
                upstream = report.served_by.as_ref().map(AsRef::<str>::as_ref),
                attempts = report.attempts,
                elapsed_ms = report.total.as_millis() as u64,
                $message
            )
        };
    }
    match report.result {
        RequestResult::Failed => line!(error, "a request failed: every upstream did"),
        RequestResult::Broken => line!(warn, "an answer broke off and ended with an error"),
        RequestResult::Answered | RequestResult::Rejected | RequestResult::ClientGone => {
            line!(debug, "request ended");
        }
    }
}
