//! Health end to end: what is taken out of rotation, what is not, and what comes back.

use std::time::Duration;

use backstop::event::{Event, HealthChange};
use backstop::simulator::{Fault, Received, Script, Simulator};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use crate::harness::{Setup, TestGateway, chat, chat_stream, chat_text, stream_text, within};

const CHAT: &str = "/v1/chat/completions";

async fn simulators() -> (Simulator, Simulator) {
    let first = Simulator::start("first", Script::answer("first"))
        .await
        .unwrap();
    let second = Simulator::start("second", Script::answer("second"))
        .await
        .unwrap();
    (first, second)
}

/// The scopes that went out of rotation, as texts.
fn opened(gateway: &TestGateway) -> Vec<String> {
    let opened = |event: &Event| match event {
        Event::HealthChanged(HealthChange::Opened { scope, .. }) => Some(scope.to_string()),
        _ => None,
    };
    gateway.events.all().iter().filter_map(opened).collect()
}

/// Sends twenty requests a second until `is_enough`, for at most a minute; every request must be answered. Returns how
/// long it took.
async fn load(gateway: &TestGateway, mut is_enough: impl FnMut(&str) -> bool) -> Duration {
    let start = Instant::now();
    let mut ticks = interval(Duration::from_millis(50));
    while start.elapsed() < Duration::from_secs(60) {
        ticks.tick().await;
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.status, 200, "{:?}", answered.body);
        if is_enough(&chat_text(&answered)) {
            return start.elapsed();
        }
    }
    panic!("it did not happen within a minute: {:#?}", opened(gateway))
}

#[tokio::test]
async fn thirty_percent_of_errors_take_an_upstream_out_and_healing_brings_it_back() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::status(500).with_one_in(3)).await;
    let out = load(&gateway, |_| !opened(&gateway).is_empty()).await;
    assert!(out < Duration::from_secs(15), "{out:?}");

    first.play(Script::answer("first")).await;
    let mut last = Vec::new();
    let back = load(&gateway, |who| {
        last.push(who == "first");
        last.len() >= 10
            && last[last.len() - 10..]
                .iter()
                .filter(|is_first| **is_first)
                .count()
                >= 8
    })
    .await;
    assert!(back < Duration::from_secs(60), "{back:?}");
}

#[tokio::test]
async fn a_broken_model_leaves_its_sibling_where_it_is() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["good"], &["first", "second"])
        .route(&["bad"], &["first", "second"])
        .start()
        .await;
    first
        .play(
            Script::status(500)
                .with_text("first")
                .with_only_model("bad"),
        )
        .await;
    for _ in 0..40 {
        let bad = gateway
            .post(CHAT, &json!({"model": "bad", "messages": []}))
            .await;
        assert_eq!(chat_text(&bad), "second");
        let good = gateway
            .post(CHAT, &json!({"model": "good", "messages": []}))
            .await;
        assert_eq!(chat_text(&good), "first");
    }
    assert_eq!(opened(&gateway), ["bad at first"]);
}

#[tokio::test]
async fn a_revoked_key_leaves_the_other_key_and_the_upstream_alone() {
    let (first, second) = simulators().await;
    let keys = "provider: openai-compatible, api_keys: [revoked, valid]";
    let gateway = Setup::new()
        .upstream_as(&first, keys)
        .upstream(&second)
        .start()
        .await;
    first
        .play(
            Script::status(401)
                .with_text("first")
                .with_only_key("revoked"),
        )
        .await;
    for _ in 0..20 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "first");
    }
    let uses = |key: &str| {
        first
            .received()
            .iter()
            .filter(|request| request.header("authorization") == Some(key))
            .count()
    };
    assert_eq!(uses("Bearer revoked"), 1, "a refused key is left alone");
    assert_eq!(uses("Bearer valid"), 20);
    assert_eq!(second.received_count(), 0);
    assert_eq!(opened(&gateway), Vec::<String>::new());
}

