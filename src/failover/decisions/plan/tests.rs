//! Plans with candidates whose health the test decides.

mod order;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{AttemptPlan, Force};
use crate::catalogue::{Dialect, KeyHeader, Provider};
use crate::config::{
    CapabilitiesConfig, Continuation, Refusals, Secret, Strategy, TimeoutsConfig, UpstreamId,
};
use crate::dialect::UpstreamApi;
use crate::failover::decisions::decide::{Door, Tried};
use crate::failover::decisions::order::Order;
use crate::failover::decisions::routing_request::RoutingRequest;
use crate::failover::decisions::skip::SkipReason;
use crate::health::{AdmissionPreview, Health, Shape};
use crate::outcome::{Outcome, Unreachable};
use crate::request::Endpoint;
use crate::routing::{Candidate, DoesWithout, Knowledge, ModelRules, Pattern, Rule};
use crate::upstream::{Client, Connector, Credential, Key, Upstream};
use crate::wire::memory::Memory;
use crate::wire::tls::unused;

const MODEL: &str = "gpt-4o";
const FAILURE: Outcome = Outcome::ServerError { status: 500 };
const LIMITED: Outcome = Outcome::RateLimited {
    status: 429,
    retry_after: None,
    is_daily: false,
};
const REFUSED: Outcome = Outcome::Unauthorized { status: 401 };
const SHAPE: Shape = Shape {
    is_streamed: true,
    size: 100,
};
const HOUR: Duration = Duration::from_secs(3600);

/// Two candidates, `a` with two keys before `b` with one.
struct Two {
    rule: Rule,
    memory: Memory,
    now: Instant,
}

impl Two {
    fn new() -> Self {
        let now = Instant::now();
        let health = Health::new(now);
        Self {
            rule: Rule {
                pattern: Pattern::new(MODEL),
                route: MODEL.into(),
                strategy: Strategy::Weighted,
                is_hedged: false,
                continuation: Continuation::Off,
                hold: None,
                refusals: Refusals::default(),
                total: HOUR,
                wait: HOUR,
                candidates: vec![candidate(&health, "a", 2), candidate(&health, "b", 1)],
            },
            memory: Memory::new(1 << 20),
            now,
        }
    }

    fn plan(&self) -> AttemptPlan<'_> {
        let request = RoutingRequest::new(Endpoint::ChatCompletions, MODEL, 0);
        let order = Order::new(&self.rule, request, fastrand::f64);
        let mut plan = AttemptPlan::new(order, &self.memory);
        plan.complete();
        plan
    }

    /// Makes an attempt at a candidate, which ends in this way.
    fn attempt(&self, plan: &mut AttemptPlan<'_>, choice: usize, outcome: &Outcome) {
        let (_, permit) = plan.admit(choice, Force::LastResort, self.now).unwrap();
        plan.started(choice, self.now);
        permit.finish(outcome, self.now);
        plan.failed(choice, outcome, self.now);
    }

    /// Lets requests of others to a candidate end in this way, until health does not simply admit them.
    fn play(&mut self, choice: usize, outcome: &Outcome, seconds: f64) {
        let model = &self.rule.candidates[choice].health;
        for _ in 0..1000 {
            let Ok(mut permit) = model.admit(0, self.now) else {
                return;
            };
            if *outcome == Outcome::Success {
                permit.answered(SHAPE, HOUR, self.now);
            }
            permit.finish(outcome, self.now);
            model.demanded(self.now);
            self.now += Duration::from_secs_f64(seconds);
            if let AdmissionPreview::SlowStart { .. } = model.preview(0, self.now) {
                return;
            }
        }
    }

    /// Takes a candidate out of rotation.
    fn trip(&mut self, choice: usize) {
        self.play(choice, &FAILURE, 0.0);
    }
}

