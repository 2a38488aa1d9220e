//! `backstop check --live`: a table of what the upstreams say, which fits into 80 columns.

use anyhow::anyhow;

use super::failure::Failure;
use super::print::print;
use crate::config::Config;
use crate::gateway::{LiveFinding, check_live};

/// So wide is a terminal at least.
const WIDTH: usize = 80;
/// Where the text begins.
const INDENT: usize = 22;

/// Asks the upstreams, and prints what is found; the error says how much is not well.
pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    print("\nlive, by GET /models, which costs nothing\n")?;
    let findings = check_live(config).await;
    print(&findings.iter().map(lines).collect::<String>())?;
    match findings
        .iter()
        .filter(|finding| finding.fix.is_some())
        .count()
    {
        0 => Ok(()),
        1 => Err(Failure::Other(anyhow!("1 thing is not well"))),
        count => Err(Failure::Other(anyhow!("{count} things are not well"))),
    }
}

fn lines(finding: &LiveFinding) -> String {
    let mark = if finding.fix.is_some() { "!!" } else { "ok" };
    let name: String = finding.upstream.as_ref().chars().take(INDENT - 7).collect();
    let mut text = format!("  {mark} {name:<width$} ", width = INDENT - 6);
    text += &wrapped(&finding.message);
    if let Some(fix) = &finding.fix {
        text += &" ".repeat(INDENT);
        text += &wrapped(&format!("fix: {fix}"));
    }
    text
}

/// A text in lines that begin at `INDENT`, the first one without its indentation. A piece that is longer than a line is cut.
/// Control characters, which an upstream's list may hold, do not reach the terminal.
fn wrapped(text: &str) -> String {
    let room = WIDTH - INDENT;
    let mut lines = vec![String::new()];
    for piece in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let mut rest: Vec<char> = piece.chars().collect();
        while !rest.is_empty() {
            let part: String = rest.drain(..rest.len().min(room)).collect();
            match lines.last_mut() {
                Some(line) if line.is_empty() => *line = part,
                Some(line) if line.chars().count() + 1 + part.chars().count() <= room => {
                    *line += " ";
                    *line += &part;
                }
                _ => lines.push(part),
            }
        }
    }
    lines.join(&format!("\n{}", " ".repeat(INDENT))) + "\n"
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, lines};
    use crate::gateway::LiveFinding;

    #[test]
    fn no_line_is_wider_than_a_terminal_and_nothing_is_lost() {
        let words =
            "nobody listens\u{1b} at http://".to_owned() + &"long.".repeat(30) + "example/v1";
        let finding = LiveFinding {
            upstream: "a-name-that-is-longer-than-its-column".into(),
            message: words.clone(),
            fix: Some("start the server ".repeat(9)),
        };
        let text = lines(&finding);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        let joined = |text: &str| text.split_whitespace().collect::<String>();
        let plain = words.replace('\u{1b}', "");
        assert!(joined(&text).contains(&joined(&plain)), "{text}");
        assert!(text.contains("fix: start the server"), "{text}");
    }
}
