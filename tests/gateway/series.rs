//! Which series there are, before anything has happened and after: the reference tells each one's type, labels and meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use backstop::event::Event;
use backstop::simulator::{Fault, Script};
use http::Method;
use serde_json::json;

use crate::harness::{Setup, TestGateway, chat, chat_stream, simulators};
use crate::tls::Identity;

const CHAT: &str = "/v1/chat/completions";

/// All series with their values, by their names and labels as they stand in the text.
async fn series(gateway: &TestGateway) -> BTreeMap<String, f64> {
    let text = gateway.admin("/metrics").await.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

fn sum(series: &BTreeMap<String, f64>, name: &str, labels: &[&str]) -> f64 {
    let found = series.iter().filter(|(series, _)| {
        let (given, rest) = series.split_once('{').unwrap_or((series, ""));
        given == name && labels.iter().all(|label| rest.contains(label))
    });
    found.map(|(_, value)| value).sum()
}

/// A metric as the reference or the exposition has it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
    meaning: String,
}

/// Reads the exposition, of which every line belongs to the family that was announced last.
fn exposed(text: &str) -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (family, meaning) = help.split_once(' ').unwrap();
            name = family.to_owned();
            metrics.entry(name.clone()).or_default().meaning = meaning.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (family, kind) = kind.split_once(' ').unwrap();
            assert_eq!(family, name);
            metrics.get_mut(&name).unwrap().kind = kind.to_owned();
        } else {
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            let names = labels.split("=\"").filter_map(|text| {
                let name = text.rsplit(['"', ',', '{']).next().unwrap();
                (!name.is_empty() && !name.contains(['}', ' '])).then_some(name)
            });
            let of_family = &mut metrics.get_mut(&name).unwrap().labels;
            of_family.extend(names.filter(|name| *name != "le").map(str::to_owned));
        }
    }
    metrics
}

/// Reads the table of the reference: `| name | type | labels | meaning |`.
fn documented() -> BTreeMap<String, Metric> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/reference.md");
    let reference = fs::read_to_string(path).unwrap();
    let (_, section) = reference.split_once("\n## Metrics\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let metrics = rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning] = cells.try_into().expect("four cells");
        let labels = labels.split(", ").map(|label| label.trim_matches('`'));
        let metric = Metric {
            kind: kind.to_owned(),
            labels: labels
                .filter(|label| !label.is_empty())
                .map(str::to_owned)
                .collect(),
            meaning: meaning.to_owned(),
        };
        (name.trim_matches('`').to_owned(), metric)
    });
    metrics.collect()
}

#[tokio::test]
async fn the_reference_tells_the_type_the_labels_and_the_meaning_of_every_metric() {
    let (first, second) = simulators().await;
    let allowance = Script::healthy().with_header("x-ratelimit-limit-requests", "500");
    let allowance = allowance.with_header("x-ratelimit-remaining-requests", "400");
    first
        .play(allowance.with_header("x-ratelimit-reset-requests", "1s"))
        .await;
    let shown = Identity::new();
    let (certificate, key) = (shown.certificate_file(), shown.key_file());
    let (certificate, key) = (certificate.display(), key.display());
    let house = format!("provider: vllm, client_cert: \"{certificate}\", client_key: \"{key}\"");
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .upstream_at("house", "https://127.0.0.1:9/v1", &house)
        .route(
            &["gpt-4o"],
            &["first, capabilities: {retires: 2099-01-01}", "second"],
        )
        .lines("check_models: true\nnotify: [{url: \"http://127.0.0.1:9/\", on: [upstreams]}]")
        .lines("clients: [{name: anna, key: key-of-anna, expires: 2220-01-31}]")
        .start()
        .await;
    let is_checked = |event: &Event| matches!(event, Event::ModelsChecked(_)).then_some(());
    gateway.events.wait_for(is_checked).await;
    let headers = [("x-api-key", "key-of-anna")];
    let ask = || gateway.send(Method::POST, CHAT, &headers, chat().to_string());
    assert_eq!(ask().await.upstream(), "first");
    first.play(Script::status(429)).await;
    assert_eq!(ask().await.upstream(), "second");

    let exposed = exposed(&gateway.admin("/metrics").await.text());
    let rows = exposed.iter().map(|(name, metric)| {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (kind, labels) = (&metric.kind, labels.join(", "));
        format!("| `{name}` | {kind} | {labels} | {} |\n", metric.meaning)
    });
    assert_eq!(
        documented(),
        exposed,
        "the table should be:\n{}",
        rows.collect::<String>()
    );
}

