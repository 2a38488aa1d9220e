//! Keys from files and commands: they are renewed under load, and nobody notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use backstop::config::Config;
use backstop::event::Event;
use backstop::gateway::Gateway;
use backstop::simulator::{Fault, Script, Simulator};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Setup, TestGateway, chat, chat_stream, chat_text, simulators, stream_text};

const CHAT: &str = "/v1/chat/completions";
const OLD: &str = "sk-the-old-key-1";
const NEW: &str = "sk-the-new-key-2";

/// Refuses this key, and repeats it as some providers do.
fn refusing(key: &str) -> Script {
    let body = json!({"error": {"message": format!("Incorrect API key provided: {key}"), "code": "invalid_api_key"}});
    Script::fault(Fault::Status {
        code: 401,
        headers: vec![("x-key".to_owned(), key.to_owned())],
        body: Some(body.to_string()),
    })
    .with_only_key(key)
}

async fn with_key(source: &str, first: &Simulator) -> TestGateway {
    let keys = format!("provider: openai-compatible, {source}");
    Setup::new().upstream_as(first, &keys).start().await
}

fn keys_seen(simulator: &Simulator) -> Vec<String> {
    let received = simulator.received();
    let keys = received.iter().map(|request| {
        let value = request.header("authorization").unwrap();
        value.strip_prefix("Bearer ").unwrap().to_owned()
    });
    keys.collect()
}

fn renewals(gateway: &TestGateway) -> Vec<bool> {
    let events = gateway.events.all();
    let renewals = events.iter().filter_map(|event| match event {
        Event::KeyRenewed { failure, .. } => Some(failure.is_none()),
        _ => None,
    });
    renewals.collect()
}

async fn renewed(gateway: &TestGateway, is_wanted: bool) {
    let is_there = |event: &Event| match event {
        Event::KeyRenewed { failure, .. } if failure.is_none() == is_wanted => Some(()),
        _ => None,
    };
    gateway.events.wait_for(is_there).await;
}

/// Replaces a file in one step.
fn replace(file: &Path, text: &str) {
    let next = file.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, file).unwrap();
}

#[tokio::test]
async fn a_key_file_that_changes_under_load_costs_no_request() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, format!("{OLD}\n")).unwrap();
    let (first, _) = simulators().await;
    first.play(refusing(NEW)).await;
    let gateway = with_key(&format!("api_key_file: {}", file.display()), &first).await;
    for round in 0..40 {
        if round == 20 {
            // The old key is revoked in the same moment.
            replace(&file, NEW);
            first.play(refusing(OLD)).await;
        }
        let bodies = [chat_stream(), chat_stream(), chat_stream(), chat_stream()];
        let asked = bodies.each_ref().map(|body| gateway.post(CHAT, body));
        let [a, b, c, d] = asked;
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        for answered in [a, b, c, d] {
            let expected = ("Hello from first.".to_owned(), true);
            assert_eq!(stream_text(&answered.text()), expected, "{answered:?}");
            assert_eq!(answered.trail(), ["first:ok"]);
        }
    }
    assert_eq!(renewals(&gateway), [true]);
    let seen = keys_seen(&first);
    assert_eq!(seen.last().unwrap(), NEW);
    let refused = seen.len() - 160;
    assert!(
        (1..=4).contains(&refused),
        "{refused} requests met the old key"
    );
}

#[tokio::test]
async fn a_new_key_is_found_before_the_old_one_is_refused() {
    // As Kubernetes replaces a secret: the file is a link through a folder that is a link.
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, key) in [("v1", OLD), ("v2", NEW)] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("key"), key).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/key", at("key")).unwrap();
    let (first, _) = simulators().await;
    let gateway = with_key(&format!("api_key_file: {}", at("key").display()), &first).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    symlink("v2", at("..next")).unwrap();
    fs::rename(at("..next"), at("..data")).unwrap();
    renewed(&gateway, true).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    assert_eq!(keys_seen(&first), [OLD, NEW]);
}

