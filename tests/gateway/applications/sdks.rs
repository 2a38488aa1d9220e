//! The official SDKs of `OpenAI` and Anthropic.

use std::ffi::OsStr;

use super::program::Program;
use super::stage::{ANSWER, KEY, Stage, Standby, outages};
use crate::sdk::install::{NODE, PYTHON, install_node, install_python, python_with, sdk_folder};

const ANTHROPIC: &str = "2.12.0";
/// It sends its key as `x-api-key`.
const OLDER_ANTHROPIC: &str = "0.121.0";

#[tokio::test]
async fn openais_python_is_answered_in_another_api() {
    let python = install_python(PYTHON).await;
    let script = sdk_folder().join("check.py");
    check_openai(&[python.as_os_str(), script.as_os_str()]).await;
}

#[tokio::test]
async fn openais_node_is_answered_in_another_api() {
    let script = install_node(NODE, "check.mjs").await;
    check_openai(&[OsStr::new("node"), script.as_os_str()]).await;
}

async fn check_openai(program: &[&OsStr]) {
    for (standby, kinds) in [
        (
            Standby::Claude,
            "chat,chat-stream,responses,responses-stream",
        ),
        (Standby::Chat, "responses,responses-stream"),
    ] {
        for outage in outages() {
            let stage = Stage::set("openai", outage, standby).await;
            Program::new(program[0])
                .with(&program[1..])
                .with([stage.url("/v1").as_str(), KEY, ANSWER, "1", kinds])
                .run()
                .await;
            assert_eq!(stage.asked().len(), kinds.split(',').count());
        }
    }
}

#[tokio::test]
async fn anthropics_python_is_answered_in_another_api() {
    let script = sdk_folder().join("anthropic_check.py");
    for version in [ANTHROPIC, OLDER_ANTHROPIC] {
        let package = format!("anthropic=={version}");
        let python = python_with(&format!("anthropic-{version}"), &[&package]).await;
        for outage in outages() {
            let stage = Stage::set("anthropic", outage, Standby::Chat).await;
            let printed = Program::new(&python)
                .with([&script])
                .env("ANTHROPIC_BASE_URL", &stage.url(""))
                .env("ANTHROPIC_API_KEY", KEY)
                .run()
                .await;
            assert_eq!(printed, format!("{ANSWER}\n{ANSWER}\n"), "{version}");
            assert_eq!(stage.asked().len(), 2);
        }
    }
}
