//! Events turned into traces for OpenTelemetry: what became of a request, attempt by attempt.
//!
//! Attempts are kept until their request is over; what is over is sent every five seconds. Of requests that go well only a part is
//! traced, and nothing is kept of the others. The data path knows only of the ids: see [`Trace`].
//!
//! *Invariant:* nothing here is waited for. While a collector takes nothing, so many requests are kept, and others are lost.

mod attempts;
mod exporter;
mod spans;

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::attempts::Attempts;
use self::exporter::exporter;
use self::spans::{Finished, Servers};
use crate::config::{Collector, Config};
use crate::event::{AttemptReport, Event, RequestReport, RequestResult, Sink};
use crate::outcome::Outcome;
use crate::request::{RequestId, Trace};

/// How often spans are sent, as by OpenTelemetry's own processors. The attempts of a request may end a moment after it.
const PERIOD: Duration = Duration::from_secs(5);
/// So many requests are kept that are over.
const ROOM: usize = 2048;
/// So many requests go into one message.
const BATCH: usize = 256;
/// How long the last spans may take when we stop.
const GOODBYE: Duration = Duration::from_secs(2);

/// Collects spans, and sends them.
#[derive(Debug, Default)]
pub struct Tracer {
    is_on: AtomicBool,
    kept: Mutex<Kept>,
    sending: ArcSwapOption<Sending>,
    /// Held by whoever sends.
    turn: AsyncMutex<()>,
    is_failing: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    attempts: Attempts,
    finished: Vec<Finished>,
    lost: usize,
}

/// Where spans go, and what they say about upstreams.
#[derive(Clone, Debug)]
struct Sending {
    collector: Collector,
    exporter: Arc<SpanExporter>,
    servers: Servers,
    scope: InstrumentationScope,
}

impl Tracer {
    /// Traces by this configuration from now on. If this fails, nothing has been changed.
    pub fn follow(&self, config: &Config) -> Result<(), String> {
        let next = config
            .collector()
            .map(|collector| self.sending(collector, config))
            .transpose()?;
        let is_on = next.is_some();
        self.sending.store(next.map(Arc::new));
        self.is_on.store(is_on, Ordering::Relaxed);
        if !is_on {
            *self.kept() = Kept::default();
        }
        Ok(())
    }

    /// The exporter stays, and its connections, if its collector does.
    fn sending(&self, collector: Collector, config: &Config) -> Result<Sending, String> {
        let before = self.sending.load();
        let same = before
            .as_ref()
            .filter(|before| before.collector == collector);
        let exporter = match same {
            Some(before) => Arc::clone(&before.exporter),
            None => Arc::new(exporter(&collector, config)?),
        };
        Ok(Sending {
            collector,
            exporter,
            servers: spans::servers(config),
            scope: InstrumentationScope::builder("backstop")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        })
    }

    /// Sends spans for as long as it is polled.
    pub async fn run(self: Arc<Self>) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.send().await;
        }
    }

    /// Sends what is left, when we stop.
    pub async fn flush(&self) {
        let _ = timeout(GOODBYE, self.send()).await;
    }

    async fn send(&self) {
        let _turn = self.turn.lock().await;
        let Some(to) = self.sending.load_full() else {
            return;
        };
        loop {
            let (batch, lost) = self.kept().take();
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "the traces of {lost} requests are lost: the collector is too slow"
                );
            }
            if batch.is_empty() {
                return;
            }
            let spans = batch
                .iter()
                .flat_map(|finished| spans::of(finished, &to.servers, &to.scope))
                .collect();
            let sent = to.exporter.export(spans).await;
            self.report(sent.is_ok(), to.collector.shown_url());
        }
    }

    /// Says when spans begin to be lost, and when they are not any more.
    fn report(&self, is_sent: bool, url: &str) {
        let was_failing = self.is_failing.swap(!is_sent, Ordering::Relaxed);
        match (is_sent, was_failing) {
            (false, false) => tracing::warn!(url, "traces are lost: {url} does not take them"),
            (true, true) => tracing::info!(url, "{url} takes traces again"),
            (true, false) | (false, true) => {}
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Tracer {
    fn record(&self, event: &Event) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        match event {
            Event::AttemptFinished {
                request,
                is_traced,
                report,
            } => {
                let is_usual = report.number == 1 && report.outcome == Outcome::Success;
                if *is_traced || !is_usual {
                    self.kept().attempted(request, report);
                }
            }
            Event::RequestFinished(report) => {
                let is_drawn = report.trace.is_some_and(|trace| trace.is_drawn);
                if is_drawn || !went_well(report) {
                    self.kept().finished(report);
                }
            }
            Event::RequestStarted
            | Event::FailedOver { .. }
            | Event::Continued { .. }
            | Event::HealthChanged(_)
            | Event::HealthChecked { .. }
            | Event::KeyRenewed { .. }
            | Event::ModelsChecked(_)
            | Event::ConfigReloaded { .. }
            | Event::ConfigRejected { .. }
            | Event::Shared(_)
            | Event::Notified { .. }
            | Event::TakenOut { .. }
            | Event::PutBack { .. } => {}
        }
    }
}

/// Whether its only attempt was answered: if it was not drawn, nothing has been kept of it.
fn went_well(report: &RequestReport) -> bool {
    report.result == RequestResult::Answered && report.attempts <= 1
}

/// Whether a request is traced: one that was drawn, and every one that did not go well at once.
fn is_told(trace: &Trace, report: &RequestReport) -> bool {
    let has_failed = match report.result {
        RequestResult::Failed | RequestResult::Broken => true,
        RequestResult::Answered | RequestResult::Rejected | RequestResult::ClientGone => false,
    };
    trace.is_drawn || has_failed || report.attempts > 1
}

impl Kept {
    fn attempted(&mut self, request: &RequestId, report: &AttemptReport) {
        self.attempts.note(request, report, Instant::now());
    }

    fn finished(&mut self, report: &RequestReport) {
        let Some(trace) = report.trace.filter(|trace| is_told(trace, report)) else {
            self.attempts.take(&report.id);
            return;
        };
        if self.finished.len() >= ROOM {
            self.lost += 1;
            self.attempts.take(&report.id);
            return;
        }
        self.finished.push(Finished {
            report: report.clone(),
            trace,
            ended: Instant::now(),
            attempts: Vec::new(),
        });
    }

    /// The next requests to be sent, with their attempts, and how many were lost since.
    fn take(&mut self) -> (Vec<Finished>, usize) {
        let count = self.finished.len().min(BATCH);
        let mut batch: Vec<Finished> = self.finished.drain(..count).collect();
        for finished in &mut batch {
            finished.attempts = self.attempts.take(&finished.report.id);
        }
        (batch, mem::take(&mut self.lost))
    }
}
