//! Replicas that share what they know through a real Redis: gateways in this process, on the machine's clock.

mod figures;
mod limits;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use backstop::event::{Event, HealthChange, SharedNews};
use backstop::simulator::{Script, Simulator};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use self::server::{Server, liar};
use crate::harness::{Port, Setup, TestGateway, chat, simulators, within};

const CHAT: &str = "/v1/chat/completions";

/// A replica with two upstreams that shares through this server; `more` stands behind the URL, or behind the first upstream.
async fn replica(one: &Simulator, two: &Simulator, redis: &str, of_first: &str) -> TestGateway {
    let keys = format!("provider: openai-compatible, api_key: first-key{of_first}");
    let setup = Setup::new().upstream_as(one, &keys).upstream(two);
    let setup = setup.route(&["gpt-4o"], &["first", "second"]);
    let setup = setup.route(&["special"], &["second"]);
    let shared = format!("shared: {{redis: {redis}}}\n");
    setup.lines(&shared).start().await
}

/// Three replicas that are connected, and know of each other.
async fn fleet(one: &Simulator, two: &Simulator, redis: &str) -> [TestGateway; 3] {
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(replica(one, two, redis, "").await);
    }
    for replica in &all {
        within(knows(replica, 2)).await;
    }
    all.try_into().unwrap_or_else(|_| panic!("three"))
}

/// Waits until a replica has heard of so many others.
async fn knows(replica: &TestGateway, others: usize) {
    loop {
        let status = replica.admin("/api/status").await.json();
        let fleet = &status["fleet"];
        if fleet["replicas"]
            .as_array()
            .is_some_and(|all| all.len() == others)
        {
            assert_eq!(fleet["connected"], true);
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn count(events: &[Event], is_it: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| is_it(event)).count()
}

fn is_opened(event: &Event) -> bool {
    matches!(event, Event::HealthChanged(HealthChange::Opened { .. }))
}

fn is_healed(event: &Event) -> bool {
    matches!(event, Event::HealthChanged(HealthChange::Healed { .. }))
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::Shared(SharedNews::Connected { .. }))
}

fn is_lost(event: &Event) -> bool {
    matches!(event, Event::Shared(SharedNews::Disconnected { .. }))
}

async fn wait_for(replica: &TestGateway, times: usize, is_it: fn(&Event) -> bool) {
    let is_so = |events: &[Event]| count(events, is_it) >= times;
    replica.events.wait_until(is_so).await;
}

async fn trail(replica: &TestGateway) -> Vec<String> {
    let answered = replica.post(CHAT, &chat()).await;
    assert_eq!(answered.status, 200, "{:?}", answered.body);
    answered.trail()
}

/// Clients of a replica, about 100 requests a second. Every one must be answered.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    clients: JoinHandle<()>,
}

