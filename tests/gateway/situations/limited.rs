//! Limits that more clients meet at once than they let through, and rejections that are not the clients' fault.

use std::cell::Cell;
use std::time::Duration;

use backstop::simulator::{Fault, Received, Script, Simulator};
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::{CHAT, Clients, before, calls, failure, upstreams};
use crate::harness::{TestGateway, chat, chat_stream, within};

/// Asks with these words, and is answered.
async fn ask(gateway: &TestGateway, words: &str) {
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": words}]});
    assert_eq!(gateway.post(CHAT, &body).await.status, 200);
}

/// The words of all requests that have come, in order.
fn received(simulator: &Simulator) -> Vec<String> {
    let words = |request: &Received| {
        let body = request.json();
        body["messages"][0]["content"]
            .as_str()
            .map(ToOwned::to_owned)
    };
    simulator.received().iter().filter_map(words).collect()
}

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
    let first = async {
        ask(&gateway, "waited").await;
        ask(&gateway, "came late").await;
    };
    let others = async {
        failure(&gateway, only).await;
        only.play(Script::healthy()).await;
        tokio::join!(ask(&gateway, "waited"), ask(&gateway, "waited"));
    };
    tokio::join!(first, others);
    let received = received(only);
    let last = received.last().unwrap();
    assert_eq!((received.len(), last.as_str()), (5, "came late"));
}

/// Until what is said of those who wait is as wanted.
async fn waiting(gateway: &TestGateway, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let status = gateway.admin("/api/status").await.json();
            if is_wanted(&status["waiting"]) {
                return status["waiting"].clone();
            }
            tokio::task::yield_now().await;
        }
    };
    within(asking).await
}

#[tokio::test]
async fn operators_see_who_waits_for_the_end_of_a_limit() {
    let after = Duration::from_secs(2);
    let simulators = upstreams(&[Script::fault(Fault::RateLimited { after })]).await;
    let (gateway, only) = (before(&simulators).await, &simulators[0]);
    assert_eq!(waiting(&gateway, Value::is_array).await, json!([]));
    let asking = async { tokio::join!(ask(&gateway, "one"), ask(&gateway, "another")) };
    let looking = async {
        let both = waiting(&gateway, |waiting| waiting[0]["requests"] == 2).await;
        let (one, now) = (&both[0], gateway.admin("/api/status").await.json());
        assert_eq!(one["route"], "*", "{both:#}");
        assert_eq!(one["upstreams"], json!([only.name()]), "{both:#}");
        assert!(one["since"].as_str() <= now["now"].as_str(), "{both:#}");
        let metrics = gateway.admin("/metrics").await.text();
        let gauge = r#"backstop_route_requests_waiting{route="*"} 2"#;
        assert!(metrics.contains(gauge), "{metrics}");
        only.play(Script::healthy()).await;
    };
    tokio::join!(asking, looking);
    assert_eq!(waiting(&gateway, Value::is_array).await, json!([]));
}

/// The third one finds the door open, and waits behind the second; so does the fourth behind the third.
#[tokio::test]
async fn who_gave_way_when_a_limit_was_over_is_not_passed_by_those_who_come_later() {
    let after = Duration::from_secs(2);
    let simulators = upstreams(&[Script::fault(Fault::RateLimited { after })]).await;
    let (gateway, only) = (before(&simulators).await, &simulators[0]);
    let late = Cell::new("third");
    let ask_twice = async || {
        ask(&gateway, "waited").await;
        ask(&gateway, late.replace("fourth")).await;
    };
    tokio::join!(ask_twice(), async {
        failure(&gateway, only).await;
        only.play(Script::healthy()).await;
        ask_twice().await;
    });
    let order = ["waited", "waited", "waited", "third", "fourth"];
    assert_eq!(received(only), order);
}

/// Two may only ask the first one, and have waited for it; somebody else can answer whoever comes now.
#[tokio::test]
async fn who_can_be_answered_by_somebody_else_does_not_wait_behind_those_who_cannot() {
    let after = Duration::from_secs(2);
    let limited = Script::fault(Fault::RateLimited { after });
    let simulators = upstreams(&[limited, Script::healthy()]).await;
    let (gateway, first) = (before(&simulators).await, &simulators[0]);
    let ask = async |headers: &[(&str, &str)]| {
        let answered = gateway
            .send(Method::POST, CHAT, headers, chat().to_string())
            .await;
        assert_eq!(answered.status, 200);
        answered.upstream().to_owned()
    };
    let only = [("x-backstop-upstream", "first")];
    let ask_twice = async || {
        assert_eq!(ask(&only).await, "first");
        ask(&[]).await
    };
    let by = tokio::select! {
        by = ask_twice() => by,
        by = async {
            failure(&gateway, first).await;
            first.play(Script::healthy()).await;
            ask_twice().await
        } => by,
    };
    assert_eq!(by, "second");
}

/// Nobody who goes is answered, so that the turns of those who wait come seldom. Whoever comes now gives up after two seconds.
#[tokio::test]
async fn who_gave_way_goes_when_half_of_its_patience_is_over() {
    let after = Duration::from_secs(1);
    let simulators = upstreams(&[Script::fault(Fault::RateLimited { after })]).await;
    let (gateway, only) = (before(&simulators).await, &simulators[0]);
    let wait = async || gateway.post(CHAT, &chat()).await;
    let others = async {
        failure(&gateway, only).await;
        only.play(Script::fault(Fault::Hang)).await;
        tokio::join!(wait(), wait(), wait(), wait(), wait())
    };
    let comes = async {
        within(only.wait_received(2)).await;
        let patience = [("x-backstop-timeout", "2")];
        let body = chat_stream().to_string();
        gateway.send(Method::POST, CHAT, &patience, body).await
    };
    let goes = async {
        for count in 3.. {
            within(only.wait_received(count)).await;
            let received = only.received();
            if received
                .iter()
                .any(|request| request.json()["stream"] == true)
            {
                return count;
            }
        }
        0
    };
    tokio::select! {
        _ = async { tokio::join!(wait(), others, comes) } => unreachable!("nobody is answered"),
        count = goes => assert!(count < 8, "all others went first"),
    }
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