#[tokio::test]
async fn a_key_that_cannot_be_renewed_stays_and_is_told_of() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, OLD).unwrap();
    let (first, _) = simulators().await;
    let gateway = with_key(&format!("api_key_file: {}", file.display()), &first).await;
    fs::remove_file(&file).unwrap();
    renewed(&gateway, false).await;
    assert_eq!(
        chat_text(&gateway.post(CHAT, &chat()).await),
        "Hello from first."
    );
    let metrics = gateway.admin("/metrics").await.text();
    let line = "backstop_key_renewals_total{result=\"failed\",upstream=\"first\"}";
    assert!(metrics.contains(line), "{metrics}");
    fs::write(&file, NEW).unwrap();
    renewed(&gateway, true).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    assert_eq!(keys_seen(&first), [OLD, NEW]);
}

#[tokio::test]
async fn a_refused_key_is_used_again_as_soon_as_it_is_replaced() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, OLD).unwrap();
    let (first, _) = simulators().await;
    first.play(refusing(OLD)).await;
    let gateway = with_key(&format!("api_key_file: {}", file.display()), &first).await;
    let refused = gateway.post(CHAT, &chat()).await;
    assert_ne!(refused.status, 200);
    replace(&file, NEW);
    renewed(&gateway, true).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
}

#[tokio::test]
async fn a_token_from_a_command_is_renewed_when_it_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    fs::write(
        &file,
        format!("{{\"access_token\": \"{OLD}\", \"expires_in\": 3600}}"),
    )
    .unwrap();
    let (first, _) = simulators().await;
    let source = format!("api_key_command: [cat, \"{}\"]", file.display());
    let gateway = with_key(&source, &first).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    // A command is not run more often than once a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.play(refusing(OLD)).await;
    replace(&file, NEW);
    assert_eq!(gateway.post(CHAT, &chat()).await.trail(), ["first:ok"]);
    assert_eq!(gateway.get("/v1/files").await.status, 200);
    assert_eq!(keys_seen(&first)[..3], [OLD, OLD, NEW]);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, OLD).unwrap();
    let (first, _) = simulators().await;
    let source = format!(
        "api_key_command: [cat, \"{}\"], api_key_ttl: 1s",
        file.display()
    );
    let gateway = with_key(&source, &first).await;
    replace(&file, NEW);
    renewed(&gateway, true).await;
    assert_eq!(gateway.post(CHAT, &chat()).await.status, 200);
    assert_eq!(keys_seen(&first), [NEW]);
}

#[tokio::test]
async fn neither_the_new_key_nor_the_old_one_is_shown_to_a_client() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, OLD).unwrap();
    let (first, _) = simulators().await;
    let gateway = with_key(&format!("api_key_file: {}", file.display()), &first).await;
    replace(&file, NEW);
    renewed(&gateway, true).await;
    for key in [OLD, NEW] {
        let body = json!({"error": {"message": format!("bad field, key {key}")}});
        let rejecting = Fault::Status {
            code: 400,
            headers: vec![("x-key".to_owned(), key.to_owned())],
            body: Some(body.to_string()),
        };
        first.play(Script::fault(rejecting)).await;
        for path in [CHAT, "/v1/audio/speech"] {
            let answered = gateway.post(path, &chat()).await;
            let shown = format!("{:?} {}", answered.headers, answered.text());
            assert_eq!(answered.status, 400);
            assert!(!shown.contains(key) && shown.contains("***"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_an_error_at_the_start() {
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    for (source, expected) in [
        (
            format!("api_key_file: {}", empty.display()),
            format!("upstreams.x.api_key_file: {}: it is empty", empty.display()),
        ),
        (
            "api_key_command: [\"false\"]".to_owned(),
            "upstreams.x.api_key_command: false: the command failed: exit status: 1".to_owned(),
        ),
    ] {
        let yaml = format!(
            "listen: 127.0.0.1:0\nadmin: {{listen: \"127.0.0.1:0\"}}\nupstreams: {{x: {{provider: openai, {source}}}}}\n\
             routes: [{{models: [\"*\"], candidates: [{{upstream: x}}]}}]\n"
        );
        let config = Config::parse("test", &yaml, &|_| None).unwrap();
        let error = Gateway::start(&config, Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
