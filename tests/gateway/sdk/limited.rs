//! A client that has reached a limit: official SDKs wait for as long as they are told, and are answered then.

use std::ffi::OsStr;
use std::time::Duration;

use backstop::event::Event;
use backstop::simulator::{Script, Simulator};
use http::Method;
use http_body_util::BodyExt;

use super::install::{PYTHON, install_python, python_with, sdk_folder};
use super::refused::ANTHROPIC;
use super::run;
use crate::harness::{Setup, chat_stream, within};

const CLIENTS: &str =
    "clients: [{name: anna, key: key-of-anna, limits: {requests_per_minute: 100, concurrent: 1}}]";

#[tokio::test]
async fn openais_python_waits_and_is_answered() {
    let python = install_python(PYTHON).await;
    waits(python.as_os_str(), "openai", "/v1").await;
}

#[tokio::test]
async fn anthropics_python_waits_and_is_answered() {
    let package = format!("anthropic=={ANTHROPIC}");
    let python = python_with(&format!("anthropic-{ANTHROPIC}"), &[&package]).await;
    waits(python.as_os_str(), "anthropic", "").await;
}

async fn waits(python: &OsStr, package: &str, path: &str) {
    let slow = Script::healthy()
        .with_text("word ".repeat(2000))
        .with_token_delay(Duration::from_millis(500));
    let only = Simulator::start("only", slow).await.unwrap();
    let gateway = Setup::new().upstream(&only).lines(CLIENTS).start().await;
    let headers = [
        ("x-api-key", "key-of-anna"),
        ("content-type", "application/json"),
    ];
    let body = chat_stream().to_string();
    let answer = gateway.open(Method::POST, "/v1/chat/completions", &headers, body);
    let mut stream = answer.await.into_body();
    within(stream.frame()).await.unwrap().unwrap();
    only.play(Script::healthy()).await;

    let script = sdk_folder().join("limited.py");
    let base_url = gateway.url(path);
    let arguments = [
        script.as_os_str(),
        OsStr::new(package),
        OsStr::new(&base_url),
        OsStr::new("key-of-anna"),
    ];
    // The only place is free as soon as the package has been told that it is taken.
    let freeing = async move {
        gateway.events.wait_for(is_refused).await;
        drop(stream);
        gateway
    };
    let (printed, _gateway) = tokio::join!(run(python, &arguments, ""), freeing);
    let told: Vec<&str> = printed.split_whitespace().collect();
    assert!(
        matches!(told[0], "1" | "2"),
        "it has asked again: {printed}"
    );
    assert_eq!(told[1..], ["100", "98"], "{printed}");
    assert_eq!(only.received_count(), 2);
}

fn is_refused(event: &Event) -> Option<()> {
    match event {
        Event::RequestFinished(report) => report.limit.map(|_| ()),
        _ => None,
    }
}
