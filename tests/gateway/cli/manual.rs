//! Completions and manual pages: they know every command.

use super::{backstop, finish};

const COMMANDS: [&str; 5] = ["serve", "check", "status", "import", "completions"];

#[tokio::test]
async fn every_shell_is_told_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, stderr) = finish(backstop(folder.path(), &["completions", shell])).await;
        assert_eq!(code, Some(0), "{stderr}");
        for word in COMMANDS.iter().chain(&["backstop", "admin-listen"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[tokio::test]
async fn every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = finish(backstop(folder.path(), &["man", "new/man1"])).await;
    assert_eq!(code, Some(0), "{stderr}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join("new/man1").join(name));
    let program = read("backstop.1").unwrap();
    assert!(program.contains("BACKSTOP_CONFIG"), "{program}");
    for command in COMMANDS {
        let page = read(&format!("backstop-{command}.1")).unwrap();
        assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    }
}
