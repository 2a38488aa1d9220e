//! The demo: by keys on a terminal, and as a story without one.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{PATIENCE, Running, SERVE, backstop};

#[tokio::test]
async fn without_a_terminal_it_plays_a_story_in_which_no_request_fails() {
    let folder = tempfile::tempdir().unwrap();
    for script in [&[][..], &["--script"]] {
        let arguments = [&["demo"], SERVE.as_slice(), script].concat();
        let mut running = Running::start(backstop(folder.path(), &arguments));
        let mut printed = String::new();
        let reading = async {
            while let Some(line) = running.stdout.as_mut().unwrap().next_line().await.unwrap() {
                printed += &line;
                printed += "\n";
                if line.contains("Ctrl-C") {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        for shown in [
            "export OPENAI_BASE_URL=http://127.0.0.1:",
            "curl -i",
            "openai breaks",
            "claude",
            " answered, 0 failed\nat openai alone:",
        ] {
            assert!(printed.contains(shown), "{shown}: {printed}");
        }
        assert!(!printed.contains('\x1b'), "{printed}");
        assert_eq!(running.terminate().await, Some(0));
    }
}

/// A terminal with the demo on it.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    /// What has been shown and not been looked at.
    shown: String,
}

impl Terminal {
    /// `script` makes a terminal; `stty` says how it is before and afterwards.
    fn start(folder: &Path) -> Self {
        let demo = [&[env!("CARGO_BIN_EXE_backstop"), "demo"], SERVE.as_slice()]
            .concat()
            .join(" ");
        let line = format!("stty -g >before; {demo}; echo ended with $?; stty -g >after");
        let mut child = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .current_dir(folder)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            keys: child.stdin.take().unwrap(),
            screen: child.stdout.take().unwrap(),
            shown: String::new(),
            child,
        }
    }

    async fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).await.unwrap();
        self.keys.flush().await.unwrap();
    }

    /// Waits until a text is shown; returns what was shown up to it.
    async fn sees(&mut self, text: &str) -> String {
        let reading = async {
            let mut bytes = [0; 4096];
            loop {
                if let Some(at) = self.shown.find(text) {
                    let rest = self.shown.split_off(at + text.len());
                    return std::mem::replace(&mut self.shown, rest);
                }
                let count = self.screen.read(&mut bytes).await.unwrap();
                assert_ne!(count, 0, "it ended without {text:?}: {}", self.shown);
                self.shown += &String::from_utf8_lossy(&bytes[..count]);
            }
        };
        let seen = tokio::time::timeout(PATIENCE, reading).await;
        seen.unwrap_or_else(|_| panic!("{text:?} has not been shown"))
    }

    async fn ends_as_it_was(mut self, folder: &Path) {
        self.sees("\x1b[?25h").await;
        self.sees("ended with 0").await;
        self.child.wait().await.unwrap();
        let [before, after] =
            ["before", "after"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
        assert!(!before.is_empty());
        assert_eq!(before, after);
    }
}

#[tokio::test]
async fn keys_break_and_heal_providers_and_the_table_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path());
    let intro = terminal.sees("what it does").await;
    assert!(
        intro.contains("export OPENAI_BASE_URL=http://127.0.0.1:"),
        "{intro}"
    );
    assert!(
        intro.contains("Open beside this: http://127.0.0.1:"),
        "{intro}"
    );
    terminal.sees("Yours, OpenAI.").await;

    terminal.press("1").await;
    terminal.sees("> openai    answers 503").await;
    terminal.sees("from claude in").await;
    terminal.sees("Yours, Claude.").await;
    terminal.sees("nothing: 503").await;
    terminal.press("h").await;
    terminal.sees("> openai    is well").await;
    terminal.sees("from openai in").await;

    // What was broken in the middle is continued by another voice.
    terminal.press("3").await;
    terminal.sees("cuts its streams").await;
    terminal.sees("nothing: the answer broke off").await;
    for (key, words) in [
        ("2", "stalls midway"),
        ("4", "limits the rate"),
        ("5", "begins after 5 s"),
        ("6", "refuses to connect"),
    ] {
        terminal.press(key).await;
        terminal.sees(words).await;
    }
    terminal.press("c1").await;
    terminal.sees("> claude    answers 503").await;
    terminal.sees("from ernie in").await;
    // An arrow is no key that means anything.
    terminal.press("\x1b[A").await;
    terminal.press("q").await;
    terminal.ends_as_it_was(folder.path()).await;
}

#[tokio::test]
async fn ctrl_c_ends_it_and_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path());
    terminal.sees("what it does").await;
    terminal.press("\x03").await;
    terminal.ends_as_it_was(folder.path()).await;
}