#[tokio::test]
async fn a_rate_limit_keeps_requests_away_for_as_long_as_it_says() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first
        .play(Script::fault(Fault::RateLimited {
            after: Duration::from_secs(30),
        }))
        .await;
    for _ in 0..50 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "second");
    }
    assert_eq!(first.received_count(), 1);
    assert_eq!(opened(&gateway), Vec::<String>::new());
}

#[tokio::test]
async fn a_limit_that_is_used_up_makes_a_short_pause_and_no_long_one() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for (limit, pause) in [("500", 400), ("20", 1200)] {
        let last = Script::answer("first")
            .with_header("x-ratelimit-limit-requests", limit)
            .with_header("x-ratelimit-remaining-requests", "0")
            .with_header("x-ratelimit-reset-requests", "59.9s");
        first.play(last).await;
        assert_eq!(chat_text(&gateway.post(CHAT, &chat()).await), "first");
        assert_eq!(chat_text(&gateway.post(CHAT, &chat()).await), "second");
        // A reset says when everything is free again, not when the next request passes.
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    assert_eq!(chat_text(&gateway.post(CHAT, &chat()).await), "first");
    assert_eq!(opened(&gateway), Vec::<String>::new());
}

#[tokio::test]
async fn clients_faults_trip_nothing() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::status(400)).await;
    second.play(Script::status(400)).await;
    for _ in 0..40 {
        assert_eq!(gateway.post(CHAT, &chat()).await.status, 400);
    }
    assert_eq!(opened(&gateway), Vec::<String>::new());
    assert_eq!(first.received_count(), 40);
}

#[tokio::test]
async fn a_refused_connection_is_health_checked_and_comes_back_by_itself() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::fault(Fault::Refuse)).await;
    let tries = gateway.ask_until_out(&chat()).await;
    assert!(tries <= 5, "{tries}");
    for _ in 0..20 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(answered.trail(), ["second:ok"]);
    }
    first.play(Script::answer("first")).await;
    // No client sends requests: the health check alone finds out.
    within(first.wait_received(1)).await;
    assert_eq!(first.received()[0].path, "/v1/models");
    let back = load(&gateway, |who| who == "first").await;
    assert!(back < Duration::from_secs(10), "{back:?}");
    assert!(gateway.phases().contains(&"half_open_probe"));
    let metrics = gateway.admin("/metrics").await.text();
    let health_checked = "backstop_health_checks_total{result=\"reached\",upstream=\"first\"} 1";
    assert!(metrics.contains(health_checked), "{metrics}");
}

#[tokio::test]
async fn requests_that_wait_for_a_hanging_upstream_are_hedged() {
    let (first, second) = simulators().await;
    let timeouts = "timeouts: {first_token: 6s, idle: 6s}\n";
    let gateway = TestGateway::before(&first, &second, timeouts).await;
    let body = chat_stream();
    // What is usual must be known before anything can be slow.
    for _ in 0..40 {
        gateway.post(CHAT, &body).await;
    }
    first.play(Script::fault(Fault::Hang)).await;
    let start = Instant::now();
    let ask = async || {
        let answered = gateway.post(CHAT, &body).await;
        assert_eq!(stream_text(&answered.text()), ("second".to_owned(), true));
        answered.trail()
    };
    // Slow after four seconds at the earliest; enough of them trip the upstream, and all are hedged.
    let trails = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask());
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?} {trails:?}",
        start.elapsed()
    );
    assert!(
        trails.0.contains(&"first:superseded".to_owned()),
        "{trails:?}"
    );
    within(first.wait_abandoned(8)).await;
    assert!(gateway.phases().contains(&"ejection_hedge"));
}

