//! Tells the other replicas, every few seconds, what has been counted here, for whoever looks at one of them.

use std::time::Duration;

use tokio::time::sleep;

use super::foundation::Foundation;
use crate::event::ScopeId;
use crate::history::{Availability, Incident, Windows};
use crate::shared::{Figures, Had, Outage};

/// How often.
const PAUSE: Duration = Duration::from_secs(10);
/// Incidents that lasted within so many milliseconds until now are told.
const LATELY: u64 = 7 * 24 * 3600 * 1000;

/// Runs for as long as the process.
pub(super) async fn run(foundation: Foundation) {
    let (Some(history), Some(sharing)) = (&foundation.history, &foundation.sharing) else {
        return;
    };
    loop {
        let since = history.now().saturating_sub(LATELY);
        let all = (history.availability().await, history.incidents(since).await);
        // Who asks for too much just now is told later.
        if let (Ok(availability), Ok(incidents)) = all {
            sharing.show(figures(&availability, &incidents));
        }
        sleep(PAUSE).await;
    }
}

fn figures(availability: &Availability, incidents: &[Incident]) -> Figures {
    let upstreams = availability.upstreams.iter();
    let incidents = incidents.iter();
    Figures {
        clients: had(&availability.clients),
        upstreams: upstreams
            .map(|upstream| (upstream.name.clone(), had(&upstream.whole)))
            .collect(),
        incidents: incidents
            .map(|incident| outage(incident, availability.now))
            .collect(),
    }
}

fn had(windows: &Windows) -> Vec<Had> {
    let windows = windows.iter();
    windows
        .map(|counts| (counts.requests, counts.failed))
        .collect()
}

fn outage(incident: &Incident, now: u64) -> Outage {
    let ago = |then: u64| Duration::from_millis(now.saturating_sub(then));
    let scope = incident.upstream.as_deref().map(|upstream| ScopeId {
        upstream: upstream.into(),
        model: incident.model.as_deref().map(Into::into),
    });
    Outage {
        scope,
        cause: incident.cause.clone(),
        began: ago(incident.started_at),
        ended: incident.ended_at.map(ago),
        requests: incident.damage.requests,
        moved: incident.damage.moved,
        noticed: incident.damage.noticed,
    }
}
