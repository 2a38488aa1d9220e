//! What figures and incidents mean, on a clock that is moved.

mod incidents;
mod kept;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, advance};

use super::ledger::Ledger;
use super::recorder::Sealed;
use super::subject::Subject;
use super::{Counts, History, Incident, Span, WINDOWS};
use crate::event::{
    AttemptReport, ClientLimit, Event, FailedAt, HealthChange, InPlaceOf, Phase, RequestReport,
    RequestResult, ScopeId, Sink, Tokens,
};
use crate::outcome::Outcome;
use crate::request::{Endpoint, RequestId};

const MINUTE: Duration = Duration::from_secs(60);
const OVERLOADED: Outcome = Outcome::Overloaded {
    status: 503,
    retry_after: None,
};

fn upstream() -> ScopeId {
    ScopeId {
        upstream: "openai".into(),
        model: None,
    }
}

fn model() -> ScopeId {
    ScopeId {
        model: Some("gpt-4o".into()),
        ..upstream()
    }
}

fn start(folder: Option<&Path>) -> History {
    let history = History::start(folder);
    history.adopt(&["openai".into()], &[model()]);
    history
}

fn attempt(outcome: Outcome, millis: u64) -> Event {
    let elapsed = Duration::from_millis(millis);
    Event::AttemptFinished {
        request: RequestId::random(),
        is_traced: false,
        report: AttemptReport {
            number: 1,
            upstream: "openai".into(),
            key: 0,
            model: None,
            scope_model: Some("gpt-4o".into()),
            phase: Phase::Normal,
            detail: (outcome != Outcome::Success).then(|| format!("no room {}", "x".repeat(400))),
            outcome,
            elapsed,
            first_token: Some(elapsed),
            tokens: None,
        },
    }
}

fn request(result: RequestResult) -> RequestReport {
    let is_answered = result == RequestResult::Answered;
    let failed_by = match is_answered {
        true => Vec::new(),
        false => vec!["openai".into()],
    };
    RequestReport {
        id: RequestId::random(),
        trace: None,
        client: None,
        route: None,
        endpoint: Endpoint::ChatCompletions,
        status: 200,
        result,
        attempts: 1,
        served_by: Some("openai".into()),
        model: None,
        in_place_of: None,
        out_at: Vec::new(),
        failed_at: failed_by.iter().map(|_| failed()).collect(),
        failed_by,
        failure: None,
        refusal: None,
        limit: None,
        first_byte: None,
        first_token: None,
        total: Duration::from_millis(10),
        tokens: None,
        added: None,
    }
}

fn failed() -> FailedAt {
    FailedAt {
        scope: model(),
        outcome: OVERLOADED.label(),
    }
}

fn moved() -> RequestReport {
    RequestReport {
        in_place_of: Some(InPlaceOf {
            upstream: "openai".into(),
            model: Some("gpt-4o".into()),
            reason: "overloaded",
            is_passed_over: false,
        }),
        failed_at: vec![failed()],
        served_by: Some("claude".into()),
        ..request(RequestResult::Answered)
    }
}

/// Answered by somebody else, because the upstream is out of rotation.
fn skipped() -> RequestReport {
    RequestReport {
        in_place_of: Some(InPlaceOf {
            upstream: "openai".into(),
            model: Some("gpt-4o".into()),
            reason: "out_of_rotation",
            is_passed_over: true,
        }),
        served_by: Some("claude".into()),
        ..request(RequestResult::Answered)
    }
}

fn opened(scope: ScopeId) -> Event {
    Event::HealthChanged(HealthChange::Opened {
        scope,
        cause: "failures",
        retry_in: Duration::from_secs(1),
    })
}

fn healed(scope: ScopeId) -> Event {
    Event::HealthChanged(HealthChange::Healed {
        scope,
        cause: "failures",
    })
}

/// The counts of a window: what clients had, and the upstream with its model.
async fn counts(history: &History, window: &str) -> [Counts; 3] {
    let place = WINDOWS.iter().position(|(name, _)| *name == window);
    let place = place.unwrap();
    let mut said = history.availability().await.unwrap();
    let upstream = said.upstreams.remove(0);
    let model = &upstream.models[0].1;
    [&said.clients, &upstream.whole, model].map(|windows| windows[place].clone())
}

async fn incidents(history: &History) -> Vec<Incident> {
    history.incidents(0).await.unwrap()
}

