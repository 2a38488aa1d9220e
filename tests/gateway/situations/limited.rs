//! Limits that more clients meet at once than they let through, and rejections that are not the clients' fault.

use std::time::Duration;

use backstop::simulator::{Fault, Received, Script};
use futures_util::future::join_all;
use serde_json::json;

use super::{CHAT, Clients, before, calls, upstreams};
use crate::harness::within;

const SPACING: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_limit_of_one_at_a_time_is_kept_by_eight_who_come_at_once() {
    let limits = [Fault::status(429), Fault::RateLimited { after: SPACING }];
    let play = async |limit| {
        let script = Script::fault(limit).with_spacing(SPACING);
        let simulators = upstreams(&[script]).await;
        let gateway = before(&simulators).await;
        let tell = "x-stainless-read-timeout";
        let clients = Clients::default().telling(tell, Duration::from_secs(18));
        let answers = clients.ask_at_a_time(8, &gateway, 8).await;
        let told = super::told(&answers);
        assert_eq!(clients.answered(&answers), 8, "{told}");
        assert!(calls(&simulators) <= 16, "{} calls", calls(&simulators));
    };
    join_all(limits.map(play)).await;
}

/// They have waited for a second, and whoever comes now finds the door open.
#[tokio::test]
async fn who_comes_when_a_limit_is_over_does_not_pass_those_who_waited_for_that() {
    let after = Duration::from_secs(2);
    let simulators = upstreams(&[Script::fault(Fault::RateLimited { after })]).await;
    let (gateway, only) = (before(&simulators).await, &simulators[0]);
    let ask = |content: &'static str| {
        let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": content}]});
        let gateway = &gateway;
        async move { assert_eq!(gateway.post(CHAT, &body).await.status, 200) }
    };
    let first = async {
        ask("waited").await;
        ask("came late").await;
    };
    let others = async {
        within(only.wait_received(1)).await;
        only.play(Script::healthy()).await;
        tokio::join!(ask("waited"), ask("waited"));
    };
    tokio::join!(first, others);
    let received = only.received();
    let who = |request: &Received| request.json()["messages"][0]["content"].clone();
    let last = received.last().map(who).unwrap();
    assert_eq!((received.len(), last), (5, json!("came late")));
}

/// One rejection is the client's own fault; when suddenly everything is rejected, somebody else is asked.
#[tokio::test]
async fn a_model_that_rejects_everything_is_not_believed_for_long() {
    let simulators = upstreams(&[Script::healthy(), Script::healthy()]).await;
    let gateway = before(&simulators).await;
    let clients = Clients::default();
    clients.are_all_answered(&gateway, 20).await;
    assert_eq!(simulators[1].received_count(), 0);

    simulators[0].play(Script::status(400)).await;
    let answers = clients.ask(&gateway, 40).await;
    let (first, later) = answers.split_at(8);
    let told = super::told(&answers);
    assert_eq!(clients.answered(later), later.len(), "{told}");
    let rejected = first
        .iter()
        .flatten()
        .filter(|answered| answered.status == 400);
    assert_eq!(rejected.count() + clients.answered(first), 8, "{told}");
    // What takes the same bytes is asked first from then on.
    let asked = simulators[0].received_count() - 20;
    assert!(asked < 30, "the first one was asked {asked} times");
}