#[tokio::test]
async fn every_series_that_an_outage_needs_is_there_before_it() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let before = series(&gateway).await;
    assert!(
        before
            .iter()
            .all(|(name, value)| !name.contains("_total{") || *value == 0.0)
    );
    for script in [
        Script::status(503),
        Script::status(500),
        Script::status(429),
        Script::fault(Fault::CutAfter(1)),
        Script::status(401),
    ] {
        first.play(script).await;
        for _ in 0..4 {
            gateway.post(CHAT, &chat()).await;
            gateway.post(CHAT, &chat_stream()).await;
        }
    }
    second.play(Script::status(503)).await;
    gateway.post(CHAT, &chat()).await;
    gateway.post(CHAT, &json!({})).await;
    gateway
        .post("/v1/responses", &json!({"model": "gpt-4o", "input": "hi"}))
        .await;
    let after = series(&gateway).await;
    // Gauges tell what is so at the moment, and the phases of attempts are many.
    let is_counter = |name: &str| {
        name.contains("_total{") || name.contains("_bucket{") || name.contains("_count{")
    };
    let new: Vec<&String> = after
        .keys()
        .filter(|name| is_counter(name) && !before.contains_key(*name))
        .filter(|name| !name.contains("phase=") || name.contains("phase=\"normal\""))
        .collect();
    assert!(new.is_empty(), "{new:#?}");
    let moved = ["from=\"first\"", "to=\"second\"", "route=\"*\""];
    assert!(sum(&after, "backstop_fallback_answers_total", &moved) > 4.0);
}

#[tokio::test]
async fn answers_in_place_of_an_upstream_that_is_out_of_rotation_are_counted_with_the_reason() {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let failed_over = gateway.ask_until_out(&chat()).await;
    let asked = first.received_count();
    for _ in 0..20 {
        assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "second");
    }
    assert_eq!(first.received_count(), asked);
    let shown = series(&gateway).await;
    let fallbacks = |labels: &[&str]| sum(&shown, "backstop_fallback_answers_total", labels);
    let over = "passed_over=\"true\"";
    assert_eq!(
        fallbacks(&[
            over,
            "reason=\"out_of_rotation\"",
            "from=\"first\"",
            "to=\"second\""
        ]),
        20.0
    );
    assert_eq!(
        fallbacks(&["passed_over=\"false\"", "reason=\"overloaded\""]),
        failed_over as f64
    );
    assert_eq!(fallbacks(&[]), (failed_over + 20) as f64);
    let failovers = sum(&shown, "backstop_failovers_total", &["from=\"first\""]);
    assert_eq!(failovers, failed_over as f64);
}

/// Its first upstream has answered four requests of the client `team` with two keys, and then failed one. Nobody without a key got
/// in.
async fn used_by_a_team() -> TestGateway {
    let (first, second) = simulators().await;
    let gateway = Setup::new()
        .upstream_as(&first, "provider: openai-compatible, api_keys: [one, two]")
        .upstream(&second)
        .route(&["gpt-4o"], &["first, model: big", "second"])
        .lines("clients: [{name: team, key: abc}, {name: idle, key: def}]")
        .start()
        .await;
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer abc"),
    ];
    let ask = async || {
        gateway
            .send(Method::POST, CHAT, &headers, chat().to_string())
            .await
    };
    for _ in 0..4 {
        assert_eq!(ask().await.upstream(), "first");
    }
    first.play(Script::status(500)).await;
    assert_eq!(ask().await.upstream(), "second");
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 401);
    gateway
}

#[tokio::test]
async fn first_tokens_durations_and_tokens_are_told_by_upstream_model_and_client() {
    let gateway = used_by_a_team().await;
    let shown = series(&gateway).await;
    let of = |name: &str, labels: &[&str]| sum(&shown, name, labels);
    let big = ["upstream=\"first\"", "model=\"big\""];
    for histogram in ["first_token", "duration"] {
        // What failed does not look like a quick answer.
        let name = format!("backstop_upstream_{histogram}_seconds_count");
        assert_eq!(of(&name, &big), 4.0, "{histogram}");
    }
    for kind in ["input", "output"] {
        let kind = format!("kind=\"{kind}\"");
        let tokens = of("backstop_upstream_tokens_total", &[big[0], big[1], &*kind]);
        assert!(tokens > 0.0, "{kind}");
        let of_client = of("backstop_client_tokens_total", &["client=\"team\"", &kind]);
        let of_all = of("backstop_upstream_tokens_total", &[&kind]);
        assert_eq!(of_client, of_all, "{kind}");
    }
    let attempts = |labels: &[&str]| of("backstop_upstream_attempts_total", labels);
    for key in ["key=\"1\"", "key=\"2\""] {
        assert!(
            attempts(&[big[1], key, "result=\"answered\""]) > 0.0,
            "{key}"
        );
    }
    assert_eq!(attempts(&[big[1], "result=\"failed\""]), 1.0);
    assert_eq!(
        attempts(&["upstream=\"second\"", "result=\"answered\""]),
        1.0
    );
    let clients = |client: &str, result: &str| {
        let labels = [
            format!("client=\"{client}\""),
            format!("result=\"{result}\""),
        ];
        of("backstop_client_requests_total", &[&labels[0], &labels[1]])
    };
    assert_eq!(clients("team", "answered"), 5.0);
    assert_eq!(clients("none", "rejected"), 1.0);
    assert!(
        shown.contains_key("backstop_client_requests_total{client=\"idle\",result=\"failed\"}")
    );
}