/// 10 June 2025: a quarter of all requests failed for 15 hours. That is little of 90 days by requests, and more by the time
/// that was affected.
#[tokio::test(start_paused = true)]
async fn the_tenth_of_june_is_told_by_requests_and_by_time() {
    let history = start(None);
    let fine = Event::RequestFinished(request(RequestResult::Answered));
    let broken = Event::RequestFinished(request(RequestResult::Failed));
    let minutes = 90 * 24 * 60;
    for minute in 0..minutes {
        let is_bad = (60_000..60_000 + 15 * 60).contains(&minute);
        for _ in 0..3 {
            history.record(&fine);
        }
        history.record(if is_bad { &broken } else { &fine });
        advance(MINUTE).await;
        if minute % 1440 == 0 {
            // The thread keeps up.
            history.tick(Instant::now(), &[], false);
            history.availability().await.unwrap();
        }
    }
    let [clients, upstream, _] = counts(&history, "90d").await;
    assert_eq!(clients.requests, minutes * 4);
    assert_eq!(clients.failed, 900);
    assert_eq!(clients.by_requests(), Some(99.8263));
    assert_eq!(clients.by_time(), Some(99.3055));
    assert!(upstream.is_empty(), "{upstream:?}");
    assert_eq!(counts(&history, "7d").await[0].by_time(), Some(100.0));
    let series = history.series(Span::Quarter).await.unwrap();
    let failed: Vec<u64> = series
        .clients
        .iter()
        .map(|(_, counts)| counts.failed)
        .collect();
    assert_eq!(failed.len(), 90);
    assert_eq!(failed.iter().sum::<u64>(), 900);
    assert!(failed.iter().filter(|count| **count > 0).count() <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_window_forgets_what_is_older_and_failures_do_not_make_it_quicker() {
    let history = start(None);
    history.record(&attempt(Outcome::Success, 4000));
    history.record(&attempt(OVERLOADED, 5));
    history.record(&attempt(Outcome::Superseded, 5));
    let [clients, upstream, model] = counts(&history, "1m").await;
    assert!(clients.is_empty());
    assert_eq!(
        (upstream.requests, upstream.failed, upstream.gone),
        (2, 1, 1)
    );
    assert_eq!(upstream, model);
    assert!(upstream.total.quantiles().unwrap().p50 > 3800);
    advance(MINUTE * 3).await;
    assert!(counts(&history, "1m").await[1].is_empty());
    assert_eq!(counts(&history, "5m").await[1].requests, 2);
    advance(MINUTE * 60 * 25).await;
    assert!(counts(&history, "24h").await[1].is_empty());
    assert_eq!(counts(&history, "7d").await[1].requests, 2);
    advance(MINUTE * 60 * 24 * 92).await;
    history.tick(Instant::now(), &[], false);
    assert!(counts(&history, "90d").await[1].is_empty());
}

#[tokio::test(start_paused = true)]
async fn minutes_out_of_rotation_are_lost_where_somebody_asked() {
    let history = start(None);
    let out = [(upstream(), "failures")];
    history.tick(Instant::now(), &[], false);
    history.record(&opened(upstream()));
    for minute in 0..10 {
        if minute < 4 {
            history.record(&Event::RequestFinished(skipped()));
        }
        advance(MINUTE).await;
        history.tick(Instant::now(), &out, false);
    }
    let [clients, upstream, model] = counts(&history, "1h").await;
    assert_eq!((clients.requests, clients.saved), (4, 4));
    assert_eq!((upstream.time.minutes, upstream.skipped), (4, 4));
    assert_eq!((upstream.requests, upstream.by_requests()), (0, None));
    assert_eq!(upstream.by_time(), Some(0.0));
    assert_eq!(model.by_time(), Some(0.0), "its upstream is out");
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_figures_and_goes_on_with_an_incident() {
    let folder = tempfile::tempdir().unwrap();
    let history = start(Some(folder.path()));
    history.record(&attempt(OVERLOADED, 10));
    history.record(&opened(upstream()));
    drop(history);

    let history = start(Some(folder.path()));
    history.record(&attempt(OVERLOADED, 10));
    let all = incidents(&history).await;
    assert_eq!(all.len(), 1);
    assert!(all[0].ended_at.is_some(), "it may be over");
    history.record(&opened(upstream()));
    let all = incidents(&history).await;
    assert_eq!((all.len(), all[0].ended_at), (1, None), "{all:#?}");
    assert_eq!(all[0].damage.requests, 2);
    let said = history.availability().await.unwrap();
    assert_eq!(said.trouble, None);
    for window in said.upstreams[0].whole.iter().skip(1) {
        assert_eq!((window.requests, window.failed), (2, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_file_is_moved_aside_and_an_unusable_folder_costs_only_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.redb");
    std::fs::write(&path, "no database").unwrap();
    let history = start(Some(folder.path()));
    history.record(&attempt(Outcome::Success, 10));
    assert_eq!(counts(&history, "1h").await[1].requests, 1);
    assert!(folder.path().join("history.redb.damaged-1").exists());
    assert_eq!(history.availability().await.unwrap().trouble, None);

    // The file is held by the first one.
    let second = start(Some(folder.path()));
    second.record(&attempt(OVERLOADED, 10));
    second.record(&opened(upstream()));
    second.tick(Instant::now(), &[(upstream(), "failures")], false);
    assert_eq!(counts(&second, "90d").await[1].failed, 1);
    assert_eq!(incidents(&second).await.len(), 1);
    assert!(second.availability().await.unwrap().trouble.is_some());
}

/// The last minute of ninety days.
const LAST: u64 = 90 * 1440;

/// What is kept of ninety days in which these subjects had the same counts in each minute.
fn ninety_days(subjects: RangeInclusive<u64>, counts: &Counts) -> Ledger {
    let mut ledger = Ledger::new(None);
    let day = 1440;
    // An hour of a day makes the same rows as all its hours, where those are forgotten.
    let old = (0..81 * day).step_by(1440);
    let hours = (81 * day..LAST - 120).step_by(60);
    for minute in old.chain(hours).chain(LAST - 120..=LAST) {
        let sealed = subjects.clone().map(|subject| Sealed {
            minute,
            subject: Subject(subject),
            counts: counts.clone(),
        });
        ledger.take(sealed.collect(), BTreeMap::new());
        ledger.keep();
        ledger.prune(minute);
    }
    ledger
}

/// Twenty upstreams with two models each, for 90 days without a file: what is held in memory. With a file it is a minute
/// of them, and a cache of one MiB.
#[test]
fn ninety_days_of_sixty_subjects_fit_in_eight_mebibytes() {
    let mut one = Counts {
        requests: 1000,
        failed: 12,
        ..Counts::default()
    };
    one.failures.note("overloaded", 9);
    one.failures.note("connection_lost", 3);
    for millis in 0..20_u64 {
        one.first_token
            .note(Duration::from_millis(200 + 31 * millis));
        one.total.note(Duration::from_millis(900 + 217 * millis));
    }
    let mut ledger = ninety_days(0..=60, &one);
    assert!(ledger.sums(0, LAST).len() == 61);
    let held = ledger.held();
    assert!(held < 8 << 20, "{held}");
    assert!(held > 1 << 20, "the measure is wrong: {held}");
}

#[tokio::test(start_paused = true)]
async fn each_client_has_figures_and_those_behind_the_first_hundred_have_them_together() {
    let history = start(None);
    let names: Vec<Arc<str>> = (0..102).map(|number| format!("c{number}").into()).collect();
    history.adopt_clients(&names);
    let by = |name: &str, result| RequestReport {
        client: Some(name.into()),
        ..request(result)
    };
    for name in ["c0", "c99", "c100", "c101", "unknown"] {
        history.record(&Event::RequestFinished(by(name, RequestResult::Answered)));
    }
    history.record(&Event::RequestFinished(RequestReport {
        limit: Some(ClientLimit::Requests),
        ..by("c0", RequestResult::Rejected)
    }));
    let said = history.availability().await.unwrap();
    assert_eq!(said.by_client.len(), 101);
    for (place, name, requests, limited) in [
        (0, "c0", 1, 1),
        (1, "c1", 0, 0),
        (99, "c99", 1, 0),
        (100, "(others)", 2, 0),
    ] {
        let (client, windows) = &said.by_client[place];
        let counts = &windows[2];
        assert_eq!(&**client, name);
        assert_eq!(
            (counts.requests, counts.limited),
            (requests, limited),
            "{name}"
        );
    }
    assert_eq!(said.clients[2].requests, 5);

    history.adopt_clients(&names[..1]);
    let said = history.availability().await.unwrap();
    assert_eq!(said.by_client.len(), 1);
    assert_eq!(
        said.by_client[0].1[2].requests, 1,
        "a reload forgets nothing"
    );
}

/// A hundred clients that ask in every minute, for 90 days without a file.
#[test]
fn ninety_days_of_a_hundred_clients_fit_in_five_mebibytes() {
    let mut one = Counts::default();
    one.asked(&RequestReport {
        tokens: Some(Tokens {
            input: 1_000_000,
            cached: 100_000,
            output: 50_000,
        }),
        ..request(RequestResult::Answered)
    });
    let ledger = ninety_days(1..=101, &one);
    let held = ledger.held();
    assert!(held < 5 << 20, "{held}");
}
