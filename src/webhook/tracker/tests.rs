//! What is sent of outages, how often, and in which words.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Tracker;
use crate::config::NotifyFormat;
use crate::event::{AttemptReport, HealthChange, Phase, ScopeId};
use crate::outcome::Outcome;
use crate::webhook::message;
use crate::webhook::news::News;

/// A tracker, and its clock.
struct Clocked {
    tracker: Tracker,
    now: Instant,
}

impl Clocked {
    fn new() -> Self {
        Self {
            tracker: Tracker::default(),
            now: Instant::now(),
        }
    }

    fn out(&mut self, model: Option<&str>) {
        let retry_after = None;
        self.attempt(Outcome::Overloaded {
            status: 503,
            retry_after,
        });
        let change = HealthChange::Opened {
            scope: scope(model),
            cause: "failures",
            retry_in: Duration::from_secs(1),
        };
        self.tracker.health_changed(&change, self.now);
    }

    fn back(&mut self, model: Option<&str>) {
        let change = HealthChange::Healed {
            scope: scope(model),
            cause: "failures",
        };
        self.tracker.health_changed(&change, self.now);
    }

    fn attempt(&mut self, outcome: Outcome) {
        self.attempt_of("gpt", outcome);
    }

    fn attempt_of(&mut self, model: &str, outcome: Outcome) {
        let report = AttemptReport {
            number: 1,
            upstream: "openai".into(),
            key: 0,
            model: None,
            scope_model: Some(model.into()),
            phase: Phase::Normal,
            outcome,
            detail: None,
            elapsed: Duration::ZERO,
            first_token: None,
            tokens: None,
        };
        self.tracker.attempted(&report, self.now);
    }

    /// Lets time pass, second by second; returns what is sent meanwhile, without times of day.
    fn after(&mut self, seconds: u64) -> Vec<String> {
        let mut sent = Vec::new();
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            sent.extend(self.tracker.due(self.now).iter().map(News::text));
        }
        sent
    }
}

fn scope(model: Option<&str>) -> ScopeId {
    ScopeId {
        upstream: "openai".into(),
        model: model.map(Into::into),
    }
}

#[test]
fn an_outage_is_two_messages_whatever_its_trials() {
    let mut sent = Clocked::new();
    sent.out(None);
    assert_eq!(sent.after(1), ["openai is out of rotation (overloaded)."]);
    for _ in 0..20 {
        sent.out(None);
        assert!(sent.after(5).is_empty());
    }
    sent.back(None);
    assert_eq!(sent.after(1), ["openai is back, after 2 min."]);
    assert!(sent.after(1000).is_empty());
    assert!(!sent.tracker.is_anything_wrong(), "nothing is kept of it");
}

#[test]
fn what_comes_and_goes_is_summed_up() {
    let mut sent = Clocked::new();
    sent.out(None);
    sent.after(10);
    sent.back(None);
    sent.after(10);
    sent.out(None);
    let again = sent.after(1);
    assert_eq!(again.len(), 1);
    assert!(
        again[0].contains("again, for the 2nd time since 20"),
        "{again:?}"
    );
    for _ in 0..8 {
        sent.back(None);
        assert!(sent.after(20).is_empty());
        sent.out(None);
        assert!(sent.after(20).is_empty());
    }
    sent.back(None);
    let steady = sent.after(700);
    assert_eq!(steady.len(), 1, "{steady:?}");
    assert!(
        steady[0]
            .contains("openai is back, and has been so for 10 minutes. There were 10 such outages"),
        "{steady:?}"
    );
}

#[test]
fn an_outage_that_ended_without_a_word_is_over_and_one_of_nobody_is_forgotten() {
    let mut sent = Clocked::new();
    sent.out(Some("gpt"));
    let seen_at = sent.now;
    sent.after(9);
    let scope = scope(Some("gpt"));
    for (is_out, seen_at) in [(true, sent.now), (false, seen_at)] {
        let scopes = HashMap::from([(&scope, is_out)]);
        sent.tracker.compare(&scopes, seen_at, sent.now);
        assert!(sent.after(1).is_empty(), "it is out, and was seen before");
    }
    let scopes = HashMap::from([(&scope, false)]);
    sent.tracker.compare(&scopes, sent.now, sent.now);
    assert_eq!(sent.after(1), ["gpt at openai is back, after 11 s."]);

    sent.out(Some("gpt"));
    assert_eq!(sent.after(1).len(), 1);
    sent.tracker.compare(&HashMap::new(), sent.now, sent.now);
    assert!(sent.after(1).is_empty());
    assert!(!sent.tracker.is_anything_wrong(), "nothing is kept of it");
}

