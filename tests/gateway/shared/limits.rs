//! Limits that hold for all replicas together: those of clients, and the seats of upstreams.

use std::time::Duration;

use backstop::simulator::{Script, Simulator};
use http::Method;
use hyper::body::Incoming;
use tokio::time::sleep;

use super::server::Server;
use super::{CHAT, knows};
use crate::harness::{
    Answered, Setup, TestGateway, chat, chat_stream, refusal, simulators, within,
};

const HEADERS: [(&str, &str); 2] = [
    ("authorization", "Bearer key-of-anna"),
    ("content-type", "application/json"),
];

/// Two replicas that know of each other, with these limits of a client, and of the first upstream.
async fn pair(
    (one, two): (&Simulator, &Simulator),
    redis: &Server,
    limits: &str,
    of_first: &str,
) -> [TestGateway; 2] {
    let keys = format!("provider: openai-compatible, api_key: k{of_first}");
    let shared = format!(
        "shared: {{redis: {}}}\nclients: [{{name: anna, key: key-of-anna{limits}}}]\n",
        redis.url()
    );
    let setup = || Setup::new().upstream_as(one, &keys).upstream(two);
    let a = setup().lines(&shared).start().await;
    let b = setup().lines(&shared).start().await;
    for replica in [&a, &b] {
        within(knows(replica, 1)).await;
    }
    [a, b]
}

async fn ask(replica: &TestGateway) -> Answered {
    let body = chat().to_string();
    replica.send(Method::POST, CHAT, &HEADERS, body).await
}

/// A stream that has begun.
async fn begun(replica: &TestGateway) -> http::Response<Incoming> {
    let body = chat_stream().to_string();
    let answer = replica.open(Method::POST, CHAT, &HEADERS, body).await;
    assert_eq!(answer.status(), 200);
    answer
}

fn remaining(answered: &Answered, of: &str) -> u64 {
    let name = format!("x-ratelimit-remaining-{of}");
    answered.header(&name).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_takes_at_one_replica_is_missing_at_the_other() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let limits = ", limits: {requests_per_minute: 1000, tokens_per_minute: 1000000}";
    let [a, b] = pair((&one, &two), &redis, limits, "").await;
    let mut tokens_of_one = 0;
    for number in 0..20 {
        let answered = ask(&a).await;
        assert_eq!(answered.status, 200);
        tokens_of_one = answered.json()["usage"]["total_tokens"].as_u64().unwrap();
        a.events.finished(number).await;
    }
    let mut asked = 0;
    let heard = async {
        loop {
            asked += 1;
            let answered = ask(&b).await;
            let tokens = 1_000_000 - (19 + asked) * tokens_of_one;
            let is_heard = remaining(&answered, "requests") == 1000 - 20 - asked;
            if is_heard && remaining(&answered, "tokens") <= tokens {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    within(heard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_used_up_at_one_replica_is_used_up_at_the_other() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let limits = ", limits: {requests_per_minute: 40}";
    let [a, b] = pair((&one, &two), &redis, limits, "").await;
    let mut passed = 0;
    // As fast as they can, at both in turn.
    let refused = async {
        let mut refused = 0;
        while refused < 10 {
            for replica in [&a, &b] {
                let answered = ask(replica).await;
                match answered.status {
                    200 => passed += 1,
                    _ => {
                        refusal(&answered, 429, "rate_limit_exceeded");
                        refused += 1;
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        }
    };
    within(refused).await;
    // Each alone would let 40 pass. On a busy machine news come late.
    assert!((39..=60).contains(&passed), "{passed}");
    assert_eq!(one.received_count(), passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_open_at_one_replica_is_one_of_the_concurrent_requests_at_the_other() {
    let (mut redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let limits = ", limits: {concurrent: 1}";
    let [a, b] = pair((&one, &two), &redis, limits, "").await;
    one.play(Script::healthy().with_token_delay(Duration::from_secs(30)))
        .await;
    let stream = begun(&a).await;
    one.play(Script::healthy()).await;
    within(answers(&b, 429)).await;
    let refused = ask(&b).await;
    assert_eq!(refused.header("retry-after"), "1");
    drop(stream);
    within(answers(&b, 200)).await;
    // Alone, each counts its own.
    one.play(Script::healthy().with_token_delay(Duration::from_secs(30)))
        .await;
    let _stream = within(begun_at_last(&a)).await;
    one.play(Script::healthy()).await;
    within(answers(&b, 429)).await;
    redis.kill();
    within(answers(&b, 200)).await;
}

/// A stream that has begun, once there is room for it.
async fn begun_at_last(replica: &TestGateway) -> http::Response<Incoming> {
    loop {
        let body = chat_stream().to_string();
        let answer = replica.open(Method::POST, CHAT, &HEADERS, body).await;
        if answer.status() == 200 {
            return answer;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Asks until the answer has this status.
async fn answers(replica: &TestGateway, status: u16) {
    while ask(replica).await.status != status {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seats_that_one_replica_has_taken_are_kept_free_at_the_other() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let [a, b] = pair((&one, &two), &redis, "", ", concurrency: 3").await;
    one.play(Script::healthy().with_token_delay(Duration::from_secs(30)))
        .await;
    let streams = [begun(&a).await, begun(&a).await];
    let mine = begun(&b).await;
    assert_eq!(mine.headers()["x-backstop-upstream"], "first");
    let is_full = async {
        while ask(&b).await.trail() != ["first:full", "second:ok"] {
            sleep(Duration::from_millis(20)).await;
        }
    };
    one.play(Script::healthy()).await;
    within(is_full).await;
    drop(streams);
    let is_free = async {
        while ask(&b).await.trail() != ["first:ok"] {
            sleep(Duration::from_millis(20)).await;
        }
    };
    within(is_free).await;
}
