//! What is counted of the past: figures by client, upstream and model, and incidents, in memory and over restarts.

use std::time::Duration;

use backstop::event::Event;
use backstop::outcome::Blame;
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, pass, refusal, simulators};

/// What the operators' address says at a path.
async fn ask(gateway: &TestGateway, path: &str) -> Value {
    let answered = gateway.admin(path).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    answered.json()
}

async fn availability(gateway: &TestGateway) -> Value {
    ask(gateway, "/api/availability").await
}

/// Waits until so many requests have ended.
async fn ended(gateway: &TestGateway, count: usize) {
    let mut seen = 0;
    let finished = move |event: &Event| {
        seen += usize::from(matches!(event, Event::RequestFinished(_)));
        (seen >= count).then_some(())
    };
    gateway.events.wait_for(finished).await;
}

#[tokio::test]
async fn clients_upstreams_and_models_have_figures_and_who_has_no_traffic_has_none() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["gpt-4o"], &["first", "second, model: other"])
        .start()
        .await;
    let nothing = availability(&gateway).await;
    assert_eq!(nothing["clients"]["90d"], Value::Null);
    assert_eq!(nothing["upstreams"][1]["windows"]["1m"], Value::Null);
    assert_eq!(nothing["store"], "in memory only: there is no state_dir");

    gateway.post("/v1/chat/completions", &chat()).await;
    first.play(Script::status(503)).await;
    let answered = gateway.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answered.upstream(), "second");
    ended(&gateway, 2).await;

    let said = availability(&gateway).await;
    for window in ["1m", "5m", "1h", "24h", "7d", "30d", "90d"] {
        let clients = &said["clients"][window];
        assert_eq!(clients["requests"], 2, "{window}: {clients:#}");
        assert_eq!(clients["failed"], 0);
        assert_eq!(clients["saved"], 1);
        assert_eq!(clients["by_requests"], 100.0);
        assert_eq!(clients["by_time"], 100.0);
        assert!(clients["total_ms"]["p50"].is_u64());
        assert!(clients["tokens"]["output"].as_u64() > Some(0));
    }
    let first = &said["upstreams"][0];
    assert_eq!(first["name"], "first");
    assert_eq!(first["models"][0]["name"], "gpt-4o");
    let figures = &first["windows"]["1h"];
    assert_eq!(first["models"][0]["windows"]["1h"], *figures);
    let failed = figures["failed"].as_u64().unwrap();
    assert_eq!(figures["failures"], json!({ "overloaded": failed }));
    assert_eq!(figures["requests"], failed + 1);
    assert_eq!(figures["by_time"], 0.0);
    let second = &said["upstreams"][1];
    assert_eq!(second["models"][0]["name"], "other");
    assert_eq!(second["windows"]["1h"]["requests"], 1);
    assert_eq!(second["windows"]["1h"]["failed"], 0);

    let steps = ask(&gateway, "/api/history?span=24h").await;
    assert_eq!(steps["step"], "1h");
    let points = steps["clients"].as_array().unwrap();
    assert_eq!(points.len(), 24);
    let requests = points
        .iter()
        .filter_map(|point| point["figures"]["requests"].as_u64());
    assert_eq!(requests.sum::<u64>(), 2);
    assert_eq!(gateway.admin("/api/history?span=2h").await.status, 400);
}

#[tokio::test]
async fn what_nobody_could_be_asked_for_is_counted_by_the_reason() {
    let limited = Fault::RateLimited {
        after: Duration::from_secs(30),
    };
    for (script, kinds) in [
        (Script::fault(limited), json!({"rate_limited": 3})),
        (
            Script::status(401),
            json!({"key_refused": 2, "unauthorized": 1}),
        ),
    ] {
        let only = Simulator::start("only", script).await.unwrap();
        let setup = Setup::new().upstream(&only);
        let gateway = setup
            .route_with(&["*"], &["only"], "wait: 0s")
            .start()
            .await;
        for _ in 0..3 {
            gateway.post("/v1/chat/completions", &chat()).await;
        }
        ended(&gateway, 3).await;
        assert_eq!(only.received_count(), 1);
        let clients = &availability(&gateway).await["clients"]["1m"];
        assert_eq!(clients["failures"], kinds, "{clients:#}");
    }
}

/// A client that asks for what nobody can do must not look like an outage.
#[tokio::test]
async fn a_request_that_is_wrong_itself_is_no_failure_also_where_nobody_was_asked_to_say_so() {
    let only = Simulator::start("only", Script::healthy()).await.unwrap();
    let gateway = Setup::new()
        .upstream_as(
            &only,
            "provider: openai-compatible, capabilities: {n: false}",
        )
        .route(&["*"], &["only"])
        .start()
        .await;
    let mut several = chat();
    several["n"] = json!(2);
    let refused = gateway.post("/v1/chat/completions", &several).await;
    refusal(&refused, 400, "unsupported_by_upstreams");
    let answered = gateway.post("/v1/chat/completions", &chat()).await;
    assert_eq!(answered.status, 200);
    ended(&gateway, 2).await;
    let clients = &availability(&gateway).await["clients"]["1m"];
    let counted = ["requests", "failed", "rejected"].map(|name| clients[name].clone());
    assert_eq!(counted, [1, 0, 1].map(Value::from), "{clients:#}");
}

