//! Which events are news for the other replicas.

use super::Sharing;
use crate::event::{Event, Sink};
use crate::outcome::Outcome;

impl Sink for Sharing {
    fn record(&self, event: &Event) {
        match event {
            Event::HealthChanged(_) => self.news.notify_one(),
            Event::AttemptFinished { report, .. }
                if report.outcome.hurts_health() || begins_cooldown(&report.outcome) =>
            {
                self.news.notify_one();
            }
            Event::AttemptFinished { .. }
            | Event::RequestStarted
            | Event::FailedOver { .. }
            | Event::Continued { .. }
            | Event::TakenOut { .. }
            | Event::PutBack { .. }
            | Event::HealthChecked { .. }
            | Event::KeyRenewed { .. }
            | Event::ModelsChecked(_)
            | Event::ConfigReloaded { .. }
            | Event::ConfigRejected { .. }
            | Event::Notified { .. }
            | Event::Shared(_)
            | Event::RequestFinished(_) => {}
        }
    }
}

fn begins_cooldown(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::RateLimited { .. }
            | Outcome::Unauthorized { .. }
            | Outcome::QuotaExhausted { .. }
            | Outcome::ModelUnavailable { .. }
            | Outcome::Overloaded { .. }
    )
}
