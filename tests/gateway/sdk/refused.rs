//! What users of official SDKs see where only somebody can help: the reason, at once and without a retry.

use std::ffi::{OsStr, OsString};

use backstop::event::Event;
use backstop::simulator::{Script, Simulator};

use super::install::{
    NODE, OLDER_PYTHON, PYTHON, install_node, install_python, python_with, sdk_folder,
};
use super::run;
use crate::harness::{Setup, TestGateway};

pub(super) const ANTHROPIC: &str = "2.12.0";

#[tokio::test]
async fn openais_python_fails_at_once_and_says_why() {
    let script = sdk_folder().join("refused.py");
    for version in [PYTHON, OLDER_PYTHON[0]] {
        let python = install_python(version).await;
        fails_at_once(
            &[python.as_os_str(), script.as_os_str(), OsStr::new("openai")],
            "/v1",
        )
        .await;
    }
}

#[tokio::test]
async fn openais_node_fails_at_once_and_says_why() {
    let script = install_node(NODE, "refused.mjs").await;
    fails_at_once(&[OsStr::new("node"), script.as_os_str()], "/v1").await;
}

#[tokio::test]
async fn anthropics_python_fails_at_once_and_says_why() {
    let package = format!("anthropic=={ANTHROPIC}");
    let python = python_with(&format!("anthropic-{ANTHROPIC}"), &[&package]).await;
    let script = sdk_folder().join("refused.py");
    fails_at_once(
        &[
            python.as_os_str(),
            script.as_os_str(),
            OsStr::new("anthropic"),
        ],
        "",
    )
    .await;
}

async fn fails_at_once(program: &[&OsStr], path: &str) {
    for (upstream, status, reason) in [
        (401, 403, "refuses the proxy's key"),
        (402, 402, "has no money or quota left"),
        (404, 404, "no upstream has this model"),
    ] {
        let only = Simulator::start("only", Script::status(upstream))
            .await
            .unwrap();
        let gateway = Setup::new().upstream(&only).start().await;
        let base_url = OsString::from(gateway.url(path));
        let arguments = [&program[1..], &[base_url.as_os_str()]].concat();
        let printed = run(program[0], &arguments, "").await;
        let (code, text) = printed.split_once('\n').unwrap();
        assert_eq!(code, status.to_string(), "{text}");
        assert!(text.contains(reason), "{text}");
        // A retry would sleep, and ask again.
        assert_eq!((requests(&gateway), only.received_count()), (1, 1));
    }
}

fn requests(gateway: &TestGateway) -> usize {
    let events = gateway.events.all();
    let finished = events
        .iter()
        .filter(|event| matches!(event, Event::RequestFinished(_)));
    finished.count()
}
