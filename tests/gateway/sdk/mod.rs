//! The official OpenAI SDKs for Python and Node, against a first upstream that breaks in every way.
//!
//! The SDKs are installed below `target/`, once.

pub(crate) mod install;
mod journal;
mod limited;
mod refused;
mod streams;
mod suites;

use std::ffi::OsStr;
use std::time::Duration;

use backstop::event::{Event, HealthChange};
use backstop::simulator::{Fault, Script, Simulator};
use tokio::sync::RwLock;

use self::install::{NODE, PYTHON, install_node, install_python, sdk_folder};
use crate::harness::{PATIENCE, RealPace, TestGateway, chat, chat_text, pass};

/// Written by tests that keep every processor busy, read by those whose timers would mistake a busy machine for a slow
/// upstream.
pub(crate) static BUSY: RwLock<()> = RwLock::const_new(());

const KINDS: &str = "chat,chat-stream,responses,responses-stream,embeddings";
const TIMEOUTS: &str =
    "timeouts: {connect: 1s, first_token: 1s, answer: 1s, idle: 1s, total: 20s}\n";
const TIMES: usize = 20;
const ANSWER: &str = "Hello from second.";

#[tokio::test]
async fn python_never_notices_that_the_first_upstream_is_broken() {
    let python = install_python(PYTHON).await;
    let script = sdk_folder().join("check.py");
    survive_every_fault(&[python.as_os_str(), script.as_os_str()]).await;
}

#[tokio::test]
async fn node_never_notices_that_the_first_upstream_is_broken() {
    let script = install_node(NODE, "check.mjs").await;
    survive_every_fault(&[OsStr::new("node"), script.as_os_str()]).await;
}

/// A third of the answers are 500s, at twenty requests a second: no request fails, the upstream is soon out of rotation,
/// and comes back by itself once it has healed.
#[tokio::test]
async fn python_never_notices_that_a_third_of_the_answers_are_errors() {
    let python = install_python(PYTHON).await;
    let _quiet = BUSY.read().await;
    let script = sdk_folder().join("load.py");
    let second = Simulator::start("second", Script::answer("second"))
        .await
        .unwrap();
    let first = Simulator::start("first", Script::answer("first"))
        .await
        .unwrap();
    let gateway = TestGateway::before(&first, &second, "").await;
    let base_url = gateway.url("/v1");
    let load = async |seconds: &str| {
        let arguments = [
            script.as_os_str(),
            OsStr::new(&base_url),
            OsStr::new(seconds),
        ];
        run(python.as_os_str(), &arguments, "").await
    };
    first.play(Script::status(500).with_one_in(3)).await;
    load("15").await;
    let is_out = |event: &Event| matches!(event, Event::HealthChanged(HealthChange::Opened { .. }));
    assert!(
        gateway.events.all().iter().any(is_out),
        "it is out of rotation within 15 s"
    );

    first.play(Script::answer("first")).await;
    let back = async {
        loop {
            let answers = load("5").await;
            let last: Vec<&str> = answers.lines().rev().take(20).collect();
            if last.iter().filter(|answer| **answer == "first").count() >= 18 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back)
        .await
        .expect("it comes back within 60 s");
}

/// Runs a client that must succeed, by the clock that it has; returns what it printed.
pub(crate) async fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr], input: &str) -> String {
    let _pace = RealPace::keep();
    install::run(program, arguments, input).await
}

/// Each kind of request, twenty times with each fault: all answers are right, the broken upstream is soon left
/// alone, and once it has healed, requests come back to it.
async fn survive_every_fault(program: &[&OsStr]) {
    let _quiet = BUSY.read().await;
    let faults = [
        Fault::Refuse,
        Fault::Reset,
        Fault::Hang,
        Fault::status(500),
        Fault::status(503),
        Fault::status(529),
        Fault::status(429),
        Fault::status(401),
        Fault::Html,
        Fault::Empty,
        Fault::Truncated,
    ];
    let second = Simulator::start("second", Script::answer(ANSWER))
        .await
        .unwrap();
    for fault in faults {
        let first = Simulator::start("first", Script::fault(fault.clone()))
            .await
            .unwrap();
        let gateway = TestGateway::before(&first, &second, TIMEOUTS).await;
        let base_url = gateway.url("/v1");
        let times = TIMES.to_string();
        let arguments = [&base_url, "any", ANSWER, &times, KINDS].map(OsStr::new);
        run(program[0], &[&program[1..], &arguments].concat(), "").await;

        let asked = TIMES * KINDS.split(',').count();
        assert!(
            first.received_count() < asked / 4,
            "{fault:?}: the broken upstream was asked {} times",
            first.received_count()
        );
        first.play(Script::answer("Hello from first.")).await;
        let healed = async {
            while chat_text(&gateway.post("/v1/chat/completions", &chat()).await)
                != "Hello from first."
            {
                pass(Duration::from_millis(500)).await;
            }
        };
        // A rejected key is tried again after a minute.
        tokio::time::timeout(PATIENCE * 4, healed)
            .await
            .unwrap_or_else(|_| panic!("{fault:?}: it does not come back"));
    }
}
