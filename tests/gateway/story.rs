//! One outage after the other, told everywhere with the same numbers: those that clients and upstreams have counted.

use backstop::event::{Event, HealthChange};
use backstop::simulator::{Script, Simulator};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Setup, TestGateway, chat, simulators};

const CHAT: &str = "/v1/chat/completions";

/// What clients have counted.
#[derive(Default)]
struct Clients {
    answered: u64,
    rejected: u64,
    failed: u64,
}

impl Clients {
    async fn ask(&mut self, gateway: &TestGateway, model: &str, times: usize) {
        let mut body = chat();
        body["model"] = model.into();
        for _ in 0..times {
            match gateway.post(CHAT, &body).await.status {
                200 => self.answered += 1,
                400 => self.rejected += 1,
                _ => self.failed += 1,
            }
        }
    }

    /// Asks until health has changed so often.
    async fn ask_until(
        &mut self,
        gateway: &TestGateway,
        changes: usize,
        is_it: fn(&HealthChange) -> bool,
    ) {
        let started = std::time::SystemTime::now();
        loop {
            let events = gateway.events.all();
            let changed = events
                .iter()
                .filter(|event| matches!(event, Event::HealthChanged(change) if is_it(change)));
            if changed.count() >= changes {
                return;
            }
            let waited = started.elapsed().unwrap_or_default();
            assert!(waited < PATIENCE, "health does not change");
            self.ask(gateway, "gpt-4o", 1).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn has_opened(change: &HealthChange) -> bool {
    matches!(change, HealthChange::Opened { .. })
}

fn has_healed(change: &HealthChange) -> bool {
    matches!(change, HealthChange::Healed { .. })
}

/// The sum of all series of this name with this label.
fn sum(metrics: &str, name: &str, label: &str) -> u64 {
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")));
    let values = lines
        .filter(|line| line.contains(label))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap());
    values.sum::<f64>() as u64
}

async fn figures(gateway: &TestGateway) -> (Value, Vec<Value>) {
    let said = gateway.admin("/api/availability").await.json();
    let upstreams = said["upstreams"].as_array().unwrap();
    let of_upstreams = upstreams
        .iter()
        .map(|upstream| upstream["windows"]["24h"].clone());
    (said["clients"]["24h"].clone(), of_upstreams.collect())
}

/// Metrics and figures agree with what an upstream has received.
fn agrees(upstream: &Simulator, figures: &Value, metrics: &str) {
    let received = upstream.received_count() as u64;
    let label = format!("upstream=\"{}\"", upstream.name());
    assert_eq!(
        sum(metrics, "backstop_attempts_total", &label),
        received,
        "{label}"
    );
    assert_eq!(figures["requests"], received, "{label}: {figures:#}");
    let failures = figures["failures"].as_object().unwrap();
    let failed: u64 = failures.values().filter_map(Value::as_u64).sum();
    assert_eq!(figures["failed"], failed, "{figures:#}");
    for (outcome, count) in failures {
        let shown: u64 = metrics
            .lines()
            .filter(|line| line.starts_with("backstop_attempts_total{") && line.contains(&label))
            .filter(|line| line.contains(&format!("outcome=\"{outcome}\"")))
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .sum();
        assert_eq!(*count, shown, "{outcome} at {label}");
    }
}

#[tokio::test]
async fn outages_are_told_everywhere_with_the_numbers_of_clients_and_upstreams() {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["gpt-4o", "gpt-4o-mini"], &["first", "second"])
        .start()
        .await;
    let mut clients = Clients::default();
    clients.ask(&gateway, "gpt-4o", 20).await;
    first.play(Script::status(503).with_share(0.3, 7)).await;
    clients.ask(&gateway, "gpt-4o", 12).await;
    first.play(Script::status(503)).await;
    clients.ask_until(&gateway, 1, has_opened).await;
    clients.ask(&gateway, "gpt-4o", 20).await;
    first.play(Script::healthy()).await;
    clients.ask_until(&gateway, 1, has_healed).await;
    first.play(Script::status(400)).await;
    second.play(Script::status(400)).await;
    clients.ask(&gateway, "gpt-4o", 10).await;
    second.play(Script::healthy()).await;
    first
        .play(Script::status(500).with_only_model("gpt-4o-mini"))
        .await;
    clients.ask(&gateway, "gpt-4o-mini", 20).await;

    let metrics = gateway.admin("/metrics").await.text();
    let (of_clients, of_upstreams) = figures(&gateway).await;
    agrees(&first, &of_upstreams[0], &metrics);
    agrees(&second, &of_upstreams[1], &metrics);

    assert_eq!(clients.failed, 0);
    assert_eq!(of_clients["requests"], clients.answered, "{of_clients:#}");
    assert_eq!(of_clients["rejected"], clients.rejected);
    assert_eq!(of_clients["failed"], 0);
    let requests = |label| sum(&metrics, "backstop_requests_total", label);
    assert_eq!(requests("result=\"answered\""), clients.answered);
    assert_eq!(requests("result=\"rejected\""), clients.rejected);
    let skipped = sum(
        &metrics,
        "backstop_fallback_answers_total",
        "passed_over=\"true\"",
    );
    assert_eq!(of_clients["passed_over"], skipped);

    // One incident for the outage, and one for the model; nobody noticed either.
    let incidents = gateway.admin("/api/incidents").await.json();
    let incidents = incidents["incidents"].as_array().unwrap();
    assert!((1..=2).contains(&incidents.len()), "{incidents:#?}");
    for incident in incidents {
        assert_eq!(incident["noticed"], 0, "{incident:#}");
        assert_eq!(incident["upstream"], "first");
    }
    let failed = of_upstreams[0]["failed"].as_u64().unwrap();
    let told = incidents
        .iter()
        .filter_map(|incident| incident["requests"].as_u64());
    assert!(told.sum::<u64>() <= failed, "{incidents:#?}");
    let status = gateway.admin("/api/status").await.json();
    let in_minutes = &status["clients"]["5m"];
    assert_eq!(in_minutes["requests"], clients.answered, "{in_minutes}");
    assert_eq!(in_minutes["failed"], json!(0));
}