#[tokio::test]
async fn an_outage_is_one_incident_with_the_numbers_that_upstreams_and_clients_counted() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::status(503)).await;
    let asked = gateway.ask_until_out(&chat()).await;
    let failures = first.received_count();
    gateway.post("/v1/chat/completions", &chat()).await;
    ended(&gateway, asked + 1).await;
    let said = ask(&gateway, "/api/incidents").await;
    let incidents = said["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 1, "{said:#}");
    let incident = &incidents[0];
    assert_eq!(incident["upstream"], "first");
    assert_eq!(incident["ended_at"], Value::Null);
    assert_eq!(incident["requests"], failures);
    assert_eq!(incident["moved"], asked + 1);
    assert_eq!(incident["noticed"], 0);
    assert!(incident["words"].is_string(), "{incident:#}");

    first.play(Script::healthy()).await;
    for _ in 0..300 {
        pass(Duration::from_secs(2)).await;
        gateway.post("/v1/chat/completions", &chat()).await;
        let said = ask(&gateway, "/api/incidents?since=1h").await;
        assert_eq!(said["incidents"].as_array().unwrap().len(), 1, "{said:#}");
        if said["incidents"][0]["ended_at"].is_string() {
            return;
        }
    }
    panic!("it never ended");
}

/// Errors now and then, then an upstream that is dead, then one that has healed: it opens and heals more than once.
#[tokio::test]
async fn an_outage_that_comes_and_goes_is_one_incident_and_nothing_of_it_is_counted_twice() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let mut asked = 0;
    first.play(Script::status(503).with_share(0.3, 11)).await;
    for _ in 0..60 {
        assert_eq!(
            gateway.post("/v1/chat/completions", &chat()).await.status,
            200
        );
        pass(Duration::from_millis(500)).await;
        asked += 1;
    }
    first.play(Script::status(503)).await;
    asked += gateway.ask_until_out(&chat()).await;
    first.play(Script::healthy()).await;
    let mut is_over = false;
    for _ in 0..300 {
        pass(Duration::from_secs(1)).await;
        gateway.post("/v1/chat/completions", &chat()).await;
        asked += 1;
        let said = ask(&gateway, "/api/incidents").await;
        is_over = said["incidents"][0]["ended_at"].is_string();
        if is_over {
            break;
        }
    }
    assert!(is_over, "it never ended");
    ended(&gateway, asked).await;
    let events = gateway.events.all();
    let failed = events.iter().filter(|event| {
        matches!(event, Event::AttemptFinished { report, .. }
            if report.upstream.as_ref() == "first" && report.outcome.blame() == Blame::Upstream)
    });
    let moved = events.iter().filter(
        |event| matches!(event, Event::RequestFinished(report) if report.in_place_of.is_some()),
    );
    let said = ask(&gateway, "/api/incidents").await;
    let incidents = said["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 1, "{said:#}");
    assert_eq!(incidents[0]["requests"], failed.clone().count(), "{said:#}");
    assert_eq!(incidents[0]["moved"], moved.count());
    assert_eq!(incidents[0]["noticed"], 0);
    let figures = availability(&gateway).await;
    let first = &figures["upstreams"][0]["windows"]["24h"];
    assert_eq!(first["failed"], failed.count());
    assert_eq!(figures["clients"]["24h"]["requests"], asked);
    assert_eq!(figures["clients"]["24h"]["by_time"], 100.0);
}

#[tokio::test]
async fn without_a_history_there_is_none_and_that_is_said() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "history: false\n").await;
    assert_eq!(
        gateway.post("/v1/chat/completions", &chat()).await.status,
        200
    );
    for path in ["/api/availability", "/api/history", "/api/incidents"] {
        let answered = gateway.admin(path).await;
        assert_eq!(answered.status, 404, "{path}");
        assert!(answered.text().contains("history: false"), "{path}");
    }
}

#[tokio::test]
async fn a_restart_in_the_same_folder_keeps_the_figures() {
    let (first, second) = simulators().await;
    let folder = tempfile::tempdir().unwrap();
    let state = format!("state_dir: {}\n", folder.path().display());
    let gateway = TestGateway::before(&first, &second, &state).await;
    for _ in 0..3 {
        gateway.post("/v1/chat/completions", &chat()).await;
    }
    ended(&gateway, 3).await;
    let before = availability(&gateway).await;
    assert_eq!(before["store"], "in history.redb");
    gateway.gateway.drain().await;

    // The last of it lets go of the file.
    let after = TestGateway::before(&first, &second, &state).await;
    let again = availability(&after).await;
    for window in ["1h", "90d"] {
        assert_eq!(
            again["clients"][window], before["clients"][window],
            "{again:#}"
        );
        assert_eq!(again["clients"][window]["requests"], 3);
    }
}
