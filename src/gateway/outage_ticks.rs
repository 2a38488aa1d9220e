//! Tells the history and the webhooks, every few seconds, that time has passed, and who is out of rotation.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::foundation::Foundation;
use crate::event::ScopeId;
use crate::health::ScopeView;

/// What is counted reaches the file after this time.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs for as long as the process.
pub(super) async fn run(foundation: Foundation) {
    loop {
        tell(&foundation, Instant::now());
        sleep(PAUSE).await;
    }
}

fn tell(foundation: &Foundation, now: Instant) {
    let health = &foundation.health;
    let views = health.view(now);
    let scopes = views.iter().map(|view| (&view.id, view.phase.is_out()));
    foundation.notifier.compare(&scopes.collect(), now);
    let Some(history) = &foundation.history else {
        return;
    };
    let is_out = |view: &ScopeView| {
        // What an operator has taken out is not an outage of its provider.
        view.phase.is_out() && !health.is_taken_out(&view.id.upstream)
    };
    let out = views.into_iter().filter(is_out);
    let out: Vec<(ScopeId, &'static str)> = out.map(|view| (view.id, view.cause)).collect();
    history.tick(now, &out, health.is_network_lost());
}
