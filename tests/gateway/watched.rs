//! What a Prometheus that scrapes backstop tells whoever is on call: alerts, the answers to eight questions, a dashboard.

pub(crate) mod prometheus;

use std::fs;
use std::time::Duration;

use backstop::event::Event;
use backstop::simulator::{Script, Simulator};
use serde_json::{Value, json};
use tokio::time::sleep;

use self::prometheus::{Prometheus, root};
use crate::harness::{Setup, TestGateway, chat, simulators};

const CHAT: &str = "/v1/chat/completions";
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(50);

fn ask_for(model: &str) -> Value {
    let mut body = chat();
    body["model"] = model.into();
    body
}

fn operators(gateway: &TestGateway) -> String {
    gateway.gateway.admin_address().to_string()
}

/// Sends these requests in turn, for as long as it is polled.
async fn keep_asking(gateway: &TestGateway, bodies: &[Value]) {
    for body in bodies.iter().cycle() {
        gateway.post(CHAT, body).await;
        sleep(PAUSE).await;
    }
}

async fn before(first: &Simulator, second: &Simulator) -> TestGateway {
    Setup::new()
        .upstream(first)
        .upstream(second)
        .route(&["gpt-4o"], &["first", "second"])
        .route(&["big"], &["first", "second"])
        .start()
        .await
}

/// Asks well for a while, and then every other time with what all upstreams reject.
async fn begin_to_ask_wrongly(gateway: &TestGateway) {
    let right = ask_for("gpt-4o");
    for _ in 0..25 {
        gateway.post(CHAT, &right).await;
        sleep(PAUSE).await;
    }
    let mut wrong = ask_for("gpt-4o");
    wrong["messages"][0]["content"] = "wrong".into();
    keep_asking(gateway, &[wrong, right]).await;
}

/// What fires about an upstream that is dead.
const DOWN: &[&str] = &["BackstopFallbackServes", "BackstopUpstreamDown"];
/// What fires about each gateway, and nothing else.
const ALERTS: [(&str, &[&str]); 5] = [
    ("healthy", &[]),
    ("outage", DOWN),
    ("model", &["BackstopFallbackServes", "BackstopModelDown"]),
    ("storm", &["BackstopRejectionsJump"]),
    ("errors", &["BackstopUpstreamErrors"]),
];

async fn each_gateway_has_had_its_alerts(prometheus: &Prometheus) {
    let fired = async |instance: &str, alert: &str| {
        let labels = format!("alertstate=\"firing\",alertname=\"{alert}\",instance=\"{instance}\"");
        let query = format!("count_over_time(ALERTS{{{labels}}}[1h])");
        prometheus.until(&query, |found| !found.is_empty()).await;
    };
    for (instance, alerts) in ALERTS {
        for alert in alerts {
            fired(instance, alert).await;
        }
    }
    // Who fails three of ten is out of rotation most of the time.
    fired("many", "BackstopFallbackServes").await;
    for (instance, alerts) in ALERTS {
        let so_far = prometheus.alerts_so_far(instance).await;
        assert_eq!(so_far, alerts, "{instance}");
    }
    let many = prometheus.alerts_so_far("many").await;
    let about_first = ["Fallback", "Model", "Upstream"].map(|start| format!("Backstop{start}"));
    let is_expected = |alert: &String| about_first.iter().any(|start| alert.starts_with(start));
    assert!(many.iter().all(is_expected), "{many:?}");
}

