//! What is counted of the past: figures by client, upstream and model, and incidents, in memory and over restarts.

use std::time::Duration;

use backstop::event::Event;
use backstop::simulator::Script;
use serde_json::{Value, json};

use crate::harness::{Setup, TestGateway, chat, pass, simulators};

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