fn candidate(health: &Health, name: &str, keys: usize) -> Candidate {
    let id = UpstreamId::from(name);
    let key = |number| {
        let key = Secret::from(format!("key-{number}"));
        Key::Fixed(Credential::new(&key, KeyHeader::Bearer).unwrap())
    };
    let tls = unused().unwrap();
    let url = "http://127.0.0.1";
    let connector = Connector::to(url.parse().unwrap(), tls, Duration::ZERO);
    let upstream = Upstream::new(
        id.clone(),
        UpstreamApi::new(Dialect::OpenAi),
        url,
        (0..keys).map(key).collect(),
        Client::new(connector),
    );
    Candidate {
        number: Candidate::number_of(&id, None),
        upstream: Arc::new(upstream),
        model: None,
        knowledge: knowledge(None),
        // `a` has two keys, and comes first.
        tier: 3 - keys as u32,
        weight: 1,
        domain: None,
        timeouts: Arc::new(TimeoutsConfig::default()),
        does_without: DoesWithout::default(),
        health: health.model(&id, &MODEL.into(), keys),
    }
}

/// What is known of a model, of which the configuration says how long its context window is.
fn knowledge(context_window: Option<u32>) -> Knowledge {
    let openai = Provider::all().find(|provider| provider.name() == "openai");
    let said = CapabilitiesConfig {
        context_window,
        ..CapabilitiesConfig::default()
    };
    Knowledge::of(openai.unwrap(), None, said, ModelRules::default())
}

fn doors(plan: &mut AttemptPlan<'_>, wait: Duration, now: Instant) -> Vec<Door> {
    let choices = plan.choices(SHAPE, wait, now);
    choices.iter().map(|choice| choice.door).collect()
}

fn reasons(plan: &AttemptPlan<'_>, now: Instant) -> Vec<SkipReason> {
    let skipped = plan.skipped(SkipReason::NoTime, now);
    skipped.iter().map(|skipped| skipped.reason).collect()
}

/// 100 ms at most, and twice as long each time, up to 2 s; the draw is random.
#[test]
fn whoever_fails_again_is_asked_again_later_and_later() {
    let two = Two::new();
    let mut longest = [Duration::ZERO; 6];
    for _ in 0..64 {
        let mut plan = two.plan();
        for longest in &mut longest {
            two.attempt(&mut plan, 0, &FAILURE);
            let choice = plan.choices(SHAPE, HOUR, two.now)[0];
            let Tried::Again { not_before, .. } = choice.tried else {
                panic!("{choice:?}");
            };
            assert!(not_before >= two.now);
            *longest = (*longest).max(not_before - two.now);
        }
    }
    let [first, .., last] = longest;
    assert!(first <= Duration::from_millis(100), "{first:?}");
    assert!(last > Duration::from_secs(1), "{last:?}");
    assert!(last <= Duration::from_secs(2), "{last:?}");
}

#[test]
fn each_key_is_asked_once_and_one_that_is_put_back_again() {
    let two = Two::new();
    let mut plan = two.plan();
    let (target, permit) = plan.admit(0, Force::Never, two.now).unwrap();
    plan.started(0, two.now);
    assert_eq!(target.blocked_until(two.now), None);
    permit.finish(&LIMITED, two.now);
    assert!(target.back_at(two.now) > two.now);
    plan.failed(0, &LIMITED, two.now);
    let (other, permit) = plan.admit(0, Force::Never, two.now).unwrap();
    assert_ne!(other.key, target.key);
    plan.started(0, two.now);
    permit.finish(&LIMITED, two.now);
    plan.failed(0, &LIMITED, two.now);
    assert!(plan.admit(0, Force::LastResort, two.now).is_none());
    let of_a = doors(&mut plan, HOUR, two.now)[0];
    assert!(matches!(of_a, Door::CoolingDown { until } if until > two.now));
    assert!(plan.admit(1, Force::Never, two.now).is_some());
    assert!(plan.admit(1, Force::Never, two.now).is_none());
    plan.put_back(1);
    assert!(plan.admit(1, Force::Never, two.now).is_some());
}

#[test]
fn a_key_that_is_free_comes_before_any_that_was_limited_and_a_refused_one_never_again() {
    let (two, other) = (Two::new(), Two::new());
    let refused = Outcome::Unauthorized { status: 401 };
    let tried = |plan: &mut AttemptPlan<'_>| plan.choices(SHAPE, HOUR, two.now)[0].tried;
    let mut plan = two.plan();
    two.attempt(&mut plan, 0, &LIMITED);
    assert_eq!(tried(&mut plan), Tried::Not);
    two.attempt(&mut plan, 0, &refused);
    assert!(matches!(tried(&mut plan), Tried::Again { calls: 2, .. }));
    let mut plan = other.plan();
    other.attempt(&mut plan, 0, &refused);
    assert_eq!(tried(&mut plan), Tried::Not);
    other.attempt(&mut plan, 0, &refused);
    assert_eq!(tried(&mut plan), Tried::No);
}

