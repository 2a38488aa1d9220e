//! Who comes first, and who should have.

use std::sync::Arc;

use super::{FAILURE, Force, HOUR, LIMITED, MODEL, REFUSED, SHAPE, Two, candidate};
use crate::config::Strategy;
use crate::failover::decisions::decide::Tried;
use crate::failover::decisions::order::Order;
use crate::failover::decisions::plan::AttemptPlan;
use crate::failover::decisions::routing_request::RoutingRequest;
use crate::failover::decisions::skip::SkipReason;
use crate::health::{Health, Permit};
use crate::outcome::Outcome;
use crate::request::Endpoint;

impl Two {
    /// Two candidates of the same tier.
    fn alike() -> Self {
        let mut two = Self::new();
        for candidate in &mut two.rule.candidates {
            candidate.tier = 1;
        }
        two
    }

    /// The candidates for a conversation, in order.
    fn ordered(&self, session: u64) -> Vec<String> {
        let request = RoutingRequest::new(Endpoint::ChatCompletions, MODEL, session);
        let mut order = Order::new(&self.rule, request, || 0.5);
        let names = std::iter::from_fn(|| order.next());
        names
            .map(|fit| fit.candidate.upstream.id().to_string())
            .collect()
    }
}

#[test]
fn a_conversation_stays_and_conversations_are_shared_by_weight() {
    let mut two = Two::alike();
    two.rule.candidates[0].weight = 3;
    let first = |session: u64| two.ordered(session).swap_remove(0);
    let sessions = 0..1000_u64;
    assert!(sessions.clone().all(|one| first(one) == first(one)));
    let at_b = sessions.filter(|session| first(*session) == "b").count();
    assert!((200..300).contains(&at_b), "{at_b} of 1000");
}

#[test]
fn whoever_shares_a_domain_with_one_that_failed_comes_after_the_others() {
    let mut three = Two::alike();
    let health = Health::new(three.now);
    let mut other = candidate(&health, "c", 1);
    other.tier = 1;
    three.rule.candidates.push(other);
    let domains = ["here", "here", "elsewhere"];
    for (candidate, domain) in three.rule.candidates.iter_mut().zip(domains) {
        candidate.domain = Some(domain.into());
    }
    let is_before = |three: &Two, one: &str, other: &str| {
        let place = |names: &[String], name| names.iter().position(|one| one == name);
        let sessions = (0..40).map(|session| three.ordered(session));
        let before = sessions.filter(|names| place(names, one) < place(names, other));
        before.count()
    };
    assert!((1..40).contains(&is_before(&three, "c", "a")));
    three.trip(1);
    assert_eq!(is_before(&three, "c", "a"), 40);
    assert_eq!(is_before(&three, "b", "a"), 40, "no other one has failed");
    assert!((1..40).contains(&is_before(&three, "c", "b")));
}

#[test]
fn by_latency_the_less_loaded_one_comes_first_and_a_weight_is_worth_as_much() {
    let mut two = Two::alike();
    two.rule.strategy = Strategy::Latency;
    assert_eq!(two.ordered(0), ["a", "b"]);
    let model = Arc::clone(&two.rule.candidates[0].health);
    let in_flight: Vec<Permit> = (0..3).map(|_| model.admit(0, two.now).unwrap()).collect();
    assert_eq!(two.ordered(0), ["b", "a"]);
    two.rule.candidates[0].weight = 8;
    assert_eq!(two.ordered(0), ["a", "b"]);
    drop(in_flight);
    assert_eq!(two.ordered(0), ["a", "b"]);
}

#[test]
fn the_first_choice_is_the_first_one_that_could_have_answered() {
    let two = Two::new();
    let mut plan = two.plan();
    let preferred = |plan: &AttemptPlan<'_>, choice| {
        let preferred = plan.preferred_to(choice);
        preferred.map(|(scope, why)| (scope.upstream.to_string(), why))
    };
    assert!(plan.is_first_choice(0) && !plan.is_first_choice(1));
    assert_eq!(preferred(&plan, 0), None);
    two.attempt(&mut plan, 0, &FAILURE);
    assert!(!plan.is_first_choice(1));
    assert_eq!(preferred(&plan, 1), Some(("a".to_owned(), None)));
}

#[test]
fn a_client_that_tries_again_gets_the_next_one_and_the_order_is_what_it_was() {
    let two = Two::new();
    for retries in [1, 3] {
        let mut request = RoutingRequest::new(Endpoint::ChatCompletions, MODEL, 0);
        request.retries = retries;
        let order = Order::new(&two.rule, request, || 0.5);
        let mut plan = AttemptPlan::new(order, &two.memory);
        assert_eq!(plan.untried(two.now), Some(0));
        let (target, permit) = plan.admit(0, Force::Never, two.now).unwrap();
        assert_eq!(target.candidate.upstream.id().as_ref(), "b");
        drop(permit);
        assert!(!plan.is_first_choice(0) && plan.is_first_choice(1));
        plan.started(0, two.now);
        // Nobody is to blame for that.
        assert!(plan.preferred_to(0).is_none() && plan.preferred_to(1).is_none());
    }
}

#[test]
fn who_was_in_a_cooldown_when_another_one_was_asked_was_skipped_for_that() {
    let mut two = Two::new();
    two.rule.candidates.swap(0, 1);
    two.rule.candidates[0].tier = 0;
    two.play(0, &LIMITED, 0.0);
    let mut plan = two.plan();
    two.attempt(&mut plan, 1, &Outcome::Success);
    let why = |plan: &AttemptPlan<'_>| plan.preferred_to(1).unwrap().1;
    assert_eq!(why(&plan), Some(SkipReason::RateLimited));
    // Whatever becomes of it meanwhile.
    assert!(plan.admit(0, Force::Never, two.now + HOUR).is_some());
    assert_eq!(why(&plan), Some(SkipReason::RateLimited));
}

#[test]
fn who_has_a_free_key_is_not_skipped_for_another_one() {
    let mut two = Two::new();
    two.play(0, &LIMITED, 0.0);
    let plan = two.plan();
    let end = [SkipReason::NoTime, SkipReason::NoTime];
    assert_eq!(super::reasons(&plan, two.now), end);
}

#[test]
fn who_has_not_been_asked_and_is_open_is_asked_at_once() {
    let two = Two::new();
    let now = two.now;
    let mut plan = two.plan();
    assert_eq!(plan.untried(now), Some(0));
    two.attempt(&mut plan, 0, &FAILURE);
    assert_eq!(plan.untried(now), Some(1));
    two.attempt(&mut plan, 1, &REFUSED);
    assert_eq!(plan.untried(now), None);
    let mut other = Two::new();
    other.trip(0);
    assert_eq!(other.plan().untried(other.now), Some(1));
}

#[test]
fn what_is_too_long_for_one_is_not_sent_to_whoever_takes_no_more() {
    for (window, is_left) in [
        (Some(1000), false),
        (Some(999), false),
        (Some(1001), true),
        (None, true),
    ] {
        let mut two = Two::new();
        let windows = [Some(1000), window];
        for (candidate, window) in two.rule.candidates.iter_mut().zip(windows) {
            candidate.knowledge = super::knowledge(window);
        }
        let mut plan = two.plan();
        two.attempt(&mut plan, 0, &Outcome::TooLong { status: 400 });
        let tried = plan.choices(SHAPE, HOUR, two.now)[1].tried;
        assert_eq!(tried == Tried::Not, is_left, "{window:?}");
        assert_eq!(plan.skipped(SkipReason::NoTime, two.now).len(), 1);
    }
}
