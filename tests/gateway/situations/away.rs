//! Nobody can answer just now, but soon: a request waits for as long as its client does.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};

use super::{Clients, before, calls, failure, upstreams};
use crate::harness::{TestGateway, within};

const PATIENCE: Duration = Duration::from_secs(18);

/// Clients that wait for long, and tell so or not.
fn patient() -> [Clients; 2] {
    let tell = "x-stainless-read-timeout";
    [
        Clients::default().telling(tell, PATIENCE),
        Clients::default().leaving_after(PATIENCE),
    ]
}

/// Makes upstreams well when each of them has failed.
async fn heal(simulators: &[Simulator], gateway: &TestGateway) {
    for simulator in simulators {
        failure(gateway, simulator).await;
    }
    for simulator in simulators {
        simulator.play(Script::healthy()).await;
    }
}

#[tokio::test]
async fn a_request_waits_out_a_short_limit() {
    let after = Duration::from_secs(1);
    for clients in patient() {
        let simulators = upstreams(&[Script::fault(Fault::RateLimited { after })]).await;
        let gateway = before(&simulators).await;
        let only = &simulators[0];
        let heals = async {
            within(only.wait_received(1)).await;
            only.play(Script::healthy()).await;
        };
        let (answer, ()) = tokio::join!(clients.ask_once(&gateway, 0), heals);
        let answered = answer.expect("an answer before the client leaves");
        assert_eq!(answered.status, 200, "{:?}", answered.body);
        assert_eq!(answered.trail(), ["first:rate_limited", "first:ok"]);
        let received = only.received();
        let pause = received[1].at - received[0].at;
        assert!(received.len() == 2 && pause >= after, "{pause:?}");
    }
}

/// A limit that lasts longer than the client waits is told at once, so that the client can plan.
#[tokio::test]
async fn nobody_waits_for_what_comes_too_late() {
    let after = Duration::from_secs(30);
    let simulators = upstreams(&[Script::fault(Fault::RateLimited { after })]).await;
    let gateway = before(&simulators).await;
    for clients in patient() {
        let answered = clients.ask_once(&gateway, 0).await.expect("an answer");
        assert_eq!(answered.status, 429, "{:?}", answered.body);
        let told: u64 = answered.header("retry-after").parse().unwrap();
        assert!((10..=35).contains(&told), "{told}");
    }
    assert_eq!(simulators[0].received_count(), 1);
}

#[tokio::test]
async fn when_all_are_away_for_a_moment_nobody_notices() {
    for clients in patient() {
        for (script, is_streamed) in [
            (Script::fault(Fault::Refuse), false),
            (Script::status(503), true),
        ] {
            let clients = clients.clone().streamed(is_streamed);
            let simulators = upstreams(&[script.clone(), script]).await;
            let gateway = before(&simulators).await;
            let (answers, ()) = tokio::join!(clients.ask(&gateway, 8), heal(&simulators, &gateway));
            let told = super::told(&answers);
            assert_eq!(clients.answered(&answers), 8, "{told}");
        }
    }
}

#[tokio::test]
async fn a_restart_of_the_only_upstream_is_not_noticed() {
    let simulators = upstreams(&[Script::healthy()]).await;
    let gateway = before(&simulators).await;
    let clients = Clients::default();
    clients.are_all_answered(&gateway, 12).await;
    simulators[0].play(Script::fault(Fault::Refuse)).await;
    let restarts = heal(&simulators, &gateway);
    let (answers, ()) = tokio::join!(clients.ask(&gateway, 12), restarts);
    let told = super::told(&answers);
    assert_eq!(clients.answered(&answers), 12, "{told}");
    assert_eq!(calls(&simulators), 24);
}
