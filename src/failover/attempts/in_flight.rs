//! An attempt in flight, and what it reports to health and events.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use tokio::time::Instant;

use crate::config::UpstreamId;
use crate::dialect::rate_limit;
use crate::event::{AttemptReport, Event, Events, HealthChange, Phase, Tokens};
use crate::failover::decisions::target::Target;
use crate::health::{Permit, Shape, Silence};
use crate::outcome::Outcome;
use crate::request::{Progress, RequestId, tokens_of_size};
use crate::upstream::Upstream;
use crate::wire::upload::Sending;

/// Dropped without an end, it counts as abandoned: the client went away, or we were stopped.
#[derive(Debug)]
pub(in crate::failover) struct InFlightAttempt {
    events: Events,
    request: RequestId,
    number: usize,
    phase: Phase,
    upstream: Arc<Upstream>,
    key: usize,
    model: Option<Arc<str>>,
    scope_model: Option<Arc<str>>,
    first_token: Option<Duration>,
    tokens: Option<Tokens>,
    /// `None` for attempts that are no evidence about health.
    permit: Option<Permit>,
    shape: Shape,
    limit: Limit,
    progress: Progress,
    started_at: Instant,
    /// How far the request has got, where it takes a while to be sent.
    sending: Option<Arc<Sending>>,
    /// How long another one took that was asked later and has answered first.
    rival: Option<Duration>,
    is_traced: bool,
    is_over: bool,
}

/// What all attempts of a request have in common.
#[derive(Debug)]
pub(in crate::failover) struct Common {
    pub(in crate::failover) events: Events,
    pub(in crate::failover) request: RequestId,
    pub(in crate::failover) shape: Shape,
    pub(in crate::failover) progress: Progress,
    pub(in crate::failover) is_traced: bool,
}

/// How long the first content of an attempt may take.
#[derive(Clone, Copy, Debug)]
pub(in crate::failover) struct Limit {
    /// As far as is known when it starts.
    pub(in crate::failover) usual: Duration,
    /// Once the model has shown that it thinks.
    pub(in crate::failover) reasoning: Duration,
}

impl InFlightAttempt {
    /// Boxed, because it is handed on often.
    pub(in crate::failover) fn start(
        common: &Common,
        target: &Target<'_>,
        permit: Option<Permit>,
        number: usize,
        limit: Limit,
    ) -> Box<Self> {
        common.progress.attempt_begins();
        Box::new(Self {
            events: common.events.clone(),
            request: common.request.clone(),
            number,
            phase: match &permit {
                Some(permit) if permit.is_last_resort() => Phase::LastResort,
                Some(permit) if permit.is_probe() => Phase::HalfOpenProbe,
                _ => Phase::Normal,
            },
            upstream: Arc::clone(&target.candidate.upstream),
            key: target.key,
            model: target.candidate.model.clone(),
            scope_model: target.health.id().model.clone(),
            first_token: None,
            tokens: None,
            permit,
            shape: common.shape,
            limit,
            progress: common.progress.clone(),
            started_at: Instant::now(),
            sending: None,
            rival: None,
            is_traced: common.is_traced,
            is_over: false,
        })
    }

    /// Its upstream is waited for only from when the request has been sent.
    pub(in crate::failover) fn sending(&mut self, sending: Option<Arc<Sending>>) {
        self.sending = sending;
    }

    /// Says why it runs, if it is not just the next one.
    pub(in crate::failover) fn in_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    pub(in crate::failover) fn upstream(&self) -> &UpstreamId {
        self.upstream.id()
    }

    /// How long its first content may take, as far as is known now.
    fn limit(&self) -> Duration {
        if self.progress.thinks() {
            self.limit.reasoning
        } else {
            self.limit.usual
        }
    }

    /// The first content came at that time.
    pub(in crate::failover) fn answered(&mut self, mut since: Instant) {
        self.first_token = Some(since.saturating_duration_since(self.started_at));
        // What was needed to send the request is no time of the upstream's.
        if let Some(sent) = self
            .sending
            .as_ref()
            .and_then(|sending| sending.over_since())
        {
            since -= sent.min(since).saturating_duration_since(self.started_at);
        }
        let limit = self.limit();
        if let Some(permit) = &mut self.permit {
            let changes = permit.answered(self.shape, limit, since);
            self.tell(changes);
        }
    }

    /// What its answer costs, if the upstream says so.
    pub(in crate::failover) fn costs(&mut self, tokens: Option<Tokens>) {
        self.tokens = tokens;
    }

    /// A WebSocket has been opened, which may last for hours.
    pub(in crate::failover) fn settled(&mut self) {
        self.answered(Instant::now());
        if let Some(permit) = &mut self.permit {
            let changes = permit.settled(Instant::now());
            self.tell(changes);
        }
    }

