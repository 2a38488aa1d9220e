//! Incidents: one for each outage, from the first failure to the end.

use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{
    MINUTE, OVERLOADED, attempt, healed, incidents, model, moved, opened, request, skipped, start,
    upstream,
};
use crate::event::{Event, HealthChange, RequestReport, RequestResult, Sink};
use crate::outcome::Outcome;

/// What fails after an outage is over belongs to the next one alone.
#[tokio::test(start_paused = true)]
async fn a_failure_belongs_to_one_incident() {
    let history = start(None);
    history.record(&attempt(OVERLOADED, 10));
    history.record(&opened(upstream()));
    history.record(&healed(upstream()));
    history.record(&Event::RequestFinished(skipped()));
    history.record(&attempt(OVERLOADED, 10));
    history.record(&Event::RequestFinished(moved()));
    history.record(&opened(model()));
    history.record(&attempt(OVERLOADED, 10));
    history.record(&Event::RequestFinished(moved()));
    let mut all = incidents(&history).await;
    all.sort_by_key(|incident| incident.model.is_some());
    let damage = all
        .iter()
        .map(|incident| (incident.damage.requests, incident.damage.moved));
    assert_eq!(damage.collect::<Vec<_>>(), [(1, 1), (2, 2)], "{all:#?}");
    assert_eq!(all[1].cause, "overloaded");
}

/// A model that is still out when its upstream has healed belongs to the same outage.
#[tokio::test(start_paused = true)]
async fn what_an_outage_leaves_behind_is_no_incident_of_its_own() {
    let history = start(None);
    history.record(&attempt(OVERLOADED, 10));
    history.record(&opened(upstream()));
    history.record(&healed(upstream()));
    history.record(&opened(model()));
    advance(Duration::from_secs(2)).await;
    history.tick(Instant::now(), &[(model(), "failures")], false);
    assert_eq!(incidents(&history).await.len(), 1);
    history.record(&attempt(OVERLOADED, 10));
    history.tick(Instant::now(), &[(model(), "failures")], false);
    assert_eq!(incidents(&history).await.len(), 2, "it fails again");
}

#[tokio::test(start_paused = true)]
async fn clients_whose_requests_fail_elsewhere_notice_a_model_that_was_not_even_asked() {
    let history = start(None);
    history.record(&attempt(OVERLOADED, 10));
    history.record(&opened(model()));
    let failed = RequestReport {
        failed_at: Vec::new(),
        out_at: vec![model()],
        ..request(RequestResult::Failed)
    };
    history.record(&Event::RequestFinished(failed));
    assert_eq!(incidents(&history).await[0].damage.noticed, 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_incident_from_the_first_failure_on() {
    let history = start(None);
    for _ in 0..25 {
        history.record(&attempt(Outcome::Success, 10));
    }
    let began = history.now();
    history.record(&attempt(OVERLOADED, 10));
    history.record(&Event::RequestFinished(moved()));
    advance(MINUTE).await;
    history.record(&attempt(Outcome::Success, 10));
    history.record(&attempt(OVERLOADED, 10));
    history.record(&opened(model()));
    history.record(&Event::RequestFinished(moved()));
    assert_eq!(
        incidents(&history).await[0].model.as_deref(),
        Some("gpt-4o")
    );
    history.record(&opened(upstream()));
    history.record(&Event::RequestFinished(request(RequestResult::Failed)));
    advance(MINUTE).await;
    history.record(&healed(upstream()));
    // A relapse is the same incident, and so is what fails in it.
    advance(MINUTE * 4).await;
    history.record(&attempt(OVERLOADED, 10));
    history.record(&opened(upstream()));
    let all = incidents(&history).await;
    let [incident] = all.as_slice() else {
        panic!("{all:#?}");
    };
    assert_eq!(
        (incident.upstream.as_deref(), incident.model.as_deref()),
        (Some("openai"), None)
    );
    assert_eq!((incident.started_at, incident.ended_at), (began, None));
    let damage = &incident.damage;
    assert_eq!((damage.requests, damage.moved, damage.noticed), (3, 2, 1));
    assert_eq!(
        damage.words.as_ref().map(|words| words.chars().count()),
        Some(300)
    );

    history.record(&healed(upstream()));
    advance(MINUTE * 6).await;
    history.record(&opened(upstream()));
    let all = incidents(&history).await;
    assert_eq!(all.len(), 2, "later it is another one");
    assert!(all[1].ended_at.is_some() && all[0].ended_at.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_leaves_the_configuration_or_is_well_for_health_ends_its_incident() {
    let history = start(None);
    history.record(&opened(upstream()));
    history.adopt(&[], &[]);
    assert!(incidents(&history).await[0].ended_at.is_some());

    let history = start(None);
    history.record(&opened(model()));
    advance(MINUTE).await;
    history.tick(Instant::now(), &[(model(), "failures")], false);
    assert!(incidents(&history).await[0].ended_at.is_none());
    advance(MINUTE).await;
    history.tick(Instant::now(), &[], false);
    assert!(incidents(&history).await[0].ended_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn our_own_network_takes_the_incidents_that_were_due_to_it() {
    let history = start(None);
    history.record(&opened(upstream()));
    advance(Duration::from_secs(5)).await;
    history.record(&Event::HealthChanged(HealthChange::NetworkLost));
    let all = incidents(&history).await;
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0].upstream, None);
    advance(MINUTE).await;
    history.record(&Event::HealthChanged(HealthChange::NetworkBack));
    assert!(incidents(&history).await[0].ended_at.is_some());
}
