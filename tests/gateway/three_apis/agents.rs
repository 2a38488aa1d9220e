//! Coding agents whose conversation goes on at another API with each turn: every upstream accepts what they send back, and gets
//! the thoughts that it had.

use std::sync::Arc;

use backstop::simulator::{Fault, Script};
use serde_json::json;
use tempfile::TempDir;

use super::Three;
use super::Wire::{self, Chat, Messages, Responses};
use super::upstream::{Tool, answer, judge, stream, text};
use crate::applications::coding::{claude_code_at, codex_at};
use crate::applications::program::Program;

/// The fourth one is at the first one's API.
const TURNS: usize = 4;

/// What a program is given for a turn.
struct Turn<'a> {
    three: &'a Three,
    home: &'a Arc<TempDir>,
    upstream: Wire,
    number: usize,
}

impl Turn<'_> {
    fn header(&self) -> String {
        format!("x-backstop-upstream: {}", self.upstream.upstream())
    }

    fn question(&self) -> String {
        format!("Question {}", self.number)
    }

    /// Runs the program: it is told to call its tool twice, and then it gets a text.
    async fn take(&self, program: Program, tool: Tool) {
        let simulator = self.three.upstream(self.upstream);
        let before = simulator.received_count();
        let [first, second] = [2 * self.number, 2 * self.number + 1];
        let script = |number| {
            let whole = answer(self.upstream, number, tool);
            Script::fault(Fault::Raw(stream(self.upstream, &whole)))
        };
        simulator.play(script(first)).await;
        let go_on = async {
            simulator.wait_received(before + 1).await;
            simulator.play(script(second)).await;
            std::future::pending().await
        };
        let printed = tokio::select! {
            printed = program.run() => printed,
            never = go_on => never,
        };
        assert_eq!(printed.trim_end(), text(self.upstream, second));
        assert_eq!(simulator.received_count(), before + 2);
    }
}

async fn take_turns(tool: Tool, program: impl AsyncFn(&Turn<'_>) -> Program) {
    let three = Three::start().await;
    let home = Arc::new(tempfile::tempdir().unwrap());
    for number in 0..TURNS {
        let upstream = [Responses, Messages, Chat][number % 3];
        let turn = Turn {
            three: &three,
            home: &home,
            upstream,
            number,
        };
        turn.take(program(&turn).await, tool).await;
        let received = three.upstream(upstream).received();
        for (place, asked) in received[received.len() - 2..].iter().enumerate() {
            let judged = judge(upstream, &asked.json());
            let context = format!("{number} {place} {}", asked.json());
            assert_eq!(judged.calls, 2 * (number + place), "{context}");
            // Two for each earlier turn, and one of this turn.
            let own = if upstream == Chat {
                0
            } else {
                2 * (number / 3) + place
            };
            assert_eq!(judged.own_thoughts, own, "{context}");
        }
    }
}

#[tokio::test]
async fn codex_goes_through_all_three() {
    let tool: Tool = (
        "exec_command",
        |city| json!({"cmd": format!("echo {city}")}),
    );
    let settings = "model = \"gpt-5\"\n\
         web_search = \"disabled\"\n\
         model_reasoning_effort = \"medium\"\n\
         model_reasoning_summary = \"auto\"";
    take_turns(tool, async |turn| {
        let (name, value) = turn
            .header()
            .split_once(": ")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .unwrap();
        let header = format!("model_providers.backstop.http_headers={{\"{name}\"=\"{value}\"}}");
        let url = turn.three.gateway.url("/v1");
        let resume: &[&str] = if turn.number == 0 {
            &[]
        } else {
            &["resume", "--last"]
        };
        codex_at(turn.home, &url, settings)
            .await
            .with(["-c", &header])
            .with(resume)
            .with([turn.question()])
    })
    .await;
}

#[tokio::test]
async fn claude_code_goes_through_all_three() {
    let tool: Tool = ("Bash", |city| json!({"command": format!("echo {city}")}));
    take_turns(tool, async |turn| {
        let url = turn.three.gateway.url("");
        let resume: &[&str] = if turn.number == 0 {
            &[]
        } else {
            &["--continue"]
        };
        claude_code_at(turn.home, &url)
            .await
            .env("ANTHROPIC_MODEL", "claude-sonnet-4-5")
            .env("MAX_THINKING_TOKENS", "2000")
            .env("ANTHROPIC_CUSTOM_HEADERS", &turn.header())
            .with(resume)
            .with(["-p", &turn.question()])
    })
    .await;
}
