//! What replicas have counted, as one of them shows it for all.

use std::path::Path;
use std::time::Duration;

use backstop::simulator::Script;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::knows;
use super::server::Server;
use crate::chromium::Tab;
use crate::harness::{Setup, TestGateway, chat, simulators, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_page_shows_what_all_replicas_have_counted() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let start = |name: &'static str| {
        let setup = Setup::new().upstream(&one).upstream(&two);
        let shared = format!("shared: {{redis: {}, name: {name}}}\n", redis.url());
        setup.lines(&shared)
    };
    let a = start("a").start().await;
    let b = start("b").start().await;
    within(knows(&b, 1)).await;
    one.play(Script::status(500)).await;
    let asked = a.ask_until_out(&chat()).await;
    b.post("/v1/chat/completions", &chat()).await;
    let told = |fleet: &Value| {
        let there = &fleet["replicas"][0]["figures"];
        let had = json!({"requests": asked, "failed": 0});
        let together = json!({"requests": asked + 1, "failed": 0});
        let failed = there["upstreams"][0]["windows"]["1h"]["failed"].as_u64();
        there["clients"]["1h"] == had
            && failed > Some(0)
            && fleet["together"]["clients"]["1h"] == together
    };
    let status = until(&b, "/api/status", |status| told(&status["fleet"])).await;
    assert_eq!(status["fleet"]["figures"]["clients"]["1h"]["requests"], 1);
    assert_eq!(status["fleet"]["gone"], json!([]));
    let of = |incidents: &Value, name: &str| {
        let all = incidents["incidents"].as_array().unwrap();
        all.iter().find(|one| one["replica"] == name).cloned()
    };
    let seen = until(&b, "/api/incidents", |seen| of(seen, "a").is_some()).await;
    let there = of(&seen, "a").unwrap();
    assert_eq!(there["upstream"], "first");
    assert_eq!(there["ended_at"], Value::Null);
    assert_eq!(there["words"], Value::Null, "no provider's words are told");
    let here = a.admin("/api/incidents").await.json();
    assert_eq!(of(&here, "a").unwrap()["cause"], there["cause"]);
    let feed = b.admin("/incidents.atom").await.text();
    assert!(
        !feed.contains("<entry>"),
        "each has a feed of its own: {feed}"
    );
}

/// At night, on a phone too: who is out, who is gone, what clients had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_each_replica_and_who_is_gone() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let start = |name: &'static str| {
        let setup = Setup::new().upstream(&one).upstream(&two);
        let shared = format!("shared: {{redis: {}, name: {name}}}\n", redis.url());
        setup.lines(&shared)
    };
    let here = start("berlin-1").start().await;
    let other = start("berlin-2").start().await;
    let lost = start("oslo-1").start().await;
    within(knows(&here, 2)).await;
    one.play(Script::status(503)).await;
    other.ask_until_out(&chat()).await;
    here.ask_until_out(&chat()).await;
    // It is gone without a word.
    drop(lost);
    let mut tab = Tab::start().await;
    tab.look(1200, false).await;
    let page = format!("http://{}/", here.gateway.admin_address());
    tab.open(&page).await;
    tab.shows("berlin-1 (this one)").await;
    tab.shows("not since").await;
    tab.until("/first \\(\\w+\\)/.test(document.getElementById('replicas-body').innerText)")
        .await;
    tab.until("document.getElementById('replicas-body').innerText.includes('All together')")
        .await;
    tab.until("!document.getElementById('replicas-body').innerText.includes('not known')")
        .await;
    tab.open(&page).await;
    tab.until("document.getElementById('incidents-body')?.innerText.includes('berlin-2') === true")
        .await;
    let file = |name: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page/{name}.png"));
    tab.picture(&file("fleet")).await;
    tab.look(360, true).await;
    tab.picture(&file("fleet-phone")).await;
    let width = tab.value("document.documentElement.scrollWidth").await;
    assert_eq!(width, 360, "nothing sticks out");
    assert!(tab.complaints().is_empty(), "{:#?}", tab.complaints());
}

async fn until(replica: &TestGateway, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let said = replica.admin(path).await.json();
            if is_so(&said) {
                return said;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    within(asking).await
}
