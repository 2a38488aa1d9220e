//! What clients felt in the last minutes, for the first glance: the same figures as at `/api/availability`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::history::{Counts, History, Span};

/// How long figures serve everybody who asks.
const FRESH: Duration = Duration::from_secs(1);

/// Knows what clients felt.
#[derive(Debug)]
pub struct Felt {
    history: Option<Arc<History>>,
    last: Mutex<Option<(Instant, Clients)>>,
}

/// What clients had in the last minute and the last five.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clients {
    minute: Figures,
    five_minutes: Figures,
}

#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    requests: u64,
    failed: u64,
    saved: u64,
}

impl Felt {
    /// As this history tells it; `None`: it is turned off.
    pub fn by(history: Option<Arc<History>>) -> Self {
        Self {
            history,
            last: Mutex::default(),
        }
    }

    /// The figures now; `None`: they are not known.
    pub(super) async fn now(&self) -> Option<Clients> {
        if let Some((at, clients)) = *self.last()
            && at.elapsed() < FRESH
        {
            return Some(clients);
        }
        let series = self.history.as_ref()?.series(Span::Hour).await.ok()?;
        let minutes: Vec<&Counts> = series.clients.iter().map(|(_, counts)| counts).collect();
        let clients = Clients::of(&minutes);
        *self.last() = Some((Instant::now(), clients));
        Some(clients)
    }

    fn last(&self) -> MutexGuard<'_, Option<(Instant, Clients)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures {
    fn of<'a>(minutes: impl Iterator<Item = &'a Counts>) -> Self {
        minutes.fold(Self::default(), |sum, minute| Self {
            requests: sum.requests + minute.requests,
            failed: sum.failed + minute.failed,
            saved: sum.saved + minute.saved,
        })
    }

    /// `null` where there was no traffic.
    fn json(self) -> Value {
        match self.requests {
            0 => Value::Null,
            requests => json!({"requests": requests, "failed": self.failed, "saved": self.saved}),
        }
    }
}

impl Clients {
    /// By the counts of minutes, of which the last one runs. A window holds so many minutes, and the one that runs.
    fn of(minutes: &[&Counts]) -> Self {
        let window = |length: usize| Figures::of(minutes.iter().rev().take(length + 1).copied());
        Self {
            minute: window(1),
            five_minutes: window(5),
        }
    }

    /// Whether one of a hundred requests fails, or more.
    pub(super) fn notice(&self) -> bool {
        let Figures {
            requests, failed, ..
        } = self.minute;
        failed > 0 && failed * 100 >= requests
    }

    pub(super) fn json(&self) -> Value {
        json!({"1m": self.minute.json(), "5m": self.five_minutes.json()})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Clients, Counts};

    /// Else clients would seem to be well at the beginning of each minute, whatever has just failed.
    #[test]
    fn the_minute_that_has_just_begun_counts_with_those_before_it() {
        let minute = |requests, failed| Counts {
            requests,
            failed,
            ..Counts::default()
        };
        let older = minute(1000, 1000);
        let (failing, well, begun) = (minute(10, 4), minute(20, 0), minute(0, 0));
        let clients = Clients::of(&[&older, &failing, &well, &well, &well, &failing, &begun]);
        assert!(clients.notice());
        let expected = json!({
            "1m": {"requests": 10, "failed": 4, "saved": 0},
            "5m": {"requests": 80, "failed": 8, "saved": 0},
        });
        assert_eq!(clients.json(), expected);
        assert!(!Clients::of(&[&failing, &well, &begun]).notice());
    }
}