#[tokio::test]
async fn health_is_shown_and_explained() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::status(500)).await;
    gateway.ask_until_out(&chat()).await;

    let shown = gateway.admin("/api/upstreams").await.json();
    let of = |upstream: &str| -> Value {
        let scopes = shown["scopes"].as_array().unwrap();
        scopes
            .iter()
            .find(|scope| scope["upstream"] == upstream && scope["model"] == "*")
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&of("first")["state"], &of("first")["why"]),
        (&json!("open"), &json!("failures"))
    );
    assert!(of("first")["retry_in_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(of("first")["errors_1m"]["ratio"], json!(1.0));
    assert_eq!(of("second")["state"], "closed");
    assert_eq!(of("second")["errors_1m"]["ratio"], json!(0.0));

    let before = (first.received_count(), second.received_count());
    let explained = gateway
        .admin_post("/api/explain", &json!({"model": "gpt-4o"}))
        .await
        .json();
    let order: Vec<&str> = explained["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| candidate["upstream"].as_str().unwrap())
        .collect();
    assert_eq!(order, ["second", "first"]);
    assert_eq!(explained["candidates"][0]["why"], "healthy");
    assert!(
        explained["candidates"][1]["why"]
            .as_str()
            .unwrap()
            .starts_with("out of rotation for failures"),
        "{explained}"
    );
    assert_eq!(
        (first.received_count(), second.received_count()),
        before,
        "nobody is called"
    );
    let unknown = gateway
        .admin_post("/api/explain", &json!({"modell": "x"}))
        .await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn a_conversation_stays_with_its_upstream_and_conversations_share_by_weight() {
    let (first, second) = simulators().await;
    let candidates = ["first, tier: 1, weight: 3", "second, tier: 1"];
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["*"], &candidates)
        .start()
        .await;
    let mut firsts = 0;
    for session in 0..100 {
        let body = json!({"model": "gpt-4o", "messages": [], "prompt_cache_key": format!("session-{session}")});
        let who = chat_text(&gateway.post(CHAT, &body).await);
        assert_eq!(
            chat_text(&gateway.post(CHAT, &body).await),
            who,
            "session {session}"
        );
        firsts += usize::from(who == "first");
    }
    assert!((60..=90).contains(&firsts), "{firsts} of 100");
}

#[tokio::test]
async fn a_clients_own_retry_starts_somewhere_else() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for (retries, who) in [("0", "first"), ("1", "second"), ("2", "first")] {
        let headers = [
            ("content-type", "application/json"),
            ("x-stainless-retry-count", retries),
        ];
        let answered = gateway
            .send(http::Method::POST, CHAT, &headers, chat().to_string())
            .await;
        assert_eq!(chat_text(&answered), who, "retry {retries}");
    }
}

/// Many clients do not say that they ask again after a stream that broke off.
#[tokio::test]
async fn the_same_request_starts_somewhere_else_after_its_stream_broke_off() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::fault(Fault::CutAfter(2))).await;
    let asking = |text: &str| {
        let mut body = chat_stream();
        body["messages"][0]["content"] = text.into();
        body
    };
    let who = async |text: &str| {
        let answered = gateway.post(CHAT, &asking(text)).await;
        answered.upstream().to_owned()
    };
    assert_eq!(who("how are you?").await, "first");
    first.play(Script::answer("first")).await;
    for _ in 0..2 {
        assert_eq!(who("how are you?").await, "second", "it broke off there");
    }
    assert_eq!(who("who are you?").await, "first", "another request");
}

#[tokio::test]
async fn a_late_first_token_is_hedged_where_the_route_says_so() {
    let (first, second) = simulators().await;
    for (hedge, late) in [(false, "first"), (true, "second")] {
        let hedge_or_not = format!("hedge: {hedge}");
        let gateway = Setup::new()
            .upstream(&first)
            .upstream(&second)
            .route_with(&["*"], &["first", "second"], &hedge_or_not)
            .lines("timeouts: {first_token: 2s}")
            .start()
            .await;
        first.play(Script::answer("first")).await;
        for _ in 0..40 {
            // The usual latency must be known before a request can be late.
            let answered = gateway.post(CHAT, &chat_stream()).await;
            assert_eq!(stream_text(&answered.text()).0, "first");
        }
        let calls = second.received_count();
        first
            .play(Script::answer("first").with_first_token_delay(Duration::from_millis(900)))
            .await;
        let answered = gateway.post(CHAT, &chat_stream()).await;
        assert_eq!(
            stream_text(&answered.text()).0,
            late,
            "{:?}",
            answered.trail()
        );
        assert_eq!(second.received_count() - calls, usize::from(hedge));
        assert_eq!(gateway.phases().contains(&"hedge"), hedge);
        assert_eq!(opened(&gateway), Vec::<String>::new());
    }
}