#[tokio::test]
async fn each_outage_fires_its_alerts_and_no_others() {
    let (well, second) = simulators().await;
    let upstream = async |script: Script| Simulator::start("first", script).await.unwrap();
    let dead = upstream(Script::healthy()).await;
    let flaky = upstream(Script::status(500).with_share(0.1, 7)).await;
    let flakier = upstream(Script::status(500).with_share(0.3, 7)).await;
    let one_model = upstream(Script::status(500).with_only_model("big")).await;
    let strict = upstream(Script::status(400).with_only_body("wrong")).await;
    let strict_too = Script::status(400).with_only_body("wrong");
    let strict_too = Simulator::start("second", strict_too).await.unwrap();
    let healthy = before(&well, &second).await;
    let outage = before(&dead, &second).await;
    let errors = before(&flaky, &second).await;
    let many = before(&flakier, &second).await;
    let model = before(&one_model, &second).await;
    let storm = before(&strict, &strict_too).await;
    let prometheus = Prometheus::watching(&[
        ("healthy", operators(&healthy)),
        ("outage", operators(&outage)),
        ("errors", operators(&errors)),
        ("many", operators(&many)),
        ("model", operators(&model)),
        ("storm", operators(&storm)),
    ])
    .await;

    let usual = [ask_for("gpt-4o"), ask_for("big")];
    let alerts = async {
        let few = "backstop_client_requests_total{instance=\"storm\",result=\"answered\"} > 20";
        prometheus.until(few, |found| !found.is_empty()).await;
        dead.play(Script::status(503)).await;
        prometheus.until_alerts("outage", DOWN).await;
        dead.play(Script::healthy()).await;
        prometheus.until_alerts("outage", &[]).await;
        each_gateway_has_had_its_alerts(&prometheus).await;
    };
    let traffic = async {
        tokio::join!(
            keep_asking(&healthy, &usual),
            keep_asking(&outage, &usual),
            keep_asking(&errors, &usual),
            keep_asking(&many, &usual),
            keep_asking(&model, &usual),
            begin_to_ask_wrongly(&storm),
        )
    };
    tokio::select! {
        () = alerts => {}
        _ = traffic => panic!("clients do not end"),
    }
}

/// Everything that a question or a panel is about: an outage, errors that clients see, a refused key, a rate limit, a model that
/// retires.
async fn trouble() -> (Simulator, Simulator, Simulator, TestGateway) {
    let (first, second) = simulators().await;
    let limited = Script::healthy()
        .with_header("x-ratelimit-limit-requests", "500")
        .with_header("x-ratelimit-remaining-requests", "400")
        .with_header("x-ratelimit-reset-requests", "1s");
    first.play(limited).await;
    let refused = Simulator::start("refused", Script::status(401))
        .await
        .unwrap();
    let gateway = Setup::new()
        .upstream_as(&first, "provider: openai-compatible, api_keys: [one, two]")
        .upstream(&refused)
        .upstream(&second)
        .route(
            &["gpt-4o"],
            &[
                "first, capabilities: {retires: 2099-01-01}",
                "refused",
                "second",
            ],
        )
        .lines("check_models: true\ntimeouts: {wait: 0s}")
        .start()
        .await;
    let is_checked = |event: &Event| matches!(event, Event::ModelsChecked(_)).then_some(());
    gateway.events.wait_for(is_checked).await;
    (first, refused, second, gateway)
}

#[tokio::test]
async fn the_eight_questions_and_every_panel_have_answers_in_an_outage() {
    let (first, _refused, second, gateway) = trouble().await;
    let prometheus = Prometheus::watching(&[("a", operators(&gateway))]).await;
    let has = async |query: &str| prometheus.until(query, |found| !found.is_empty()).await;
    let bodies = [json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})];
    let answers = async {
        has("backstop_upstream_rate_limit_remaining_ratio{upstream=\"first\"} == 0.8").await;
        second.play(Script::status(503)).await;
        first.play(Script::status(503)).await;
        has("backstop_requests_total{result=\"failed\"} > 3").await;
        second.play(Script::healthy()).await;
        has("backstop_fallback_answers_total{passed_over=\"true\",from=\"first\"} > 20").await;
        has("backstop_attempts_total{phase=\"half_open_probe\",upstream=\"first\"} > 1").await;
        the_questions_are_answered(&prometheus).await;
        every_panel_has_data(&prometheus).await;
    };
    tokio::select! {
        () = answers => {}
        () = keep_asking(&gateway, &bodies) => panic!("clients do not end"),
    }
}

/// Labels of a series that a query must find.
type Labels = &'static [(&'static str, &'static str)];