impl Load {
    fn on(replica: &Arc<TestGateway>) -> Self {
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, counted, replica) = (stop.clone(), sent.clone(), replica.clone());
        let clients = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let answered = replica.post(CHAT, &chat()).await;
                assert_eq!(answered.status, 200, "{:?}", answered.body);
                counted.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(8)).await;
            }
        });
        Self {
            stop,
            sent,
            clients,
        }
    }

    /// Waits until so many more requests were answered.
    async fn go_on_for(&self, requests: usize) {
        let until = self.sent.load(Ordering::Relaxed) + requests;
        let waiting = async {
            while self.sent.load(Ordering::Relaxed) < until && !self.clients.is_finished() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        within(waiting).await;
        assert!(!self.clients.is_finished(), "a client has failed");
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_have_met_is_known_to_the_third_that_has_asked_nobody() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let [a, b, c] = fleet(&one, &two, &redis.url()).await;
    one.play(Script::status(500)).await;
    a.ask_until_out(&chat()).await;
    b.ask_until_out(&chat()).await;
    wait_for(&c, 1, is_opened).await;
    let before = one.received_count();
    assert_eq!(trail(&c).await, ["second:ok"]);
    assert_eq!(one.received_count(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_word_of_one_the_next_failure_of_our_own_is_enough() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let a = replica(&one, &two, &redis.url(), "").await;
    let b = replica(&one, &two, &redis.url(), "").await;
    within(knows(&b, 1)).await;
    one.play(Script::status(500)).await;
    assert!(a.ask_until_out(&chat()).await > 1, "alone it takes several");
    within(hears_of_first(&b)).await;
    assert_eq!(
        count(&b.events.all(), is_opened),
        0,
        "one word is not enough"
    );
    assert_eq!(b.ask_until_out(&chat()).await, 1);
}

/// Waits until a replica knows that another one has taken `first` out.
async fn hears_of_first(replica: &TestGateway) {
    loop {
        let status = replica.admin("/api/status").await.json();
        if status["fleet"]["replicas"][0]["out"][0]["upstream"] == "first" {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_own_network_is_broken_takes_nobody_else_out() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let nobody = Port::reserve();
    let proxy = format!(", proxy: \"http://{}\"", nobody.address());
    let a = replica(&one, &two, &redis.url(), &proxy).await;
    let [b, c, d] = fleet_beside(&one, &two, &redis.url()).await;
    // It has never asked for anything, so that it knows nothing of its own.
    let idle = d;
    assert_eq!(trail(&b).await, ["first:ok"]);
    a.ask_until_out(&chat()).await;
    for other in [&b, &c, &idle] {
        // A health check finds out whether it is true here.
        let is_checked = |event: &Event| matches!(event, Event::HealthChecked { is_reached: true, upstream } if upstream.as_ref() == "first");
        wait_for(other, 1, is_checked).await;
        assert_eq!(trail(other).await, ["first:ok"]);
        assert_eq!(count(&other.events.all(), is_opened), 0);
    }
}

async fn fleet_beside(one: &Simulator, two: &Simulator, redis: &str) -> [TestGateway; 3] {
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(replica(one, two, redis, "").await);
    }
    for replica in &all {
        within(knows(replica, 3)).await;
    }
    all.try_into().unwrap_or_else(|_| panic!("three"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_them_tries_for_all_and_all_come_back() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let replicas = fleet(&one, &two, &redis.url()).await.map(Arc::new);
    let loads: Vec<Load> = replicas.iter().map(Load::on).collect();
    for load in &loads {
        load.go_on_for(20).await;
    }
    one.play(Script::status(500)).await;
    for replica in &replicas {
        wait_for(replica, 1, is_opened).await;
    }
    // Requests that were on their way have arrived.
    for load in &loads {
        load.go_on_for(5).await;
    }
    let before = one.received_count();
    for replica in &replicas {
        wait_for(replica, 3, is_opened).await;
    }
    // Two rounds, each of one trial; a third one may have begun.
    let trials = one.received_count() - before;
    assert!((2..=3).contains(&trials), "{trials} trials");
    one.play(Script::healthy()).await;
    for replica in &replicas {
        wait_for(replica, 1, is_healed).await;
    }
    for load in loads {
        load.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cooldown_of_a_key_holds_for_all_that_have_the_same_key() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let [a, b, c] = fleet(&one, &two, &redis.url()).await;
    let d = {
        let setup = Setup::new()
            .upstream_as(&one, "provider: openai-compatible, api_key: other-key")
            .upstream(&two)
            .route(&["gpt-4o"], &["first", "second"]);
        let shared = format!("shared: {{redis: {}}}\n", redis.url());
        setup.lines(&shared).start().await
    };
    within(knows(&d, 3)).await;
    one.play(Script::status(429).with_header("retry-after", "60"))
        .await;
    trail(&a).await;
    one.play(Script::healthy()).await;
    for other in [&b, &c] {
        let cooled = async {
            while trail(other).await != ["second:ok"] {
                sleep(Duration::from_millis(50)).await;
            }
        };
        within(cooled).await;
    }
    assert_eq!(trail(&d).await, ["first:ok"], "its key is another one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_has_seen_created_is_found_through_another() {
    let (redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let [a, b, c] = fleet(&one, &two, &redis.url()).await;
    let special = serde_json::json!({"model": "special"});
    let created = a.post("/v1/batches", &special).await;
    assert_eq!(created.upstream(), "second");
    let path = format!("/v1/batches/{}", created.json()["id"].as_str().unwrap());
    for other in [&b, &c] {
        let found = async {
            while other.get(&path).await.upstream() != "second" {
                sleep(Duration::from_millis(50)).await;
            }
        };
        within(found).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_notices_what_becomes_of_the_server_and_knowledge_is_shared_again() {
    let (mut redis, (one, two)) = (Server::start(&[]).await, simulators().await);
    let replicas = fleet(&one, &two, &redis.url()).await.map(Arc::new);
    let loads: Vec<Load> = replicas[..2].iter().map(Load::on).collect();
    one.play(Script::status(500)).await;
    for replica in &replicas[..2] {
        wait_for(replica, 1, is_opened).await;
    }
    redis.ask(&["FLUSHALL"]).await;
    redis.pause();
    for replica in &replicas {
        wait_for(replica, 1, is_lost).await;
    }
    for load in &loads {
        load.go_on_for(100).await;
    }
    redis.go_on();
    for replica in &replicas {
        wait_for(replica, 2, is_connected).await;
    }
    redis.kill();
    for replica in &replicas {
        wait_for(replica, 2, is_lost).await;
    }
    for load in &loads {
        load.go_on_for(100).await;
    }
    redis.start_again().await;
    for replica in &replicas {
        wait_for(replica, 3, is_connected).await;
        assert_eq!(
            count(&replica.events.all(), is_lost),
            2,
            "each is told once"
        );
    }
    // One that starts now learns what the others know, from an empty server.
    let late = replica(&one, &two, &redis.url(), "").await;
    wait_for(&late, 1, is_opened).await;
    assert_eq!(trail(&late).await, ["second:ok"]);
    for load in loads {
        load.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_may_want_tls_and_a_password() {
    let (one, two) = simulators().await;
    let redis = Server::start_secure("p@ss word").await;
    let ca = redis.file("cert.pem");
    let url = |password: &str| format!("\"rediss://:{password}@{}\"", redis.tls_address());
    let with = |password: &str| format!("{}, ca_file: \"{ca}\", secret: x", url(password));
    let a = replica(&one, &two, &with("p%40ss%20word"), "").await;
    let b = replica(&one, &two, &with("p%40ss%20word"), "").await;
    within(knows(&a, 1)).await;
    within(knows(&b, 1)).await;
    for shut_out in [with("wrong"), url("p%40ss%20word")] {
        let alone = replica(&one, &two, &shut_out, "").await;
        wait_for(&alone, 1, is_lost).await;
        assert_eq!(trail(&alone).await, ["first:ok"]);
        let told = format!("{:?}", alone.events.all());
        assert!(!told.contains("p@ss") && !told.contains("wrong@"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_name_the_server() {
    let (one, two) = simulators().await;
    let redis = Server::start(&[]).await;
    let sentinel = Server::sentinel_of(&redis).await;
    let a = replica(
        &one,
        &two,
        &format!("{}, sentinel: mine", sentinel.url()),
        "",
    )
    .await;
    let b = replica(&one, &two, &redis.url(), "").await;
    within(knows(&a, 1)).await;
    within(knows(&b, 1)).await;
    let other = format!("{}, sentinel: other", sentinel.url());
    let alone = replica(&one, &two, &other, "").await;
    wait_for(&alone, 1, is_lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_of_a_cluster_will_do() {
    let (one, two) = simulators().await;
    let nodes = server::cluster().await;
    for node in &nodes {
        let replica = replica(&one, &two, &node.url(), "").await;
        wait_for(&replica, 1, is_connected).await;
    }
    let [a, b] = [&nodes[0], &nodes[1]].map(Server::url);
    let a = replica(&one, &two, &a, "").await;
    let b = replica(&one, &two, &b, "").await;
    within(knows(&a, 1)).await;
    within(knows(&b, 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lies_is_left_alone() {
    let (one, two) = simulators().await;
    for lie in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"*1000000000000\r\n",
        b"$9223372036854775807\r\n",
        b"%4611686018427387904\r\n",
        b"-ERR no\r\n",
        b"+OK\r\n",
        b">3\r\n+message\r\n+x\r\n$3\r\nabc\r\n",
        b"\0\0\0\0",
    ] {
        let url = format!("redis://127.0.0.1:{}", liar(lie).await);
        let alone = replica(&one, &two, &url, "").await;
        wait_for(&alone, 1, is_lost).await;
        assert_eq!(trail(&alone).await, ["first:ok"]);
    }
}
