//! The table of the demo as text: so many lines, each at most as wide as the terminal.

use super::asker::Count;
use super::cast::Mishap;

/// What is shown.
pub(super) struct Picture<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Which row the keys concern.
    pub(super) chosen: usize,
    /// The questions that went through the proxy.
    pub(super) through: &'a Count,
}

/// One provider.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) mishap: Mishap,
    /// What the proxy says of it.
    pub(super) state: String,
    /// How many answers through the proxy came from it.
    pub(super) served: usize,
    /// The questions that went to it directly.
    pub(super) directly: &'a Count,
}

/// The lines, without line feeds; always the same number of them.
pub(super) fn lines(picture: &Picture<'_>, width: usize) -> Vec<String> {
    let mut lines = vec![format!(
        "  {:<9} {:<19} {:<16} {:>6}  {}",
        "provider", "what it does", "the proxy says", "served", "asked directly"
    )];
    for (place, row) in picture.rows.iter().enumerate() {
        let mark = if place == picture.chosen { '>' } else { ' ' };
        lines.push(format!(
            "{mark} {:<9} {:<19} {:<16} {:>6}  {} well, {} failed",
            row.name,
            row.mishap.words(),
            row.state,
            row.served,
            row.directly.answered,
            row.directly.failed
        ));
    }
    let Count {
        answered, failed, ..
    } = picture.through;
    lines.push(String::new());
    lines.push(format!(
        "through the proxy: {answered} answered, {failed} failed; the last one{}",
        by(picture.through)
    ));
    lines.extend(two_lines(&picture.through.last_words()));
    if let Some(row) = picture.rows.get(picture.chosen) {
        lines.push(format!(
            "without the proxy, asked of {} at the same time:",
            row.name
        ));
        lines.extend(two_lines(&row.directly.last_words()));
    }
    lines.push(String::new());
    lines.push("o c e  choose a provider    h  heal it    q  end".to_owned());
    lines.push(
        "1 errors  2 stall  3 cut streams  4 rate limit  5 slow first token  6 down".to_owned(),
    );
    lines.into_iter().map(|line| cut(&line, width)).collect()
}

fn by(count: &Count) -> String {
    match &count.last {
        Some(Ok(answer)) => {
            let by = answer.by.as_deref().unwrap_or("nobody");
            format!(", from {by} in {} ms:", answer.took.as_millis())
        }
        Some(Err(_)) | None => ":".to_owned(),
    }
}

/// A text in two lines: what does not fit is left out in the middle, because the end says who speaks.
fn two_lines(text: &str) -> [String; 2] {
    const ROOM: usize = 76;
    let all: Vec<char> = text.chars().collect();
    let text = |part: &[char]| format!("  {}", part.iter().collect::<String>());
    match all.len() {
        0..=ROOM => [text(&all), String::new()],
        length if length <= 2 * ROOM => [text(&all[..ROOM]), text(&all[ROOM..])],
        length => {
            let end: String = all[length - ROOM + 2..].iter().collect();
            [text(&all[..ROOM]), format!("  … {end}")]
        }
    }
}

/// A line that is wider would break the table.
fn cut(line: &str, width: usize) -> String {
    line.chars().take(width.saturating_sub(1)).collect()
}

/// What draws the lines in the place of those before, of which there were so many.
pub(super) fn frame(lines: &[String], before: usize) -> String {
    let mut frame = "\x1b[?25l".to_owned();
    if before > 0 {
        frame += &format!("\x1b[{before}A\r");
    }
    for line in lines {
        frame += &format!("\x1b[2K{line}\n");
    }
    frame.trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::asker::{Answer, Count};
    use super::super::cast::Mishap;
    use super::{Picture, Row, lines};

    #[test]
    fn the_table_fits_and_keeps_its_height() {
        let mut through = Count::default();
        let mut heights = Vec::new();
        for length in [0, 10, 100, 1000] {
            through.note(Ok(Answer {
                text: "x".repeat(length) + " Yours, Claude.",
                by: Some("claude".to_owned()),
                took: Duration::from_millis(84),
            }));
            let mut directly = Count::default();
            directly.note(Err("503 ".to_owned() + &"too much ".repeat(length)));
            let row = |name| Row {
                name,
                mishap: Mishap::Down,
                state: "out of rotation".to_owned(),
                served: 12345,
                directly: &directly,
            };
            let rows = ["openai", "claude", "ernie"].map(row).into_iter().collect();
            let picture = Picture {
                rows,
                chosen: 1,
                through: &through,
            };
            let shown = lines(&picture, 80);
            assert!(
                shown.iter().all(|line| line.chars().count() < 80),
                "{shown:#?}"
            );
            assert!(
                shown.iter().any(|line| line.ends_with("Yours, Claude.\"")),
                "{shown:#?}"
            );
            assert!(shown[2].starts_with("> claude") && shown[2].contains("1 failed"));
            heights.push(shown.len());
        }
        assert!(
            heights
                .iter()
                .all(|height| *height == heights[0] && *height <= 15)
        );
    }
}