#[test]
fn who_has_just_gone_out_is_so_for_less_than_any_wait() {
    let mut two = Two::new();
    two.trip(0);
    let mut plan = two.plan();
    for (wait, is_fresh) in [(Duration::ZERO, false), (HOUR, true)] {
        let out = Door::Out { is_fresh };
        assert_eq!(doors(&mut plan, wait, two.now), [out, Door::Open]);
    }
    let expected = [SkipReason::OutOfRotation, SkipReason::NoTime];
    assert_eq!(reasons(&plan, two.now), expected);
}

#[test]
fn who_lets_others_through_may_let_this_one_through_soon() {
    let mut two = Two::new();
    two.play(0, &Outcome::Success, 0.1);
    two.trip(0);
    let pause = two.rule.candidates[0].health.blocked_until(0, two.now);
    two.now = pause.unwrap();
    two.play(0, &Outcome::Success, 0.0);
    let mut plan = two.plan();
    assert_eq!(doors(&mut plan, HOUR, two.now)[0], Door::Open);
    let mut draws = 0;
    while plan.admit(0, Force::Never, two.now).is_some() {
        plan.put_back(0);
        draws += 1;
        assert!(draws < 1000, "everybody is admitted");
    }
    let out = |is_fresh| Door::Out { is_fresh };
    assert_eq!(doors(&mut plan, Duration::ZERO, two.now)[0], out(true));
    assert_eq!(reasons(&plan, two.now)[0], SkipReason::OutOfRotation);
    two.attempt(&mut plan, 1, &Outcome::ModelUnavailable { status: 404 });
    // It fails those that it lets through.
    let model = &two.rule.candidates[0].health;
    for _ in 0..1000 {
        match model.admit(0, two.now) {
            Ok(permit) => drop(permit.finish(&FAILURE, two.now)),
            Err(_) if model.is_out() => break,
            Err(_) => {}
        }
    }
    assert_eq!(doors(&mut plan, Duration::ZERO, two.now)[0], out(false));
    assert_eq!(doors(&mut plan, HOUR, two.now)[0], out(true));
}

#[test]
fn a_lost_network_is_to_blame_only_where_somebody_was_asked() {
    let two = Two::new();
    let gone = Outcome::Unreachable(Unreachable::Other);
    let mut plan = two.plan();
    for choice in [0, 1] {
        two.attempt(&mut plan, choice, &gone);
    }
    assert!(plan.is_network_lost());
    let mut other = two.plan();
    assert!(!other.is_network_lost());
    for (wait, is_fresh) in [(Duration::ZERO, false), (HOUR, true)] {
        let out = Door::Out { is_fresh };
        assert_eq!(doors(&mut other, wait, two.now), [out, out]);
    }
    assert_eq!(reasons(&other, two.now), [SkipReason::NetworkLost; 2]);
}

#[test]
fn a_retry_makes_sense_when_one_of_those_is_back_who_could_answer() {
    let two = Two::new();
    let mut plan = two.plan();
    two.attempt(&mut plan, 1, &Outcome::Unauthorized { status: 401 });
    assert_eq!(
        plan.retry_in(two.now),
        Some(Duration::ZERO),
        "`a` was not asked"
    );
    for _ in 0..2 {
        two.attempt(&mut plan, 0, &Outcome::Unauthorized { status: 401 });
    }
    assert!(plan.retry_in(two.now).unwrap() > Duration::ZERO);
    let two = Two::new();
    let mut plan = two.plan();
    two.attempt(&mut plan, 0, &Outcome::TooLong { status: 400 });
    assert_eq!(reasons(&plan, two.now), [SkipReason::TooSmall]);
    assert_eq!(plan.retry_in(two.now), None);
}