#[tokio::test]
async fn failures_do_not_look_like_quick_answers() {
    let (first, second) = simulators().await;
    first.play(Script::status(503)).await;
    second.play(Script::status(503)).await;
    let gateway = TestGateway::before(&first, &second, "timeouts: {wait: 0s}").await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 503);
    assert_eq!(gateway.post(CHAT, &json!({})).await.status, 400);
    let shown = series(&gateway).await;
    for name in [
        "backstop_request_duration_seconds_count",
        "backstop_request_first_byte_seconds_count",
        "backstop_upstream_duration_seconds_count",
    ] {
        assert_eq!(sum(&shown, name, &[]), 0.0, "{name}");
    }
}

#[tokio::test]
async fn candidates_that_are_left_and_since_when_an_upstream_is_out_are_gauges() {
    let (first, second) = simulators().await;
    first.play(Script::status(500)).await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let shown = series(&gateway).await;
    let route = ["route=\"*\""];
    assert_eq!(sum(&shown, "backstop_route_candidates", &route), 2.0);
    assert_eq!(
        sum(&shown, "backstop_route_candidates_available", &route),
        2.0
    );
    let scope = ["upstream=\"first\"", "model=\"*\""];
    let since = |shown: &BTreeMap<String, f64>| {
        sum(
            shown,
            "backstop_upstream_state_since_timestamp_seconds",
            &scope,
        )
    };
    let started = shown["process_start_time_seconds"];
    assert!((since(&shown) - started).abs() <= 1.0, "{shown:#?}");
    gateway.ask_until_out(&chat()).await;
    let shown = series(&gateway).await;
    assert_eq!(sum(&shown, "backstop_route_candidates", &route), 2.0);
    assert_eq!(
        sum(&shown, "backstop_route_candidates_available", &route),
        1.0
    );
    assert!(since(&shown) >= started.floor(), "{shown:#?}");
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    ] {
        assert!(shown[name] > 0.0, "{name}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_rate_limit_is_told_by_key() {
    let (first, second) = simulators().await;
    let script = Script::healthy().with_header("x-ratelimit-limit-requests", "500");
    let script = script.with_header("x-ratelimit-remaining-requests", "125");
    first
        .play(script.with_header("x-ratelimit-reset-requests", "45s"))
        .await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let left = async |name: &str| {
        let name = format!(
            "backstop_upstream_rate_limit_remaining_{name}{{key=\"1\",model=\"*\",upstream=\"first\"}}"
        );
        series(&gateway).await.get(&name).copied()
    };
    assert_eq!(left("requests").await, None);
    gateway.post(CHAT, &chat()).await;
    assert_eq!(left("requests").await, Some(125.0));
    assert_eq!(left("ratio").await, Some(0.25));
    first.play(Script::status(429)).await;
    gateway.post(CHAT, &chat()).await;
    assert_eq!(left("requests").await, Some(0.0));
}

#[tokio::test]
async fn a_reload_makes_the_series_of_new_names_and_ends_the_gauges_of_old_ones() {
    let (first, second) = simulators().await;
    let old = Setup::new().upstream(&first).route(&["old"], &["first"]);
    let new = Setup::new().upstream(&second).route(&["new"], &["second"]);
    let gateway = old.start().await;
    let before = series(&gateway).await;
    let has = |series: &BTreeMap<String, f64>, label: &str, is_gauge: bool| {
        let mut names = series.keys().filter(|name| name.contains(label));
        names.any(|name| !is_gauge || name.contains("_state{") || name.contains("_candidates{"))
    };
    assert!(has(&before, "upstream=\"first\"", true) && has(&before, "route=\"old\"", true));
    assert!(!has(&before, "\"second\"", false) && !has(&before, "\"new\"", false));
    let age = "backstop_config_in_use_since_timestamp_seconds";
    assert!(before[age] > 0.0);

    let _ = gateway.gateway.reload(new.config()).await;
    let after = series(&gateway).await;
    assert!(!has(&after, "upstream=\"first\"", true) && !has(&after, "route=\"old\"", true));
    assert!(has(&after, "upstream=\"second\"", true) && has(&after, "route=\"new\"", true));
    let zero = "backstop_requests_total{endpoint=\"messages\",result=\"failed\",route=\"new\",status=\"503\"}";
    assert_eq!(after[zero], 0.0);
    assert_eq!(after["backstop_config_reloads_total{result=\"ok\"}"], 1.0);
    assert_eq!(after["backstop_config_last_reload_successful"], 1.0);
    assert!(after[age] >= before[age]);

    let _ = gateway.gateway.reload(Err("broken".to_owned())).await;
    let rejected = series(&gateway).await;
    assert_eq!(rejected["backstop_config_last_reload_successful"], 0.0);
    assert_eq!(
        rejected["backstop_config_reloads_total{result=\"rejected\"}"],
        1.0
    );
    assert_eq!(rejected[age], after[age]);
}
