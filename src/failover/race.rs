//! The attempts of one request that run at the same time: one, or two while a hedged request is in flight.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::attempts::ending::Ended;
use super::attempts::in_flight::InFlightAttempt;
use crate::wire::alarm::poll_timer;

/// How often a slow attempt checks whether its upstream is still in rotation.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// For attempts that never become slow.
const NEVER: Duration = Duration::from_secs(86_400);

/// What an attempt does.
pub(super) type Exchange<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// One attempt with its exchange.
pub(super) struct Racer<'a> {
    /// The index of its candidate in the plan.
    choice: usize,
    attempt: Box<InFlightAttempt>,
    exchange: Exchange<'a>,
    /// When it must be looked at; `None`: not before something happens.
    alarm_at: Option<Instant>,
    /// The timer for that, once it has been waited for.
    alarm: Option<Pin<Box<Sleep>>>,
    hedge_after: Option<Duration>,
}

/// What happened in a race.
pub(super) enum Step {
    /// The attempt at this place has ended.
    Ended(usize, Ended),
    /// An attempt is late and still waiting.
    Waits(Alarm),
}

impl<'a> Racer<'a> {
    /// `hedge_after`: when a hedged request may start.
    pub(super) fn new(
        choice: usize,
        attempt: Box<InFlightAttempt>,
        exchange: Exchange<'a>,
        hedge_after: Option<Duration>,
    ) -> Self {
        let due = [attempt.slow_after(), hedge_after];
        let first = due.into_iter().flatten().min();
        Self {
            choice,
            alarm_at: first.map(|first| attempt.started_at() + first),
            attempt,
            exchange,
            alarm: None,
            hedge_after,
        }
    }

    /// What it was about: the index of its candidate in the plan, and the attempt.
    pub(super) fn into_attempt(self) -> (usize, Box<InFlightAttempt>) {
        (self.choice, self.attempt)
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.alarm_at else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
        poll_timer(alarm.as_mut(), context)
    }

    /// Sets the next alarm, and returns the purpose of this one.
    fn rung(&mut self) -> Alarm {
        let waited = self.attempt.waited();
        let is_hedge_due = self.hedge_after.take_if(|due| *due <= waited).is_some();
        // A model that has shown that it thinks is slow later.
        let slow_after = self.attempt.slow_after().unwrap_or(NEVER);
        let is_slow = waited >= slow_after;
        let next = if is_slow {
            LOOK_AGAIN
        } else {
            slow_after - waited
        };
        self.alarm_at = Some(Instant::now() + next);
        self.alarm = None;
        if is_slow {
            self.attempt.slow();
        }
        if is_hedge_due {
            Alarm::Hedge
        } else {
            Alarm::Slow
        }
    }
}

/// Why an alarm rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// A hedged request may start.
    Hedge,
    /// The first token is overdue.
    Slow,
}

/// The attempts in flight, in the order in which they started.
#[derive(Default)]
pub(super) struct Race<'a> {
    racers: Vec<Racer<'a>>,
}

impl<'a> Race<'a> {
    pub(super) fn start(&mut self, racer: Racer<'a>) {
        // Usually it is alone.
        self.racers.reserve_exact(1);
        self.racers.push(racer);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.racers.is_empty()
    }

    /// Whether a single attempt is waiting for an upstream that has been taken out of rotation (hedge on ejection).
    pub(super) fn needs_ejection_hedge(&self) -> bool {
        matches!(self.racers.as_slice(), [only] if only.attempt.is_lost_cause())
    }

    /// Takes out the attempt at this place, which has ended.
    pub(super) fn take(&mut self, place: usize) -> Racer<'a> {
        self.racers.remove(place)
    }

    /// How many attempts are in flight.
    pub(super) fn len(&self) -> usize {
        self.racers.len()
    }

    /// The attempts that are still in flight when another one has answered.
    pub(super) fn into_losers(self) -> impl Iterator<Item = Box<InFlightAttempt>> {
        self.racers.into_iter().map(|racer| racer.attempt)
    }

    /// Waits for something to happen.
    pub(super) async fn next(&mut self) -> Step {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        for index in 0..self.racers.len() {
            let racer = &mut self.racers[index];
            if let Poll::Ready(result) = racer.exchange.as_mut().poll(context) {
                return Poll::Ready(Step::Ended(index, result));
            }
            if racer.poll_alarm(context).is_ready() {
                return Poll::Ready(Step::Waits(racer.rung()));
            }
        }
        Poll::Pending
    }
}
