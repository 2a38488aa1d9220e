//! The operators' page and what is behind it: the status, live events, actions, the badge, `backstop status`.

use std::process::Stdio;
use std::time::Duration;

use backstop::config::Config;
use backstop::event::Event;
use backstop::simulator::{Fault, Script, Simulator};
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::harness::{
    RealPace, Setup, TestGateway, chat, pass, refusal, simulators, two_upstreams, within,
};

const CHAT: &str = "/v1/chat/completions";
const TOKEN: &str = "the-token-of-the-operators";
const JSON: (&str, &str) = ("content-type", "application/json");
const BEARER: (&str, &str) = ("authorization", "Bearer the-token-of-the-operators");

async fn with_actions(first: &Simulator, second: &Simulator) -> TestGateway {
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: {{listen: \"127.0.0.1:0\", token: {TOKEN}}}\n{}",
        two_upstreams(first, second)
    );
    let config = Config::parse("test", &text, &|_| None);
    TestGateway::start_by(&config.unwrap_or_else(|problems| panic!("{problems}"))).await
}

async fn act(gateway: &TestGateway, path: &str) -> Value {
    let answered = gateway
        .ask_admin(Method::POST, path, &[JSON, BEARER], "{}")
        .await;
    assert_eq!(answered.status, 200, "{path}: {}", answered.text());
    answered.json()
}

/// Waits until so many requests have ended.
async fn ended(gateway: &TestGateway, count: usize) {
    let is_end = |event: &&Event| matches!(event, Event::RequestFinished(_));
    let all_end = async {
        while gateway.events.all().iter().filter(is_end).count() < count {
            tokio::task::yield_now().await;
        }
    };
    within(all_end).await;
}

async fn status(gateway: &TestGateway) -> Value {
    gateway.admin("/api/status").await.json()
}

fn upstream<'a>(status: &'a Value, name: &str) -> &'a Value {
    let mut all = status["upstreams"].as_array().unwrap().iter();
    all.find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("{name}: {status:#}"))
}

/// One key is refused, whatever is asked for; the other one is limited for a model.
#[tokio::test]
async fn the_status_names_a_model_whose_keys_are_closed_for_different_reasons() {
    let (first, second) = simulators().await;
    let two_keys = "provider: openai-compatible, api_keys: [sk-one, sk-two]";
    let setup = Setup::new()
        .upstream_as(&first, two_keys)
        .upstream(&second)
        .route(&["gpt-4o"], &["first", "second"]);
    let gateway = setup.start().await;
    first
        .play(Script::status(401).with_only_key("sk-one"))
        .await;
    let mut one_left = status(&gateway).await;
    while upstream(&one_left, "first")["cooldowns"] == json!([]) {
        assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "first");
        one_left = status(&gateway).await;
    }
    assert_eq!(upstream(&one_left, "first")["state"], "in_rotation");

    let limited = Fault::RateLimited {
        after: Duration::from_secs(60),
    };
    first.play(Script::fault(limited)).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "second");
    let none_left = status(&gateway).await;
    assert_eq!(none_left["condition"], "covered", "{none_left:#}");
    let problem = &none_left["problems"][0];
    let expected = json!(["first", "gpt-4o", "cooling_down", "rate limit"]);
    let said = json!([
        problem["upstream"],
        problem["model"],
        problem["state"],
        problem["because"]
    ]);
    assert_eq!(said, expected, "{none_left:#}");
    lasts_now(problem, &none_left["now"]);
}

/// It has begun, and it says when it ends.
fn lasts_now(problem: &Value, now: &Value) {
    let [since, until] = ["since", "until"].map(|name| problem[name].as_str());
    let now = now.as_str();
    assert!(
        since.is_some() && since <= now && now < until,
        "{problem:#}"
    );
}

#[tokio::test]
async fn a_refused_key_is_shown_with_its_beginning_and_its_next_trial() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    first.play(Script::status(401)).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "second");
    let status = status(&gateway).await;
    let problem = &status["problems"][0];
    assert_eq!(problem["state"], "key_refused", "{status:#}");
    lasts_now(problem, &status["now"]);
    let shown = upstream(&status, "first");
    assert_eq!(shown["since"], problem["since"], "{status:#}");
    assert_eq!(shown["cooldowns"][0]["since"], problem["since"]);
    let well = upstream(&status, "second");
    assert_eq!(
        (&well["since"], &well["cooldowns"]),
        (&Value::Null, &json!([]))
    );
}

