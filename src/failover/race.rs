//! The attempts of one request that run at the same time: one, or two while a second one comes to the rescue.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::ending::{Lost, Won};
use super::running::Running;

/// How often an attempt that has been slow for long looks whether its upstream is still trusted.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// For attempts that never become slow.
const NEVER: Duration = Duration::from_secs(86_400);

/// One attempt with its exchange.
pub(super) struct Contender<'a> {
    attempt: Running,
    exchange: Pin<Box<dyn Future<Output = Result<Won, Lost>> + Send + 'a>>,
    alarm: Pin<Box<Sleep>>,
    slow_after: Duration,
    hedge_after: Option<Duration>,
}

/// What happened in a race.
pub(super) enum Step {
    /// An attempt is over.
    Ended(Box<(Running, Result<Won, Lost>)>),
    /// An attempt has waited for long, and still does.
    Waits(Alarm),
}

impl<'a> Contender<'a> {
    /// `hedge_after`: when a second candidate may be asked, too.
    pub(super) fn new(
        attempt: Running,
        exchange: impl Future<Output = Result<Won, Lost>> + Send + 'a,
        hedge_after: Option<Duration>,
    ) -> Self {
        let slow_after = attempt.slow_after().unwrap_or(NEVER);
        let first = slow_after.min(hedge_after.unwrap_or(NEVER));
        Self {
            attempt,
            exchange: Box::pin(exchange),
            alarm: Box::pin(sleep_until(Instant::now() + first)),
            slow_after,
            hedge_after,
        }
    }

    /// Sets the next alarm; says what this one was for.
    fn rung(&mut self) -> Alarm {
        let waited = self.attempt.elapsed();
        let is_hedge_due = self.hedge_after.take_if(|due| *due <= waited).is_some();
        let is_slow = waited >= self.slow_after;
        let next = if is_slow {
            LOOK_AGAIN
        } else {
            self.slow_after - waited
        };
        self.alarm.as_mut().reset(Instant::now() + next);
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
    /// Another candidate may be asked, too.
    Hedge,
    /// The first token is overdue.
    Slow,
}

/// The attempts under way, in the order in which they began.
#[derive(Default)]
pub(super) struct Race<'a> {
    contenders: Vec<Contender<'a>>,
}

impl<'a> Race<'a> {
    pub(super) fn start(&mut self, contender: Contender<'a>) {
        self.contenders.push(contender);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.contenders.is_empty()
    }

    /// Whether an attempt waits alone, for an upstream that is trusted no more.
    pub(super) fn needs_rescue(&self) -> bool {
        matches!(self.contenders.as_slice(), [only] if only.attempt.is_lost_cause())
    }

    /// Whether one attempt is under way, and no more.
    pub(super) fn is_single(&self) -> bool {
        self.contenders.len() == 1
    }

    /// Those that are still under way when another one has won.
    pub(super) fn into_losers(self) -> impl Iterator<Item = Running> {
        self.contenders
            .into_iter()
            .map(|contender| contender.attempt)
    }

    /// Waits for something to happen.
    pub(super) async fn next(&mut self) -> Step {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        for index in 0..self.contenders.len() {
            let contender = &mut self.contenders[index];
            if let Poll::Ready(ended) = contender.exchange.as_mut().poll(context) {
                let attempt = self.contenders.remove(index).attempt;
                return Poll::Ready(Step::Ended(Box::new((attempt, ended))));
            }
            if contender.alarm.as_mut().poll(context).is_ready() {
                return Poll::Ready(Step::Waits(contender.rung()));
            }
        }
        Poll::Pending
    }
}
