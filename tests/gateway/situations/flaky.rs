//! Upstreams that fail now and then: when nobody else is left, the same one is asked again.
//!
//! The shares here leave room for bad luck, for requests come in any order; the bench has the real bounds.

use backstop::simulator::{Fault, Script};
use futures_util::future::join_all;

use super::{Clients, before, calls, upstreams};

/// Plays eighty requests; at least so many must be answered, with at most 2.1 calls each.
async fn are_answered(scripts: &[Script], is_streamed: bool, least: usize) {
    let simulators = upstreams(scripts).await;
    let gateway = before(&simulators).await;
    let clients = Clients::default().streamed(is_streamed);
    let answers = clients.ask(&gateway, 80).await;
    let answered = clients.answered(&answers);
    let told = super::told(&answers);
    assert!(answered >= least, "{answered} are answered:\n{told}");
    let calls = calls(&simulators);
    assert!(calls <= 168, "{calls} calls");
}

fn fails(fault: Fault, share: f64, seed: u64) -> Script {
    Script::fault(fault).with_share(share, seed)
}

#[tokio::test]
async fn a_second_try_follows_at_once_where_nobody_else_is_left() {
    let simulators = upstreams(&[Script::status(500).with_one_in(3)]).await;
    let gateway = before(&simulators).await;
    for number in 0..9 {
        let answered = Clients::default().ask_once(&gateway, number).await.unwrap();
        assert_eq!(answered.status, 200, "{:?}", answered.body);
        let is_second = answered.trail().len() == 2;
        assert!(answered.trail().len() <= 2, "{:?}", answered.trail());
        // The third call fails, the fourth is its second try, and so on.
        assert_eq!(is_second, number % 2 == 0 && number > 0, "{number}");
    }
}

#[tokio::test]
async fn when_the_first_is_dead_and_the_second_fails_now_and_then_few_notice() {
    let cases = [
        (Fault::status(500), false),
        (Fault::status(500), true),
        (Fault::RoleThenCut, true),
        (Fault::Truncated, false),
    ];
    let play = async |(fault, is_streamed)| {
        let scripts = [Script::fault(Fault::Refuse), fails(fault, 0.3, 1)];
        are_answered(&scripts, is_streamed, 70).await;
    };
    join_all(cases.map(play)).await;
}

#[tokio::test]
async fn when_two_fail_half_the_time_few_notice() {
    let half = |seed| fails(Fault::status(500), 0.5, seed);
    are_answered(&[half(2), half(3)], false, 68).await;
}

#[tokio::test]
async fn when_the_only_one_fails_now_and_then_few_notice() {
    for fault in [Fault::status(500), Fault::Reset] {
        are_answered(&[fails(fault, 0.3, 4)], false, 70).await;
    }
}