#[tokio::test]
async fn the_status_says_what_is_wrong_and_who_answers_instead() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let quiet = status(&gateway).await;
    assert_eq!(quiet["condition"], "well", "{quiet:#}");
    assert_eq!(upstream(&quiet, "first")["state"], "in_rotation");
    assert_eq!(upstream(&quiet, "first")["errors_1m"]["ratio"], Value::Null);

    first.play(Script::status(503)).await;
    gateway.ask_until_out(&chat()).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "second");
    ended(&gateway, second.received_count()).await;
    let during = status(&gateway).await;
    assert_eq!(during["condition"], "covered", "{during:#}");
    let problem = &during["problems"][0];
    assert_eq!(problem["upstream"], "first", "{during:#}");
    assert_eq!(problem["because"], "503 overloaded", "{during:#}");
    assert_eq!(problem["instead"], "second answers instead", "{during:#}");
    assert!(problem["since"].as_str().unwrap().ends_with('Z'));
    let failovers = during["failovers"].as_array().unwrap();
    let sum = |key: &str, value: &str| -> u64 {
        let fitting = failovers.iter().filter(|one| one[key] == value);
        fitting.map(|one| one["requests"].as_u64().unwrap()).sum()
    };
    let answered = second.received_count() as u64;
    assert_eq!(sum("to", "second"), answered, "{during:#}");
    let candidates = &during["routes"][0]["candidates"];
    let why = candidates[0]["why"].as_str().unwrap();
    assert!(why.contains("is out of rotation for failures"), "{why}");
}

#[tokio::test]
async fn if_nobody_is_left_for_a_route_that_is_said() {
    let (first, second) = simulators().await;
    first.play(Script::status(401)).await;
    second.play(Script::status(401)).await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["gpt-4o"], &["first", "second"])
        .start()
        .await;
    assert_ne!(gateway.post(CHAT, &chat()).await.status, 200);
    let alone = status(&gateway).await;
    assert_eq!(alone["condition"], "failing", "{alone:#}");
    let problem = &alone["problems"][0];
    assert_eq!(problem["needs_action"], true, "{alone:#}");
    assert_eq!(problem["instead"], "Nobody answers instead for gpt-4o");
    let text = alone.to_string();
    assert!(!text.contains("first-key") && !text.contains("second-key"));
}

/// Whoever is out of rotation, too, answers nothing instead: neither behind a pattern, nor once it is to be tried again.
#[tokio::test]
async fn nobody_who_is_out_is_said_to_answer_instead() {
    for (pattern, nobody) in [
        ("gpt-4o", "Nobody answers instead for gpt-4o"),
        ("gpt-*", "Nobody answers instead for a model of gpt-*"),
    ] {
        let (first, second) = simulators().await;
        first.play(Script::status(503)).await;
        second.play(Script::status(503)).await;
        let gateway = Setup::new()
            .upstream(&first)
            .upstream(&second)
            .route(&[pattern], &["first", "second"])
            .lines("timeouts: {wait: 0s}")
            .start()
            .await;
        let all = |status: &Value, instead: &str| {
            let problems = status["problems"].as_array().unwrap();
            problems.len() == 2 && problems.iter().all(|one| one["instead"] == instead)
        };
        // Each failure begins a pause in which nobody is tried.
        let mut is_said = false;
        for _ in 0..50 {
            assert_ne!(gateway.post(CHAT, &chat()).await.status, 200);
            let during = status(&gateway).await;
            is_said = all(&during, nobody) && during["condition"] == "failing";
            if is_said {
                break;
            }
        }
        assert!(is_said, "{:#}", status(&gateway).await);
        // Then they are to be tried again, which is no promise.
        pass(Duration::from_secs(60)).await;
        let later = status(&gateway).await;
        assert!(all(&later, ""), "{later:#}");
        // One of them has healed.
        second.play(Script::healthy()).await;
        for _ in 0..200 {
            gateway.post(CHAT, &chat()).await;
            if status(&gateway).await["problems"][0]["instead"] == "second answers instead" {
                break;
            }
        }
        let healed = status(&gateway).await;
        let said = &healed["problems"][0]["instead"];
        assert_eq!(said, "second answers instead", "{healed:#}");
    }
}

/// An upstream lacks the models of two routes, and one of the routes has nobody else.
#[tokio::test]
async fn every_route_without_an_answer_is_named_whatever_model_comes_first() {
    let (first, second) = simulators().await;
    first.play(Script::status(404)).await;
    let gateway = Setup::new()
        .upstream(&first)
        .upstream(&second)
        .route(&["gpt-4o"], &["first", "second"])
        .route(&["only-there"], &["first"])
        .start()
        .await;
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "second");
    let mut body = chat();
    body["model"] = json!("only-there");
    assert_eq!(gateway.post(CHAT, &body).await.status, 404);
    let missing = status(&gateway).await;
    let problem = &missing["problems"][0];
    assert_eq!(problem["what"], "gpt-4o at first is down", "{missing:#}");
    assert_eq!(problem["because"], "model missing", "{missing:#}");
    let instead = "second answers instead, but nobody for only-there";
    assert_eq!(problem["instead"], instead, "{missing:#}");
    assert_eq!(missing["condition"], "failing", "{missing:#}");
}

