//! How long others are waited for.
//!
//! A process that was stopped for a while (a frozen container, a machine that was paused, SIGSTOP) finds all its timers
//! expired when it goes on, before it has read what came meanwhile. A timer that is much too late is therefore no sign that
//! nothing came: it gives a moment more.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is later than this did not ring while others were served.
const MUCH_TOO_LATE: Duration = Duration::from_secs(1);
/// The time to read what has come.
const MOMENT: Duration = Duration::from_secs(2);

/// Whether it is time, and whoever is waited for has had that time. `is_extended`: it has been given its moment; it gets no second
/// one, for what comes may itself keep the timer waiting.
pub fn poll_alarm(
    mut alarm: Pin<&mut Sleep>,
    is_extended: &mut bool,
    context: &mut Context<'_>,
) -> Poll<()> {
    ready!(poll_timer(alarm.as_mut(), context));
    let now = Instant::now();
    let is_late = now.saturating_duration_since(alarm.deadline()) >= MUCH_TOO_LATE;
    if !is_late || std::mem::replace(is_extended, true) {
        return Poll::Ready(());
    }
    alarm.as_mut().reset(now + MOMENT);
    poll_timer(alarm, context)
}

/// Whether it is time. Whoever is waited for may have used up what a task may do at a time, and a timer would not ring then: who
/// never stops sending would never be too late.
pub fn poll_timer(timer: Pin<&mut Sleep>, context: &mut Context<'_>) -> Poll<()> {
    Pin::new(&mut unconstrained(timer)).poll(context)
}

/// A timer that is set anew from time to time.
#[derive(Debug)]
pub struct Alarm {
    timer: Pin<Box<Sleep>>,
    /// It has given its moment since it was set.
    is_extended: bool,
}

impl Alarm {
    /// It rings at this time.
    pub fn at(time: Instant) -> Self {
        Self {
            timer: Box::pin(sleep_until(time)),
            is_extended: false,
        }
    }

    /// It rings at this time instead.
    pub fn set(&mut self, time: Instant) {
        self.timer.as_mut().reset(time);
        self.is_extended = false;
    }

    /// Whether it rings, as [`poll_alarm`] says.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        poll_alarm(self.timer.as_mut(), &mut self.is_extended, context)
    }
}

/// What the future brings, unless it takes longer than until then.
pub async fn within<T>(until: Instant, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut alarm) = (pin!(future), pin!(sleep_until(until)));
    let mut is_extended = false;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => poll_alarm(alarm.as_mut(), &mut is_extended, context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::task::Poll;
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::sync::oneshot;
    use tokio::task::coop::poll_proceed;
    use tokio::time::{Instant, advance};

    use super::{MOMENT, within};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_came_while_the_process_was_stopped_is_taken_before_time_is_up() {
        let until = Instant::now() + SECOND * 30;
        let (send, received) = oneshot::channel();
        let mut waiting = Box::pin(within(until, received));
        assert!(waiting.as_mut().now_or_never().is_none());
        advance(SECOND * 60).await;
        assert!(
            waiting.as_mut().now_or_never().is_none(),
            "the socket is read next"
        );
        send.send(1).unwrap();
        assert_eq!(waiting.await, Some(Ok(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_never_stops_sending_is_waited_for_until_the_time() {
        let flood = poll_fn(|context| {
            while let Poll::Ready(read) = poll_proceed(context) {
                read.made_progress();
            }
            Poll::<()>::Pending
        });
        let mut waiting = Box::pin(within(Instant::now() + SECOND, flood));
        assert!(waiting.as_mut().now_or_never().is_none());
        advance(SECOND).await;
        assert_eq!(waiting.as_mut().now_or_never(), Some(None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_always_too_late_rings_all_the_same() {
        let mut waiting = Box::pin(within(Instant::now() + SECOND, pending::<()>()));
        assert!(waiting.as_mut().now_or_never().is_none());
        advance(SECOND * 10).await;
        assert!(waiting.as_mut().now_or_never().is_none());
        advance(SECOND * 10).await;
        assert_eq!(waiting.as_mut().now_or_never(), Some(None));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_nothing_is_waited_for_until_the_time_and_only_after_a_stop_a_moment_longer()
     {
        let start = Instant::now();
        assert_eq!(within(start + SECOND * 30, pending::<()>()).await, None);
        assert!(start.elapsed() < SECOND * 31);

        let start = Instant::now();
        let mut waiting = Box::pin(within(start + SECOND * 30, pending::<()>()));
        assert!(waiting.as_mut().now_or_never().is_none());
        advance(SECOND * 60).await;
        assert_eq!(waiting.await, None);
        assert!(start.elapsed() < SECOND * 61 + MOMENT);
    }
}