    /// Notes the rate limit that the upstream reports.
    pub(in crate::failover) fn note_rate_limit(&self, headers: &HeaderMap) {
        if !rate_limit::may_be_told(headers) {
            return;
        }
        // The next request is taken to be as long as this one.
        let tokens = tokens_of_size(self.shape.size);
        let left = rate_limit::tightest(headers, tokens, SystemTime::now());
        if let (Some(permit), Some(left)) = (&self.permit, left) {
            permit.rate_limit(left.requests, left.limit, left.next_in, Instant::now());
        }
    }

    /// It takes longer than almost every healthy request.
    pub(in crate::failover) fn slow(&mut self) {
        if let Some(permit) = &mut self.permit {
            let changes = permit.slow(Instant::now());
            self.tell(changes);
        }
    }

    /// After how long it is slow, if that is known.
    pub(in crate::failover) fn slow_after(&self) -> Option<Duration> {
        self.permit
            .as_ref()?
            .health()
            .slow_after(self.shape, self.limit())
    }

    /// After how long a hedged request may start; `None` unless enough is known.
    pub(in crate::failover) fn hedge_after(&self) -> Option<Duration> {
        let health = self.permit.as_ref()?.health();
        let late = health.late_after(self.shape)?;
        let slow = self.slow_after()?;
        (health.fraction() >= 1.0).then(|| late.max(slow.min(self.limit() / 2) / 2))
    }

    /// When it began.
    pub(in crate::failover) fn started_at(&self) -> Instant {
        self.started_at
    }

    /// How long it has been in flight.
    pub(in crate::failover) fn elapsed(&self) -> Duration {
        self.started_at.elapsed()
    }

    /// How long its upstream has been waited for.
    pub(in crate::failover) fn waited(&self) -> Duration {
        let since = match &self.sending {
            None => Some(self.started_at),
            Some(sending) => sending.over_since(),
        };
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether its upstream has been taken out of rotation since it began, or is out and slow.
    pub(in crate::failover) fn is_lost_cause(&self) -> bool {
        self.permit.as_ref().is_some_and(Permit::is_lost_cause)
    }

    /// Another attempt of the same request has answered first, after this time.
    pub(in crate::failover) fn superseded_by(
        mut self: Box<Self>,
        rival: Duration,
    ) -> AttemptReport {
        let is_later = rival < self.elapsed();
        self.rival = is_later.then_some(rival);
        self.close(Outcome::Superseded, None)
    }

    /// The attempt is over.
    pub(in crate::failover) fn end(
        mut self: Box<Self>,
        outcome: Outcome,
        detail: Option<String>,
    ) -> AttemptReport {
        self.close(outcome, detail)
    }

    fn close(&mut self, outcome: Outcome, detail: Option<String>) -> AttemptReport {
        self.is_over = true;
        let now = Instant::now();
        if outcome.hurts_health() {
            self.upstream.renew_connections();
        }
        let changes = match self.permit.take() {
            Some(permit) => self.give_back(permit, &outcome, now),
            None => Vec::new(),
        };
        let report = self.report_at(now, outcome, detail);
        self.events.emit(&Event::AttemptFinished {
            request: self.request.clone(),
            is_traced: self.is_traced,
            report: report.clone(),
        });
        self.tell(changes);
        report
    }

    fn give_back(&self, permit: Permit, outcome: &Outcome, now: Instant) -> Vec<HealthChange> {
        match outcome {
            Outcome::ClientGone | Outcome::Superseded => {
                let silence = Silence {
                    waited: self.waited(),
                    rival: self.rival,
                };
                permit.given_up(self.shape, self.limit(), silence, now)
            }
            _ => permit.finish(outcome, now),
        }
    }

    /// Its report so far.
    pub(in crate::failover) fn report(
        &self,
        outcome: Outcome,
        detail: Option<String>,
    ) -> AttemptReport {
        self.report_at(Instant::now(), outcome, detail)
    }

    fn report_at(&self, now: Instant, outcome: Outcome, detail: Option<String>) -> AttemptReport {
        AttemptReport {
            number: self.number,
            phase: self.phase,
            upstream: self.upstream.id().clone(),
            key: self.key,
            model: self.model.clone(),
            outcome,
            detail,
            elapsed: now.saturating_duration_since(self.started_at),
            scope_model: self.scope_model.clone(),
            first_token: self.first_token,
            tokens: self.tokens,
        }
    }

    fn tell(&self, changes: Vec<HealthChange>) {
        for change in changes {
            if matches!(change, HealthChange::Opened { .. }) {
                // The probes go over new connections.
                self.upstream.renew_connections();
            }
            self.events.emit(&Event::HealthChanged(change));
        }
    }
}

impl Drop for InFlightAttempt {
    fn drop(&mut self) {
        if !self.is_over {
            let is_stopped = self.progress.is_stopped();
            self.close(
                if is_stopped {
                    Outcome::Stopped
                } else {
                    Outcome::ClientGone
                },
                None,
            );
        }
    }
}