/// The next event of a stream of the status.
async fn next(events: &mut Incoming, text: &mut String) -> Option<Value> {
    loop {
        if let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.strip_prefix("event: status\ndata: ").unwrap();
            let status = serde_json::from_str(data).unwrap();
            *text = rest.to_owned();
            return Some(status);
        }
        let frame = within(events.frame()).await?.unwrap();
        *text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
}

/// The first event that is as wanted.
async fn until(events: &mut Incoming, text: &mut String, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let status = next(events, text).await.expect("more events");
        if wanted(&status) {
            return status;
        }
    }
    panic!("it did not come")
}

#[tokio::test]
async fn what_changes_is_told_at_once_through_a_reload_until_the_end() {
    let (first, second) = simulators().await;
    let gateway = with_actions(&first, &second).await;
    let answer = gateway.open_admin(Method::GET, "/api/live", &[], "").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut events, mut text) = (answer.into_body(), String::new());
    let begun = next(&mut events, &mut text).await.unwrap();
    assert_eq!(begun["condition"], "well");

    gateway.post(CHAT, &chat()).await;
    let counts = |status: &Value| upstream(status, "first")["errors_1m"]["requests"] == 1;
    until(&mut events, &mut text, counts).await;

    act(&gateway, "/api/upstreams/first/out").await;
    let is_out = |status: &Value| upstream(status, "first")["state"] == "taken_out";
    until(&mut events, &mut text, is_out).await;

    let other =
        Setup::new().upstream_at("other", &second.base_url(), "provider: openai-compatible");
    gateway.gateway.reload(other.config()).await.unwrap();
    let has_other = |status: &Value| status["upstreams"][0]["name"] == "other";
    until(&mut events, &mut text, has_other).await;

    let draining = tokio::spawn(gateway.gateway.drain());
    until(&mut events, &mut text, |status| status["draining"] == true).await;
    // Listeners do not keep the process from ending.
    while next(&mut events, &mut text).await.is_some() {}
    within(draining).await.unwrap();
}

#[tokio::test]
async fn listeners_are_bounded() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let mut open = Vec::new();
    for _ in 0..32 {
        let answer = gateway.open_admin(Method::GET, "/api/live", &[], "").await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    let full = gateway.admin("/api/live").await;
    assert_eq!(full.status, 503, "{}", full.text());
    assert!(!full.header("retry-after").is_empty());
    drop(open);
    for _ in 0..1000 {
        let answer = gateway.open_admin(Method::GET, "/api/live", &[], "").await;
        if answer.status() == 200 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody's place was given to another one");
}

#[tokio::test]
async fn what_is_taken_out_receives_nothing_until_it_is_put_back() {
    let (first, second) = simulators().await;
    let gateway = with_actions(&first, &second).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "first");
    let done = act(&gateway, "/api/upstreams/first/out").await;
    assert_eq!(
        (&done["changed"], &done["unanswered"]),
        (&json!(true), &json!([]))
    );
    let again = act(&gateway, "/api/upstreams/first/out").await;
    assert_eq!(again["changed"], false);
    let received = first.received_count();
    let answered = gateway.post(CHAT, &chat()).await;
    assert_eq!(answered.trail(), ["second:ok"], "it is not even asked");

    // Not as a last resort, not for what is forwarded, and not after a reload with another key.
    second.play(Script::status(500)).await;
    for _ in 0..12 {
        assert_ne!(gateway.post(CHAT, &chat()).await.status, 200);
    }
    gateway
        .post("/v1/audio/speech", &json!({"model": "m"}))
        .await;
    let renewed = two_upstreams(&first, &second).replacen("first-key", "renewed-key", 1);
    let renewed = format!("admin: {{token: {TOKEN}}}\n{renewed}");
    let config = Config::parse("test", &renewed, &|_| None);
    let reloaded = gateway.gateway.reload(config.map_err(|it| it.to_string()));
    reloaded.await.unwrap();
    gateway.post(CHAT, &chat()).await;
    assert_eq!(first.received_count(), received);

    let shown = gateway.admin("/api/upstreams").await.json();
    assert!(
        shown["scopes"][0]["taken_out_for_seconds"].is_number(),
        "{shown:#}"
    );
    let metrics = gateway.admin("/metrics").await.text();
    assert!(metrics.contains("backstop_upstream_taken_out{upstream=\"first\"} 1"));
    let is_told = |event: &Event| matches!(event, Event::TakenOut { .. });
    assert_eq!(
        gateway.events.all().iter().filter(|it| is_told(it)).count(),
        1
    );
    let explained = gateway
        .admin_post("/api/explain", &json!({"model": "m"}))
        .await
        .text();
    assert!(explained.contains("taken out by hand"), "{explained}");

    act(&gateway, "/api/upstreams/first/in").await;
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "first");
    let metrics = gateway.admin("/metrics").await.text();
    assert!(metrics.contains("backstop_upstream_taken_out{upstream=\"first\"} 0"));
}

