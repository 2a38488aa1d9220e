//! The official Python package in place of clients, with its own way to tell how long it waits.

use std::time::Duration;

use backstop::simulator::{Fault, Script};
use serde_json::{Value, json};

use super::{before, calls, failure, upstreams};
use crate::harness::TestGateway;
use crate::sdk::install::{PYTHON, install_python, run, sdk_folder};

/// Requests as `tests/sdk/situations.py` asks them; every one must be answered.
async fn are_all_answered(gateway: &TestGateway, burst: Value) {
    let python = install_python(PYTHON).await;
    let script = sdk_folder().join("situations.py");
    let mut line = json!({
        "base_url": gateway.url("/v1"),
        "requests": 4,
        "at_a_time": 4,
        "stream": false,
        "retries": 0,
        "patience": null,
        "tells": true,
    });
    for (key, value) in burst.as_object().unwrap() {
        line[key] = value.clone();
    }
    let printed = run(
        &python,
        &["-B".as_ref(), script.as_os_str()],
        &format!("{line}\n"),
    )
    .await;
    let ended: Vec<Value> = serde_json::from_str(&printed).unwrap();
    let is_answered = |ended: &Value| ended["ended"] == "ok";
    assert!(
        !ended.is_empty() && ended.iter().all(is_answered),
        "{printed}"
    );
}

// The package has the clock of this machine; so must the gateway, which has it with several threads.

#[tokio::test(flavor = "multi_thread")]
async fn the_package_is_answered_before_its_own_timeout() {
    let simulators = upstreams(&[Script::fault(Fault::Hang), Script::healthy()]).await;
    let gateway = before(&simulators).await;
    tokio::join!(
        are_all_answered(&gateway, json!({"patience": 8})),
        are_all_answered(&gateway, json!({"patience": 8, "stream": true}))
    );
    assert_eq!(simulators[1].received_count(), 8);
}

/// It would survive a short restart by its own retries; it must survive it as well behind a gateway.
#[tokio::test(flavor = "multi_thread")]
async fn the_package_survives_a_restart() {
    let simulators = upstreams(&[Script::healthy()]).await;
    let gateway = before(&simulators).await;
    are_all_answered(&gateway, json!({"requests": 12})).await;
    simulators[0].play(Script::fault(Fault::Refuse)).await;
    let restart = async {
        failure(&gateway, &simulators[0]).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        simulators[0].play(Script::healthy()).await;
    };
    tokio::join!(
        are_all_answered(&gateway, json!({"requests": 12, "retries": 2})),
        restart
    );
    assert_eq!(calls(&simulators), 24);
}