/// A rejection may be about our translation, and another attempt is in flight already.
#[tokio::test]
async fn a_rejected_translation_does_not_end_a_hedge() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: k")
        .upstream(&second)
        .route_with(&["*"], &["first", "second"], "hedge: true")
        .lines("timeouts: {first_token: 2s}")
        .start()
        .await;
    for _ in 0..40 {
        gateway.post(CHAT, &chat_stream()).await;
    }
    let late = Duration::from_millis(900);
    first
        .play(Script::status(400).with_answer_delay(late))
        .await;
    second
        .play(Script::answer("second").with_first_token_delay(late))
        .await;
    let answered = gateway.post(CHAT, &chat_stream()).await;
    assert_eq!(answered.trail(), ["first:rejected", "second:ok"]);
    assert_eq!(stream_text(&answered.text()).0, "second");
    assert!(gateway.phases().contains(&"hedge"));
}

/// Somebody whose answer needs no translation may still fit.
#[tokio::test]
async fn an_answer_for_which_there_is_no_memory_does_not_end_a_hedge() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: anthropic, api_key: k")
        .upstream(&second)
        .route_with(&["*"], &["first", "second"], "hedge: true")
        .lines("timeouts: {answer: 2s}\nlimits: {body: 1MiB, memory: 2MiB}")
        .start()
        .await;
    for _ in 0..60 {
        gateway.post(CHAT, &chat()).await;
    }
    let late = Duration::from_millis(900);
    let large = Script::answer("word ".repeat(200_000));
    first.play(large.with_answer_delay(late)).await;
    second
        .play(Script::answer("second").with_answer_delay(late))
        .await;
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["first:no_memory", "second:ok"]);
    assert_eq!(chat_text(&answered), "second");
    assert!(gateway.phases().contains(&"hedge"));
}

#[tokio::test]
async fn while_a_domain_is_in_trouble_others_come_first_within_a_tier() {
    let (first, second) = simulators().await;
    let third = Simulator::start("third", Script::answer("third"))
        .await
        .unwrap();
    let cloud = "provider: openai-compatible, domain: cloud";
    let candidates = [
        "first, tier: 1, weight: 1000",
        "second, tier: 2, weight: 1000",
        "third, tier: 2",
    ];
    let gateway = Setup::new()
        .upstream_as(&first, cloud)
        .upstream_as(&second, cloud)
        .upstream_as(&third, "provider: openai-compatible, domain: elsewhere")
        .route(&["*"], &candidates)
        .start()
        .await;
    first.play(Script::status(500)).await;
    gateway.ask_until_out(&chat()).await;
    let before = second.received_count();
    for _ in 0..10 {
        let answered = gateway.post(CHAT, &chat()).await;
        assert_eq!(chat_text(&answered), "third", "{:?}", answered.trail());
    }
    assert_eq!(second.received_count(), before);
}

#[tokio::test]
async fn a_limit_for_one_model_does_not_stop_its_sibling_behind_the_same_pattern() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let limit = Fault::Status {
        code: 429,
        headers: vec![("retry-after".into(), "60".into())],
        body: None,
    };
    first
        .play(Script::fault(limit).with_only_model("limited"))
        .await;
    for model in ["limited", "limited", "other"] {
        let body = json!({"model": model, "messages": []});
        assert_eq!(gateway.post(CHAT, &body).await.status, 200);
    }
    let models = |upstream: &Simulator| -> Vec<Option<String>> {
        upstream.received().iter().map(Received::model).collect()
    };
    let (limited, other) = (Some("limited".to_owned()), Some("other".to_owned()));
    assert_eq!(models(&first), [limited.clone(), other]);
    assert_eq!(models(&second), [limited.clone(), limited]);
}
