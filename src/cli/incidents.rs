//! `backstop incidents`: what was out, when, why, and what clients had of it.

use jiff::Timestamp;
use serde_json::Value;

use super::answer::list;
use super::arguments::IncidentsArgs;
use super::operators::get;
use super::print::print;

/// The longest line.
const WIDTH: usize = 80;

/// Calls `/api/incidents` and prints the reply as a list, or as it is.
pub(super) async fn run(args: &IncidentsArgs) -> anyhow::Result<()> {
    let since: String = args.since.split_whitespace().collect();
    let answer = get(&args.proxy, &format!("/api/incidents?since={since}")).await?;
    if args.json {
        return print(&format!("{answer:#}\n"));
    }
    let incidents = list(&answer["incidents"]);
    let listing: Vec<String> = incidents.map(entry).collect();
    print(&match listing.is_empty() {
        true => format!("no incident in the last {since}\n"),
        false => listing.join("\n"),
    })
}

fn entry(incident: &Value) -> String {
    let said = |key: &str| incident[key].as_str().unwrap_or_default();
    let count = |key: &str| incident[key].as_u64().unwrap_or_default();
    let what = match (said("upstream"), said("model")) {
        ("", _) => "our own network".to_owned(),
        (upstream, "") => upstream.to_owned(),
        (upstream, model) => format!("{model} at {upstream}"),
    };
    let lasted = match said("ended_at") {
        "" => "lasts".to_owned(),
        end => {
            let length = length(said("started_at"), end).unwrap_or_default();
            format!("{length}, until {end}")
        }
    };
    let replica = match said("replica") {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    let mut text = wrapped(&format!("{what}: {}{replica}", said("cause")), "");
    text += &wrapped(&format!("from {}, {lasted}", said("started_at")), "  ");
    text += &wrapped(
        &format!(
            "{} attempts failed, {} requests moved, {} failed for clients",
            count("requests"),
            count("moved"),
            count("noticed")
        ),
        "  ",
    );
    if let Some(words) = incident["words"].as_str() {
        text += &wrapped(&format!("it said: {words}"), "  ");
    }
    text
}

/// How long it lasted, in its two largest units.
fn length(start: &str, end: &str) -> Option<String> {
    let second = |text: &str| Some(text.parse::<Timestamp>().ok()?.as_second());
    let seconds = second(end)?.saturating_sub(second(start)?);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    Some(match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    })
}

/// Lines that fit.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for part in text.split_whitespace() {
        let is_full = indent.len() + line.chars().count() + part.chars().count() + 1 > WIDTH;
        if is_full && !line.is_empty() {
            lines += &format!("{indent}{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(part.chars().take(WIDTH - indent.len()));
    }
    lines + &format!("{indent}{line}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{entry, length};

    #[test]
    fn an_entry_fits_and_says_all_of_it() {
        let words = "503 overloaded, please try again later, ".repeat(6);
        let incident = json!({
            "id": 7, "upstream": "openai", "model": null, "cause": "failures", "words": words,
            "started_at": "2026-06-10T06:00:00Z", "ended_at": "2026-06-10T21:30:00Z",
            "requests": 40, "moved": 120, "noticed": 2,
        });
        let text = entry(&incident);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.starts_with("openai: failures\n"), "{text}");
        assert!(text.contains("15 h 30 min"), "{text}");
        assert!(text.contains("40 attempts failed, 120 requests moved, 2 failed for clients"));
    }

    #[test]
    fn in_a_fleet_an_entry_says_whose_it_is() {
        let incident = json!({"upstream": "openai", "cause": "failures", "replica": "east-1"});
        let text = entry(&incident);
        assert!(text.starts_with("openai: failures (east-1)\n"), "{text}");
    }

    #[test]
    fn lengths_have_two_units() {
        let from = |end| length("2026-01-01T00:00:00Z", end).unwrap();
        assert_eq!(from("2026-01-01T00:00:07Z"), "7 s");
        assert_eq!(from("2026-01-01T00:02:07Z"), "2 min 7 s");
        assert_eq!(from("2026-01-03T05:02:07Z"), "2 d 5 h");
    }
}
