//! Candidates that could have been asked, and were not: the client learns the exact reason.

use std::time::Duration;

use backstop::simulator::{Fault, Script};
use futures_util::future::join_all;
use http::Method;

use crate::failover::{three_that_do_not_wait, unsupported};
use crate::harness::{Answered, TestGateway, chat, pass, refusal, simulators};

const CHAT: &str = "/v1/chat/completions";

fn expect(answered: &Answered, upstream: &str, reason: &str) {
    let error = refusal(answered, 503, "all_upstreams_failed");
    let message = error["message"].as_str().unwrap();
    let expected = format!("{upstream}: not asked, {reason}");
    assert!(message.ends_with(&expected), "{message}");
}

async fn ask(gateway: &TestGateway, header: (&str, &str)) -> Answered {
    let headers = [("content-type", "application/json"), header];
    let body = chat().to_string();
    gateway.send(Method::POST, CHAT, &headers, body).await
}

#[tokio::test]
async fn a_request_that_asks_for_one_attempt_has_no_second_one() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::status(500)).await;
    let answered = ask(&gateway, ("x-backstop-failover", "off")).await;
    expect(&answered, "second", "the request asks for one attempt only");
    assert_eq!(answered.trail(), ["first:server_error"]);
    assert_eq!((first.received_count(), second.received_count()), (1, 0));
}

#[tokio::test]
async fn a_request_whose_time_is_over_asks_nobody_else() {
    let (first, second) = simulators().await;
    let more = "timeouts: {total: 2s, first_token: 2s, answer: 2s}\n";
    let gateway = TestGateway::before(&first, &second, more).await;
    first.play(Script::fault(Fault::Hang)).await;
    let time = Duration::from_secs(3);
    let answered = gateway.post_and_pass(CHAT, &chat(), time).await;
    expect(&answered, "second", "no time was left");
    assert_eq!(answered.trail(), ["first:deadline"]);
    assert_eq!((first.received_count(), second.received_count()), (1, 0));
}

/// A third attempt costs as much as the second one took, and 50 tokens last for 50 of ten seconds or more.
#[tokio::test]
async fn a_request_without_a_budget_asks_no_third_one() {
    let (gateway, [first, second, third]) = three_that_do_not_wait().await;
    let slowly = unsupported().with_answer_delay(Duration::from_secs(15));
    first.play(Script::status(404)).await;
    second.play(slowly).await;
    third.play(unsupported()).await;
    let one = async |_| gateway.post(CHAT, &chat()).await;
    let all = join_all((0..60).map(one));
    let (answered, ()) = tokio::join!(all, pass(Duration::from_secs(16)));
    let spent = answered.iter().filter(|one| one.trail().len() == 2);
    let spent: Vec<&Answered> = spent.collect();
    assert_eq!((spent.len(), third.received_count()), (10, 50));
    for answered in spent {
        expect(answered, "third", "the retry budget was used up");
    }
}
