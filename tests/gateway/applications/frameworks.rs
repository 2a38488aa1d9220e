//! Libraries and tools that are built upon the SDKs: `llm`, `LangChain`, `OpenAI`'s agents, and Vercel's AI SDK.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::program::Program;
use super::replies::{call, result_in, streamed_call};
use super::stage::{ANSWER, KEY, Stage, Standby, outages};
use crate::sdk::install::{PYTHON, beside, node_with, python_with, sdk_folder};

const LLM: &str = "llm==0.36";
const LANGCHAIN: &str = "langchain-openai==1.7.3";
const AGENTS: &str = "openai-agents==0.24.0";
const VERCEL: [&str; 4] = [
    "ai@6.0.326",
    "@ai-sdk/openai@3.0.141",
    "@ai-sdk/openai-compatible@2.0.92",
    "@ai-sdk/anthropic@3.0.140",
];

/// A script for Vercel's AI SDK.
pub(crate) async fn vercel_script(name: &str) -> PathBuf {
    beside(&node_with("vercel", &VERCEL).await, name)
}

async fn python() -> PathBuf {
    let openai = format!("openai=={PYTHON}");
    python_with("frameworks", &[&openai, LLM, LANGCHAIN, AGENTS]).await
}

fn check(python: &Path, script: &str, stage: &Stage, what: &str) -> Program {
    Program::new(python)
        .with([sdk_folder().join(script)])
        .with([what])
        .env("OPENAI_BASE_URL", &stage.url("/v1"))
        .env("OPENAI_API_KEY", KEY)
}

#[tokio::test]
async fn llm_is_answered_in_another_api() {
    let llm = python().await.with_file_name("llm");
    for (outage, how) in outages().into_iter().zip([&[][..], &["--no-stream"]]) {
        let stage = Stage::set("openai", outage, Standby::Claude).await;
        let printed = Program::new(&llm)
            .with(["-m", "gpt-4o", "hi"])
            .with(how)
            .env("OPENAI_BASE_URL", &stage.url("/v1"))
            .env("OPENAI_API_KEY", KEY)
            .run()
            .await;
        assert_eq!(printed.trim_end(), ANSWER, "{how:?}");
        assert_eq!(stage.asked().len(), 1);
    }
}

#[tokio::test]
async fn langchain_is_answered_in_another_api() {
    let python = python().await;
    for outage in outages() {
        let stage = Stage::set("openai", outage, Standby::Claude).await;
        let program = check(&python, "langchain_check.py", &stage, "answers");
        assert_eq!(program.run().await, format!("{ANSWER}\n").repeat(4));
        assert_eq!(stage.asked().len(), 4);
    }
}

#[tokio::test]
async fn langchain_calls_a_tool_for_another_api() {
    let python = python().await;
    let [outage, _] = outages();
    let stage = Stage::set("openai", outage, Standby::Claude).await;
    let program = check(&python, "langchain_check.py", &stage, "tool").run();
    let reply = call(Standby::Claude, "weather", &json!({"city": "Paris"}));
    let printed = stage.replying_once(reply, program).await;
    assert_eq!(printed, format!("{ANSWER}\n"));
    went_to_paris(&stage);
}

#[tokio::test]
async fn openais_agents_call_a_tool_for_another_api() {
    let python = python().await;
    let paris = json!({"city": "Paris"});
    for (standby, how, reply) in [
        (
            Standby::Chat,
            "whole",
            call(Standby::Chat, "weather", &paris),
        ),
        (
            Standby::Claude,
            "streamed",
            streamed_call(Standby::Claude, "weather", &paris),
        ),
    ] {
        let [outage, _] = outages();
        let stage = Stage::set("openai", outage, standby).await;
        let program = check(&python, "agents_check.py", &stage, how).run();
        let printed = stage.replying_once(reply, program).await;
        assert_eq!(printed, format!("{ANSWER}\n"), "{standby:?} {how}");
        went_to_paris(&stage);
    }
}

/// The providers of Vercel's AI SDK, and the fallback for each.
const PROVIDERS: [(&str, &str, Standby); 5] = [
    ("responses", "openai", Standby::Claude),
    ("responses", "openai", Standby::Chat),
    ("chat", "openai", Standby::Claude),
    ("compatible", "openai", Standby::Claude),
    ("anthropic", "anthropic", Standby::Chat),
];

#[tokio::test]
async fn vercels_sdk_is_answered_in_another_api() {
    let script = vercel_script("vercel_check.mjs").await;
    for (provider, first, standby) in PROVIDERS {
        for outage in outages() {
            let stage = Stage::set(first, outage, standby).await;
            let program = vercel(&script, &stage, provider, "answers");
            assert_eq!(program.run().await, format!("{ANSWER}\n").repeat(2));
            assert_eq!(stage.asked().len(), 2);
        }
    }
}

#[tokio::test]
async fn vercels_sdk_calls_a_tool_for_another_api() {
    let script = vercel_script("vercel_check.mjs").await;
    for (provider, first, standby) in PROVIDERS {
        let [outage, _] = outages();
        let stage = Stage::set(first, outage, standby).await;
        let program = vercel(&script, &stage, provider, "tool").run();
        let reply = call(standby, "weather", &json!({"city": "Paris"}));
        let printed = stage.replying_once(reply, program).await;
        assert_eq!(printed, format!("{ANSWER}\n"), "{provider} {standby:?}");
        went_to_paris(&stage);
    }
}

fn vercel(script: &Path, stage: &Stage, provider: &str, what: &str) -> Program {
    Program::new("node")
        .with([script])
        .with([stage.url("/v1").as_str(), KEY, provider, what])
}

/// The tool was called once, and its result went to the second upstream.
fn went_to_paris(stage: &Stage) {
    let asked = stage.asked();
    assert_eq!(asked.len(), 2);
    assert!(result_in(&asked[1]).contains("20 degrees in Paris"));
}
