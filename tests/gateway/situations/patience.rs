//! Clients that wait for less time than the gateway's own timeouts, with a first upstream that is silent for longer.

use std::time::Duration;

use backstop::simulator::{Fault, Script, Simulator};
use futures_util::future::join_all;

use super::{AT_A_TIME, Clients, before, calls, upstreams};
use crate::harness::{TestGateway, within};

/// Long enough for two upstreams, far less than any timeout by default.
const PATIENCE: Duration = Duration::from_secs(5);
const PYTHON: &str = "x-stainless-read-timeout";

/// The ways to be silent for too long.
fn silent() -> [Script; 2] {
    let late = Script::healthy().with_first_token_delay(Duration::from_secs(60));
    [Script::fault(Fault::Hang), late]
}

async fn before_second(script: Script) -> (TestGateway, Vec<Simulator>) {
    let simulators = upstreams(&[script, Script::healthy()]).await;
    (before(&simulators).await, simulators)
}

/// Whoever says how long it waits is answered within that time, by whoever can.
#[tokio::test]
async fn a_client_that_tells_how_long_it_waits_is_answered_in_time() {
    let play = async |(header, is_streamed)| {
        let [hangs, _] = silent();
        let (gateway, simulators) = before_second(hangs).await;
        let clients = Clients::default()
            .streamed(is_streamed)
            .telling(header, PATIENCE);
        let answers = clients.are_all_answered(&gateway, AT_A_TIME).await;
        assert!(
            answers
                .iter()
                .all(|answered| answered.upstream() == "second")
        );
        assert_eq!(simulators[1].received_count(), AT_A_TIME, "{header}");
        // What nobody waits for any more is given up.
        let asked = simulators[0].received_count();
        within(simulators[0].wait_abandoned(asked)).await;
    };
    let node = "x-stainless-timeout";
    let ours = "x-backstop-timeout";
    let cases = [
        (PYTHON, false),
        (PYTHON, true),
        (node, false),
        (node, true),
        (ours, false),
        (ours, true),
    ];
    join_all(cases.map(play)).await;
}

#[tokio::test]
async fn a_first_token_that_comes_too_late_is_not_waited_for() {
    let play = async |is_streamed| {
        let [_, late] = silent();
        let (gateway, simulators) = before_second(late).await;
        let clients = Clients::default()
            .streamed(is_streamed)
            .telling(PYTHON, PATIENCE);
        clients.are_all_answered(&gateway, 8).await;
        assert!(calls(&simulators) <= 16, "{} calls", calls(&simulators));
    };
    tokio::join!(play(false), play(true));
}

#[tokio::test]
async fn a_first_upstream_that_begins_to_hang_is_noticed_by_nobody_who_tells_its_patience() {
    let play = async |is_streamed| {
        let (gateway, simulators) = before_second(Script::healthy()).await;
        let clients = Clients::default()
            .streamed(is_streamed)
            .telling(PYTHON, PATIENCE);
        let answers = clients.are_all_answered(&gateway, 12).await;
        assert!(
            answers
                .iter()
                .all(|answered| answered.upstream() == "first")
        );
        assert_eq!(simulators[1].received_count(), 0);

        let [hangs, _] = silent();
        simulators[0].play(hangs).await;
        let answers = clients.are_all_answered(&gateway, 24).await;
        assert!(
            answers
                .iter()
                .all(|answered| answered.upstream() == "second")
        );
        // It does not cost every request its patience: the first one is soon left alone.
        let asked = simulators[0].received_count() - 12;
        assert!(asked < 24, "the first one was asked {asked} times");
    };
    tokio::join!(play(false), play(true));
}

/// Every client that leaves after a long silence is a sign, though it is not the last word: those of the first two
/// rounds are lost, and nobody after them.
#[tokio::test]
async fn clients_that_only_leave_are_lost_in_two_rounds_at_most() {
    let [hangs, late] = silent();
    let play = async |script: Script, is_streamed| {
        let (gateway, simulators) = before_second(script).await;
        let clients = Clients::default()
            .streamed(is_streamed)
            .leaving_after(PATIENCE);
        let answers = clients.ask(&gateway, 24).await;
        let later = &answers[2 * AT_A_TIME..];
        let told = super::told(&answers);
        assert_eq!(clients.answered(later), later.len(), "{told}");
        assert!(calls(&simulators) <= 50, "{} calls", calls(&simulators));
    };
    tokio::join!(play(hangs, false), play(late, true));
}

/// An editor that cancels most of its requests within a second says nothing about anybody.
#[tokio::test]
async fn clients_that_leave_soon_blame_nobody() {
    let thinks = Script::healthy().with_first_token_delay(Duration::from_millis(600));
    let (gateway, simulators) = before_second(thinks).await;
    let hasty = Clients::default().leaving_after(Duration::from_millis(150));
    let answers = hasty.ask(&gateway, 40).await;
    assert!(answers.iter().all(Option::is_none));
    let answers = Clients::default().are_all_answered(&gateway, 4).await;
    assert!(
        answers
            .iter()
            .all(|answered| answered.upstream() == "first")
    );
    assert_eq!(simulators[1].received_count(), 0);
}

/// The packages tell their default of ten minutes, which is no hurry.
#[tokio::test]
async fn a_client_with_much_patience_waits_for_a_slow_answer() {
    let slow = Script::healthy().with_first_token_delay(Duration::from_secs(3));
    let (gateway, simulators) = before_second(slow).await;
    let clients = Clients::default().telling(PYTHON, Duration::from_secs(600));
    let answers = clients.are_all_answered(&gateway, AT_A_TIME).await;
    assert!(
        answers
            .iter()
            .all(|answered| answered.trail() == ["first:ok"])
    );
    assert_eq!(simulators[1].received_count(), 0);
}