#[tokio::test]
async fn if_all_are_taken_out_the_client_is_told_so() {
    let (first, second) = simulators().await;
    let gateway = with_actions(&first, &second).await;
    act(&gateway, "/api/upstreams/first/out").await;
    let last = act(&gateway, "/api/upstreams/second/out").await;
    assert_eq!(last["unanswered"], json!(["*"]));
    let answered = gateway.post(CHAT, &chat()).await;
    let error = refusal(&answered, 503, "no_upstream_available");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("an operator has taken out"), "{message}");
    assert_eq!(answered.header("x-should-retry"), "false");
    assert_eq!((first.received_count(), second.received_count()), (0, 0));
    assert_eq!(status(&gateway).await["condition"], "failing");
}

#[tokio::test]
async fn nobody_acts_without_the_token_or_from_elsewhere() {
    let (first, second) = simulators().await;
    let gateway = with_actions(&first, &second).await;
    let wrong = ("authorization", "Bearer the-token-of-the-operator");
    let cases: [(&[(&str, &str)], u16); 8] = [
        (&[JSON], 401),
        (&[JSON, wrong], 401),
        (&[BEARER], 415),
        (&[BEARER, ("content-type", "text/plain")], 415),
        (&[JSON, BEARER, ("origin", "https://evil.example")], 403),
        (&[JSON, BEARER, ("origin", "null")], 403),
        (&[JSON, BEARER, ("sec-fetch-site", "same-site")], 403),
        (&[JSON, BEARER, ("host", "evil.example")], 403),
    ];
    for path in ["/api/upstreams/first/out", "/api/reload"] {
        for (headers, status) in cases {
            let refused = gateway.ask_admin(Method::POST, path, headers, "{}").await;
            assert_eq!(
                refused.status,
                status,
                "{path} {headers:?}: {}",
                refused.text()
            );
        }
        let read = gateway
            .ask_admin(Method::GET, path, &[JSON, BEARER], "")
            .await;
        assert_eq!(read.status, 405, "{path}");
    }
    let unknown = gateway
        .ask_admin(
            Method::POST,
            "/api/upstreams/third/out",
            &[JSON, BEARER],
            "{}",
        )
        .await;
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    let acted = |event: &Event| {
        matches!(
            event,
            Event::TakenOut { .. } | Event::ConfigReloaded { .. } | Event::ConfigRejected { .. }
        )
    };
    assert!(!gateway.events.all().iter().any(acted));
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "first");

    let without = TestGateway::before(&first, &second, "").await;
    let path = "/api/upstreams/first/out";
    let off = without
        .ask_admin(Method::POST, path, &[JSON, BEARER], "{}")
        .await;
    assert_eq!(off.status, 403);
    let told = off.text();
    assert!(
        told.contains("actions are off") && told.contains("token:"),
        "{told}"
    );
    assert_eq!(status(&without).await["actions"], false);
    assert_eq!(without.post(CHAT, &chat()).await.upstream(), "first");
}

