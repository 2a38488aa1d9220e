//! Notes that something has happened, and wakes whoever waits for that.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A waker whose listener may change. It wakes with its first ring only, until the ring is taken.
#[derive(Debug)]
pub struct Bell {
    has_rung: AtomicBool,
    listener: Mutex<Waker>,
}

impl Bell {
    /// A bell to which nobody listens.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            has_rung: AtomicBool::new(false),
            listener: Mutex::new(Waker::noop().clone()),
        })
    }

    /// From now on it wakes this one. Who listens first and then looks whether it has rung misses nothing.
    pub fn wakes(&self, waker: &Waker) {
        let mut listener = self.listener();
        if !listener.will_wake(waker) {
            listener.clone_from(waker);
        }
    }

    /// Whether it has rung since this was last asked.
    pub fn take(&self) -> bool {
        self.has_rung.load(Ordering::Relaxed) && self.has_rung.swap(false, Ordering::AcqRel)
    }

    /// Waits until it rings.
    pub async fn rung(&self) {
        poll_fn(|context| {
            self.wakes(context.waker());
            match self.take() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn listener(&self) -> MutexGuard<'_, Waker> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.has_rung.swap(true, Ordering::AcqRel) {
            self.listener().wake_by_ref();
        }
    }
}

/// Listens to a bell, and knows whom it wakes: usually that is the same as before, which is seen without the bell's lock.
#[derive(Debug)]
pub struct Listener {
    bell: Arc<Bell>,
    woken: Waker,
}

impl Listener {
    /// Nobody is woken yet.
    pub fn to(bell: Arc<Bell>) -> Self {
        Self {
            bell,
            woken: Waker::noop().clone(),
        }
    }

    /// From now on the bell wakes this one.
    pub fn wakes(&mut self, waker: &Waker) {
        if !self.woken.will_wake(waker) {
            self.woken.clone_from(waker);
            self.bell.wakes(waker);
        }
    }

    /// Whether it has rung since this was last asked.
    pub fn take(&self) -> bool {
        self.bell.take()
    }
}

/// Lets something be looked at only when it has been woken itself, however often its task is woken for others.
#[derive(Debug)]
pub struct Doorkeeper {
    listener: Listener,
    /// Rings the bell.
    waker: Waker,
    /// Whether it is to be looked at in any case: before it has been woken for the first time, and behind each result.
    is_due: bool,
}

impl Doorkeeper {
    /// A bell may serve several, one after the other.
    pub fn new(bell: &Arc<Bell>) -> Self {
        Self {
            listener: Listener::to(Arc::clone(bell)),
            waker: Arc::clone(bell).into(),
            is_due: true,
        }
    }

    /// Looks at it, if it has been woken.
    pub fn poll<T>(
        &mut self,
        context: &Context<'_>,
        look: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.listener.wakes(context.waker());
        if !(self.listener.take() | self.is_due) {
            return Poll::Pending;
        }
        let looked = look(&mut Context::from_waker(&self.waker));
        self.is_due = looked.is_ready();
        looked
    }
}

/// Waits for a future that is looked at only when it has been woken itself, by this bell. The caller pins it: what is
/// pinned in here would take its room twice.
pub async fn only_when_woken<F: Future + Unpin>(bell: Arc<Bell>, mut future: F) -> F::Output {
    let mut doorkeeper = Doorkeeper::new(&bell);
    poll_fn(|context| doorkeeper.poll(context, |context| Pin::new(&mut future).poll(context))).await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::sync::Notify;

    use super::{Bell, Doorkeeper, only_when_woken};

    #[test]
    fn it_is_looked_at_once_and_then_when_it_is_woken() {
        let (looks, notify) = (Cell::new(0), Notify::new());
        let mut notified = pin!(notify.notified());
        let watched = poll_fn(|context| {
            looks.set(looks.get() + 1);
            notified.as_mut().poll(context)
        });
        let mut waiting = pin!(only_when_woken(Bell::new(), watched));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..3 {
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            assert_eq!(looks.get(), 1);
        }
        notify.notify_one();
        assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(()));
        assert_eq!(looks.get(), 2);
    }

    #[test]
    fn behind_a_result_there_may_be_another_one_and_behind_none_there_is_nothing() {
        let bell = Bell::new();
        let mut doorkeeper = Doorkeeper::new(&bell);
        let context = Context::from_waker(Waker::noop());
        let mut rest = vec![1, 2];
        let mut looks = 0;
        let mut look = || {
            doorkeeper.poll(&context, |_| {
                looks += 1;
                rest.pop().map_or(Poll::Pending, Poll::Ready)
            })
        };
        let looked = [look(), look(), look(), look()];
        assert_eq!(
            looked,
            [Poll::Ready(2), Poll::Ready(1), Poll::Pending, Poll::Pending]
        );
        assert_eq!(looks, 3);
    }

    #[test]
    fn a_bell_that_has_served_another_wakes_the_next_one() {
        let bell = Bell::new();
        let context = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            let mut doorkeeper = Doorkeeper::new(&bell);
            let mut waker = None;
            let mut look = |waker: &mut Option<Waker>| {
                let looked = doorkeeper.poll(&context, |context| {
                    *waker = Some(context.waker().clone());
                    Poll::<()>::Pending
                });
                assert!(looked.is_pending());
            };
            look(&mut waker);
            waker.take().unwrap().wake();
            look(&mut waker);
            assert!(waker.take().is_some());
            look(&mut waker);
            assert!(waker.is_none());
        }
    }
}