/// What each query of a question must find.
const ANSWERS: [(&str, &[Labels]); 8] = [
    (
        "Is anything down now?",
        &[&[("upstream", "first"), ("model", "gpt-4o")]],
    ),
    (
        "Since when?",
        &[&[("upstream", "first"), ("model", "gpt-4o")]],
    ),
    (
        "Do clients feel it?",
        &[
            &[("route", "gpt-4o"), ("result", "failed")],
            &[("route", "gpt-4o")],
        ],
    ),
    (
        "Who answers instead of whom, and how much?",
        &[
            &[
                ("from", "first"),
                ("to", "second"),
                ("reason", "out_of_rotation"),
                ("passed_over", "true"),
            ],
            &[("route", "gpt-4o"), ("to", "second")],
        ],
    ),
    (
        "Is it one model, one key or the whole provider?",
        &[
            &[("upstream", "first"), ("model", "gpt-4o"), ("key", "2")],
            &[
                ("upstream", "refused"),
                ("key", "1"),
                ("reason", "credential"),
            ],
        ],
    ),
    ("How slow is the first token?", &[&[("upstream", "second")]]),
    (
        "What does it cost, and how much is left?",
        &[
            &[
                ("upstream", "second"),
                ("model", "gpt-4o"),
                ("kind", "output"),
            ],
            &[("client", "none"), ("kind", "input")],
            &[("upstream", "first"), ("key", "1")],
        ],
    ),
    (
        "Are we about to run out of candidates?",
        &[&[("route", "gpt-4o")]],
    ),
];

async fn the_questions_are_answered(prometheus: &Prometheus) {
    let page = fs::read_to_string(root("src/guide/queries.md")).unwrap();
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), ANSWERS.len());
    for (section, (question, expected)) in sections.iter().zip(ANSWERS) {
        assert_eq!(section.lines().next(), Some(question));
        let queries = section.split("```promql\n").skip(1);
        let queries: Vec<&str> = queries
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        assert_eq!(queries.len(), expected.len(), "{question}");
        for (query, labels) in queries.iter().zip(expected) {
            let fits = |series: &(Value, f64)| {
                let mut labels = labels.iter();
                labels.all(|(name, value)| series.0[*name] == *value) && series.1.is_finite()
            };
            let found = |series: &[(Value, f64)]| series.iter().any(fits);
            prometheus.until(query, found).await;
        }
    }
}

/// Each query of the dashboard, with its variables replaced as Grafana does.
async fn every_panel_has_data(prometheus: &Prometheus) {
    let dashboard = fs::read_to_string(root("deploy/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut count = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$__rate_interval", "1m");
            let query = ["$instance", "$upstream", "$route"]
                .iter()
                .fold(query, |query, variable| query.replace(variable, ".*"));
            assert!(!query.contains('$'), "{query}");
            prometheus.until(&query, |found| !found.is_empty()).await;
            count += 1;
        }
    }
    assert!(count > 30, "the panels were not found");
}

#[test]
fn every_alert_has_a_severity_a_summary_a_paragraph_and_a_test() {
    let read = |path: &str| fs::read_to_string(root(path)).unwrap();
    let (rules, tests) = (read("deploy/rules.yml"), read("deploy/rules.test.yml"));
    let (runbook, operations) = (
        read("src/guide/runbook.md"),
        read("src/guide/operations.md"),
    );
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 15);
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        assert!(alert.contains("labels: {severity: "), "{name}");
        assert!(alert.contains("summary: \""), "{name}");
        let link = format!("runbook: src/guide/runbook.md#{}\n", name.to_lowercase());
        assert!(alert.contains(&link), "{name}");
        assert!(operations.contains(&format!("`{name}`")), "{name}");
        let (_, paragraph) = runbook.split_once(&format!("\n## `{name}`\n")).expect(name);
        let paragraph = paragraph.split("\n## ").next().unwrap();
        for part in ["*Meaning:*", "*Clients*", "*Do*", "*It ends*"] {
            assert!(paragraph.contains(part), "{name}: {part}");
        }
        let of_alert = tests
            .split("- ")
            .filter(|check| check.contains(&format!("alertname: {name}")));
        let fires = of_alert
            .clone()
            .filter(|check| check.contains("exp_alerts"))
            .count();
        assert!(fires > 0 && of_alert.count() > fires, "{name}");
    }
}
