//! Some upstreams are out of service, and others are well: everybody is asked before a request is given up.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};

use super::{AT_A_TIME, CHAT, Clients, before, calls, upstreams};
use crate::harness::{Answered, Setup, TestGateway, chat, refusal};

#[tokio::test]
async fn when_three_of_five_refuse_connections_nobody_notices() {
    let refuses = || Script::fault(Fault::Refuse);
    let well = Script::healthy;
    let simulators = upstreams(&[refuses(), refuses(), refuses(), well(), well()]).await;
    let gateway = before(&simulators).await;
    let answers = Clients::default().are_all_answered(&gateway, 16).await;
    let first = [
        "first:connect_refused",
        "second:connect_refused",
        "third:connect_refused",
        "fourth:ok",
    ];
    assert_eq!(answers[0].trail(), first);
    assert!(
        answers
            .iter()
            .all(|answered| answered.upstream() == "fourth")
    );
    assert_eq!(
        (calls(&simulators), simulators[3].received_count()),
        (16, 16)
    );
}

#[tokio::test]
async fn when_four_of_five_are_overloaded_nobody_notices() {
    for is_streamed in [false, true] {
        let overloaded = || Script::status(503);
        let scripts = [
            overloaded(),
            overloaded(),
            overloaded(),
            overloaded(),
            Script::healthy(),
        ];
        let simulators = upstreams(&scripts).await;
        let gateway = before(&simulators).await;
        let clients = Clients::default().streamed(is_streamed);
        let answers = clients.are_all_answered(&gateway, 40).await;
        assert!(
            answers
                .iter()
                .all(|answered| answered.upstream() == "fifth")
        );
        assert_eq!(answers[0].trail().len(), 5);
        // Those that fail are soon left alone.
        assert!(calls(&simulators) <= 84, "{} calls", calls(&simulators));
    }
}

#[tokio::test]
async fn limits_and_a_refused_key_do_not_keep_a_request_from_the_last_one() {
    let after = Duration::from_secs(30);
    let limited = || Script::fault(Fault::RateLimited { after });
    let scripts = [limited(), limited(), Script::status(401), Script::healthy()];
    let simulators = upstreams(&scripts).await;
    let gateway = before(&simulators).await;
    let answers = Clients::default().are_all_answered(&gateway, 20).await;
    let first = [
        "first:rate_limited",
        "second:rate_limited",
        "third:unauthorized",
        "fourth:ok",
    ];
    assert_eq!(answers[0].trail(), first);
    assert_eq!(simulators[3].received_count(), 20);
    // After the first round it is known that nothing is to be had from the others for the time being.
    for simulator in &simulators[..3] {
        let count = simulator.received_count();
        assert!(count <= AT_A_TIME, "{}: {count} calls", simulator.name());
    }
}

#[tokio::test]
async fn a_request_is_answered_as_long_as_one_key_is_good() {
    let refused = ["one", "two", "three", "four"];
    let mut script = Script::status(401);
    for key in refused {
        script = script.with_only_key(key);
    }
    let simulators = upstreams(&[script]).await;
    let gateway = Setup::new()
        .upstream_as(
            &simulators[0],
            "provider: openai-compatible, api_keys: [one, two, three, four, five]",
        )
        .start()
        .await;
    // Whichever key's turn it is.
    Clients::default().are_all_answered(&gateway, 20).await;
    let received = simulators[0].received();
    let count = |key: &str| {
        let bearer = format!("Bearer {key}");
        let with = |request: &&backstop::simulator::Received| {
            request.header("authorization") == Some(&bearer)
        };
        received.iter().filter(with).count()
    };
    assert_eq!(count("five"), 20);
    for key in refused {
        assert!(count(key) <= AT_A_TIME, "{key}: {} calls", count(key));
    }
}

/// A request costs little more than one call when nobody can answer it.
#[tokio::test]
async fn when_all_are_dead_they_are_soon_left_alone() {
    let simulators = upstreams(&[Script::status(503), Script::status(503)]).await;
    let gateway = before(&simulators).await;
    let clients = Clients::default().telling("x-backstop-timeout", Duration::from_secs(1));
    let mut statuses = Vec::new();
    for answer in clients.ask(&gateway, 40).await {
        statuses.push(answer.map(|answered| answered.status));
    }
    assert_eq!(
        statuses,
        [Some(503); 40],
        "each client is told before it leaves"
    );
    assert!(calls(&simulators) <= 52, "{} calls", calls(&simulators));
}

/// A gateway before two upstreams whose names nobody resolves, as in a network that is lost, and before these.
async fn cut_off_from_two(others: &[Simulator]) -> TestGateway {
    let keys = "provider: openai-compatible, api_key: k";
    let mut setup = Setup::new()
        .upstream_at("first", "http://first.invalid/v1", keys)
        .upstream_at("second", "http://second.invalid/v1", keys);
    for other in others {
        setup = setup.upstream(other);
    }
    setup.lines("timeouts: {wait: 0s}").start().await
}

fn asked(answered: &Answered) -> Vec<String> {
    let trail = answered.trail().into_iter();
    let upstream = |entry: String| entry.split(':').next().unwrap().to_owned();
    trail.map(upstream).collect()
}

#[tokio::test]
async fn while_our_own_network_is_lost_a_request_fails_after_one_attempt() {
    let gateway = cut_off_from_two(&[]).await;
    for expected in [&["first", "second"][..], &["first"], &["first"]] {
        let answered = gateway.post(CHAT, &chat()).await;
        let error = refusal(&answered, 503, "local_network_unreachable");
        assert_eq!(asked(&answered), expected, "{error}");
        let message = error["message"].as_str().unwrap();
        let says_why = message.contains("second: not asked, our own network is lost");
        assert_eq!(says_why, expected.len() == 1, "{message}");
    }
}

#[tokio::test]
async fn who_is_reached_without_the_network_that_is_lost_answers() {
    let third = [Simulator::start("third", Script::healthy()).await.unwrap()];
    let gateway = cut_off_from_two(&third).await;
    for _ in 0..3 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.upstream(), "third", "{:?}", answered.body);
    }
}
