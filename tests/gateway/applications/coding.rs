//! Coding agents: Codex, Claude Code and aider, with all their tools.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::Program;
use super::replies::{result_in, streamed_call};
use super::stage::{ANSWER, KEY, Stage, Standby, outages};
use crate::sdk::install::{node_with, python_with};

const CODEX: &str = "@openai/codex@0.169.0";
const CLAUDE_CODE: &str = "@anthropic-ai/claude-code@2.1.197";
const AIDER: &str = "aider-chat==0.86.2";

/// A shell's command that the upstream wants to be run, and what it prints.
const COMMAND: &str = "echo $((6 * 7)) apples";
const OUTPUT: &str = "42 apples";

/// Codex with this URL; `more` goes to the head of its configuration.
pub(crate) async fn codex_at(home: &Arc<TempDir>, url: &str, more: &str) -> Program {
    let folder = node_with("codex", &[CODEX]).await;
    // The sandbox needs privileges that not every machine gives; the only commands are ours.
    let config = format!(
        "{more}\n\
         sandbox_mode = \"danger-full-access\"\n\
         model_provider = \"backstop\"\n\
         analytics.enabled = false\n\
         features.apps = false\n\
         features.plugins = false\n\
         [model_providers.backstop]\n\
         name = \"backstop\"\n\
         base_url = \"{url}\"\n\
         env_key = \"BACKSTOP_KEY\"\n\
         wire_api = \"responses\"\n\
         request_max_retries = 0\n\
         stream_max_retries = 0\n"
    );
    Program::at_home(home, folder.join("node_modules/.bin/codex"))
        .file(".codex/config.toml", &config)
        .env("BACKSTOP_KEY", KEY)
        .with(["exec", "--skip-git-repo-check"])
}

async fn codex(stage: &Stage, model: &str, more: &str) -> Program {
    let home = Arc::new(tempfile::tempdir().unwrap());
    let codex = codex_at(&home, &stage.url("/v1"), more).await;
    codex.with(["-m", model, "hi"])
}

#[tokio::test]
async fn codex_is_answered_in_another_api() {
    for standby in [Standby::Claude, Standby::Chat] {
        for outage in outages() {
            let stage = Stage::set("openai", outage, standby).await;
            let printed = codex(&stage, "gpt-5.6-sol", "").await.run().await;
            assert_eq!(printed, format!("{ANSWER}\n"), "{standby:?}");
            instructed_first(&stage.asked());
        }
    }
}

/// What Codex brings along depends on the model: functions, some of them in a namespace, or tools for plain text, which
/// are a patch or a program.
#[tokio::test]
async fn codex_uses_its_tools_for_another_api() {
    let patch = "*** Begin Patch\n*** Add File: apples\n+42\n*** End Patch\n";
    let program = "text(6 * 7 + ' apples')";
    let no_search = "web_search = \"disabled\"";
    let alone = &format!("{no_search}\nfeatures.multi_agent = false");
    for (model, more, tool, input, result) in [
        (
            "gpt-5",
            no_search,
            "exec_command",
            json!({"cmd": COMMAND}),
            OUTPUT,
        ),
        (
            "gpt-5.5",
            alone,
            "apply_patch",
            json!({"input": patch}),
            "A apples",
        ),
        ("gpt-5.6-sol", "", "exec", json!({"input": program}), OUTPUT),
    ] {
        for standby in [Standby::Claude, Standby::Chat] {
            let [outage, _] = outages();
            let stage = Stage::set("openai", outage, standby).await;
            let reply = streamed_call(standby, tool, &input);
            let program = codex(&stage, model, more).await.run();
            let printed = stage.replying_once(reply, program).await;
            assert_eq!(printed, format!("{ANSWER}\n"), "{standby:?}");
            brought(result, &stage.asked());
        }
    }
}

/// Claude Code with this URL.
pub(crate) async fn claude_code_at(home: &Arc<TempDir>, url: &str) -> Program {
    let folder = node_with("claude-code", &[CLAUDE_CODE]).await;
    Program::at_home(home, folder.join("node_modules/.bin/claude"))
        .file(".claude.json", "{\"hasCompletedOnboarding\": true}")
        .env("ANTHROPIC_BASE_URL", url)
        .env("ANTHROPIC_AUTH_TOKEN", KEY)
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("CLAUDE_CODE_MAX_RETRIES", "0")
        .with(["--allowedTools", "Bash", "--output-format", "text"])
}

async fn claude_code(stage: &Stage) -> Program {
    let home = Arc::new(tempfile::tempdir().unwrap());
    claude_code_at(&home, &stage.url(""))
        .await
        .with(["-p", "hi"])
}

#[tokio::test]
async fn claude_code_is_answered_in_another_api() {
    for outage in outages() {
        let stage = Stage::set("anthropic", outage, Standby::Chat).await;
        let printed = claude_code(&stage).await.run().await;
        assert_eq!(printed, format!("{ANSWER}\n"));
        let asked = stage.asked();
        instructed_first(&asked);
        // It asks for four times as many.
        assert_eq!(asked[0]["max_tokens"], 16_384);
    }
}

#[tokio::test]
async fn claude_code_runs_a_command_for_another_api() {
    let [outage, _] = outages();
    let stage = Stage::set("anthropic", outage, Standby::Chat).await;
    let reply = streamed_call(Standby::Chat, "Bash", &json!({"command": COMMAND}));
    let program = claude_code(&stage).await.run();
    let printed = stage.replying_once(reply, program).await;
    assert_eq!(printed, format!("{ANSWER}\n"));
    brought(OUTPUT, &stage.asked());
}

/// Both programs send several system messages; many models accept one at the start only.
fn instructed_first(asked: &[Value]) {
    assert_eq!(asked.len(), 1);
    let messages = asked[0]["messages"].as_array().unwrap();
    let mut roles = messages.iter().map(|message| message["role"].clone());
    // Claude's is a field of its own.
    if asked[0]["system"].is_null() {
        assert_eq!(roles.next().unwrap(), "system");
    }
    assert!(roles.all(|role| role == "user"), "{messages:?}");
}

/// A tool was used once, and its result went to the second upstream.
fn brought(said: &str, asked: &[Value]) {
    assert_eq!(asked.len(), 2);
    let result = result_in(&asked[1]);
    assert!(result.contains(said), "{result}");
}

#[tokio::test]
#[ignore = "aider takes a minute to install, and 700 MB"]
async fn aider_is_answered_in_another_api() {
    let aider = python_with("aider", &[AIDER]).await.with_file_name("aider");
    for outage in outages() {
        let stage = Stage::set("openai", outage, Standby::Claude).await;
        let printed = Program::new(&aider)
            .env("OPENAI_API_BASE", &stage.url("/v1"))
            .env("OPENAI_API_KEY", KEY)
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .with(["--model", "openai/gpt-4o", "--no-git", "--yes-always"])
            .with(["--no-check-update", "--analytics-disable"])
            .with(["--no-show-model-warnings", "--message", "hi"])
            .run()
            .await;
        assert!(printed.contains(ANSWER), "{printed}");
        assert!(!stage.asked().is_empty());
    }
}