#[test]
fn the_models_of_an_upstream_that_is_out_are_part_of_its_outage() {
    let mut sent = Clocked::new();
    sent.out(Some("gpt"));
    sent.out(None);
    sent.out(Some("mini"));
    let both = sent.after(1);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].starts_with("gpt at openai is out"), "{both:?}");
    sent.back(None);
    sent.back(Some("gpt"));
    sent.back(Some("mini"));
    assert_eq!(sent.after(1), ["openai is back, after 1 s."]);
}

#[test]
fn clients_get_errors_when_several_requests_fail_and_until_none_does() {
    let mut sent = Clocked::new();
    let route: Arc<str> = "gpt".into();
    let by = ["openai".into(), "claude".into()];
    // One now and then is no outage.
    for _ in 0..5 {
        sent.tracker.failed(&route, &by, None, sent.now);
        assert!(sent.after(61).is_empty());
    }
    for _ in 0..30 {
        sent.tracker.failed(&route, &by, None, sent.now);
    }
    assert_eq!(
        sent.after(1),
        [
            "clients get errors: 3 requests of route gpt failed within a minute (failed by claude, openai)."
        ]
    );
    assert!(
        sent.after(100).is_empty(),
        "nobody knows whether it is over"
    );
    sent.tracker.answered(&route);
    assert_eq!(
        sent.after(2),
        ["clients of route gpt get answers again; 30 requests failed, after 2 min."]
    );
}

#[test]
fn what_somebody_has_to_see_to_is_told_once_and_when_it_is_done() {
    let mut sent = Clocked::new();
    for _ in 0..3 {
        sent.attempt(Outcome::Unauthorized { status: 401 });
    }
    assert_eq!(
        sent.after(1),
        ["openai refuses key 1: replace it, or allow it to be used."]
    );
    sent.attempt(Outcome::Success);
    assert_eq!(
        sent.after(1),
        ["openai answers with key 1 again, after 1 s."]
    );
    sent.after(1000);
    sent.attempt(Outcome::QuotaExhausted { status: 429 });
    assert_eq!(
        sent.after(1),
        ["openai has no money or quota left (key 1): top up the account."]
    );
    sent.attempt(Outcome::Success);
    let back = "openai answers with key 1 again, after 1 s.";
    assert_eq!(sent.after(1), [back], "the key was accepted all the time");
}

#[test]
fn a_missing_model_is_named_and_the_success_of_another_one_does_not_end_it() {
    let mut sent = Clocked::new();
    sent.attempt_of("gpt", Outcome::ModelUnavailable { status: 404 });
    sent.attempt_of("mini", Outcome::ModelUnavailable { status: 404 });
    // Somebody has asked for what does not exist.
    sent.attempt_of("o*", Outcome::ModelUnavailable { status: 404 });
    let missing = |model| format!("openai does not have the model {model}: name another one.");
    assert_eq!(sent.after(1), [missing("gpt"), missing("mini")]);
    sent.attempt_of("gpt", Outcome::Success);
    let back = "openai answers with key 1 for gpt again, after 1 s.";
    assert_eq!(sent.after(1), [back]);
}

#[test]
fn where_nobody_was_asked_clients_errors_have_the_reason() {
    let mut sent = Clocked::new();
    for _ in 0..3 {
        let cause = Some("rate_limited");
        sent.tracker.failed(&"gpt".into(), &[], cause, sent.now);
    }
    let said = sent.after(1);
    assert!(
        said[0].ends_with("(nobody could be asked: rate_limited)."),
        "{said:?}"
    );
}

#[test]
fn messages_have_the_form_that_the_receiver_wants() {
    let mut sent = Clocked::new();
    sent.out(Some("<gpt>"));
    sent.now += Duration::from_secs(2);
    let news = sent.tracker.due(sent.now);
    let slack = message::body(&news, NotifyFormat::Slack);
    assert_eq!(
        slack["text"],
        ":red_circle: &lt;gpt&gt; at openai is out of rotation (overloaded)."
    );
    let json = message::body(&news, NotifyFormat::Json);
    assert_eq!(
        (&json["version"], &json["source"]),
        (&1.into(), &"backstop".into())
    );
    let event = &json["events"][0];
    assert_eq!(event["kind"], "outage_began");
    assert_eq!(
        (&event["upstream"], &event["model"]),
        (&"openai".into(), &"<gpt>".into())
    );
    assert!(event["at"].as_str().unwrap().ends_with('Z'), "{event}");
    let many: Vec<_> = (0..50).flat_map(|_| news.clone()).collect();
    let text = message::body(&many, NotifyFormat::Slack)["text"].clone();
    assert!(text.as_str().unwrap().ends_with("And 30 more."), "{text}");
}