#[tokio::test]
async fn a_reload_tells_what_came_of_it() {
    let (first, second) = simulators().await;
    let gateway = with_actions(&first, &second).await;
    let nobody = gateway
        .ask_admin(Method::POST, "/api/reload", &[JSON, BEARER], "{}")
        .await;
    assert_eq!(nobody.status, 501, "{}", nobody.text());

    let mut requests = gateway.gateway.reload_requests();
    let answering = async {
        let request = requests.recv().await.unwrap();
        let broken = gateway.gateway.reload(Err("line 3: no".to_owned())).await;
        request.send(broken).unwrap();
    };
    let asking = gateway.ask_admin(Method::POST, "/api/reload", &[JSON, BEARER], "{}");
    let (refused, ()) = Box::pin(within(async { tokio::join!(asking, answering) })).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(refused.json()["problem"], "line 3: no");
    assert_eq!(status(&gateway).await["config"]["last_reload"]["ok"], false);
    assert_eq!(gateway.post(CHAT, &chat()).await.upstream(), "first");

    let answering = async {
        let request = requests.recv().await.unwrap();
        let more = two_upstreams(&first, &second) + "state_dir: /elsewhere\n";
        let config = Config::parse("test", &more, &|_| None).map_err(|it| it.to_string());
        request.send(gateway.gateway.reload(config).await).unwrap();
    };
    let asking = gateway.ask_admin(Method::POST, "/api/reload", &[JSON, BEARER], "{}");
    let (done, ()) = Box::pin(within(async { tokio::join!(asking, answering) })).await;
    let waiting = done.json()["at_next_start"].to_string();
    assert!(waiting.contains("state_dir"), "{}", done.text());
    assert_eq!(status(&gateway).await["config"]["last_reload"]["ok"], true);
}

#[tokio::test]
async fn the_page_comes_whole_and_only_once() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    for (path, media_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
    ] {
        let file = gateway.admin(path).await;
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.header("content-type"), media_type);
        let policy = file.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let tag = file.header("etag");
        let known = [("if-none-match", tag)];
        let again = gateway.ask_admin(Method::GET, path, &known, "").await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
}

#[tokio::test]
async fn a_badge_is_for_any_page_and_tells_it_nothing() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let badge = gateway.admin("/badge.svg").await;
    assert_eq!(badge.header("content-type"), "image/svg+xml");
    assert!(badge.text().contains("all well"), "{}", badge.text());
    let elsewhere = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-dest", "image"),
    ];
    let on_a_page = gateway
        .ask_admin(Method::GET, "/badge.svg", &elsewhere, "")
        .await;
    assert_eq!(on_a_page.status, 200);
    let foreign = gateway
        .ask_admin(Method::GET, "/badge.svg", &[("host", "evil.example")], "")
        .await;
    assert_eq!(foreign.status, 403);

    first.play(Script::status(503)).await;
    gateway.ask_until_out(&chat()).await;
    for (path, text) in [
        ("/badge.svg", "covered"),
        ("/badge.svg?upstream=first", "down"),
        ("/badge.svg?upstream=second", "in rotation"),
        ("/badge.svg?upstream=%3Cscript%3E", "unknown"),
    ] {
        let drawn = gateway.admin(path).await;
        assert_eq!(drawn.status, 200, "{path}");
        assert!(drawn.text().contains(text), "{path}: {}", drawn.text());
        assert!(!drawn.text().contains("<script>"), "{}", drawn.text());
    }
}

/// The exit code and the output of `backstop status` for a gateway.
async fn backstop_status(address: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let _pace = RealPace::keep();
    let output = Command::new(env!("CARGO_BIN_EXE_backstop"))
        .args(["status", "--admin-listen", address])
        .args(more)
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within(output).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn backstop_status_answers_by_its_exit_code_too() {
    let (first, second) = simulators().await;
    let gateway = TestGateway::before(&first, &second, "").await;
    let address = gateway.gateway.admin_address().to_string();
    let (code, table, _) = backstop_status(&address, &[]).await;
    assert_eq!(code, Some(0), "{table}");
    assert!(table.starts_with("All upstreams are well."), "{table}");
    assert!(
        table.contains("no data") && !table.contains('\x1b'),
        "{table}"
    );

    first.play(Script::status(503)).await;
    gateway.ask_until_out(&chat()).await;
    let (code, table, _) = backstop_status(&address, &[]).await;
    assert_eq!(code, Some(1), "{table}");
    assert!(
        table.contains("(503 overloaded). second answers instead."),
        "{table}"
    );
    for line in table.lines().skip(2) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let (code, text, _) = backstop_status(&address, &["--json"]).await;
    assert_eq!(code, Some(1));
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["condition"], "covered");

    gateway.gateway.drain().await;
    let (code, _, error) = backstop_status(&address, &[]).await;
    assert_eq!(code, Some(2));
    assert!(error.contains("no backstop answers"), "{error}");
}

#[tokio::test]
async fn what_is_no_backstop_cannot_be_asked_for_a_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = tokio::spawn(async move {
        for body in ["[]", "{}", "null"].iter().cycle() {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close");
            let _ = stream
                .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
                .await;
        }
    });
    for _ in 0..3 {
        let (code, table, error) = backstop_status(&address, &[]).await;
        assert_eq!((code, table.as_str()), (Some(2), ""), "{error}");
        assert!(error.contains("is no backstop"), "{error}");
    }
    answering.abort();
}
