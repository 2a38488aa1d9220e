//! What the service manager is told (`sd_notify(3)`), where there is one that listens.

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::runtime::Handle;
use tokio::time::interval;

/// Clients are served, or are served again by the configuration that has been read.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again; [`ready`] follows.
pub(super) fn reloading() {
    // Without the time, the message would not be understood.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// It drains, for so long at most.
pub(super) fn stopping(longest: Duration) {
    let micros = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

/// Shows that requests are served, twice as often as is asked for (`WatchdogSec=`), as long as each of these runtimes runs, and the
/// one that calls this.
pub(super) fn show_life(runtimes: Vec<Handle>) {
    let Some(limit) = watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return;
    };
    tokio::spawn(async move {
        let mut beats = interval(limit / 2);
        loop {
            beats.tick().await;
            for runtime in &runtimes {
                // It waits for as long as the thread stands still.
                let _ = runtime.spawn(async {}).await;
            }
            tell(&[NotifyState::Watchdog]);
        }
    });
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}
