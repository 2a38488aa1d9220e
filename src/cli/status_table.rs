//! The table of `backstop status`: within 80 columns, in colours where the terminal has them.

use std::fmt::Write;

use serde_json::Value;

use super::answer::{list, said};

/// Whether there are colours.
#[derive(Clone, Copy)]
pub(super) struct Colours(pub(super) bool);

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";
const BOLD: &str = "1";
/// The widths of the columns.
const WIDTHS: [usize; 8] = [12, 13, 6, 7, 11, 8, 8, 7];
const HEAD: [&str; 8] = [
    "UPSTREAM", "STATE", "SINCE", "ERRORS", "INSTEAD", "5 MIN %", "24 H %", "TOKEN",
];

impl Colours {
    fn paint(self, colour: &str, text: &str) -> String {
        match self.0 {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// What `/api/status` says, with `/api/availability` in it.
pub(super) fn table(status: &Value, colours: Colours) -> String {
    let mut text = headlines(status, colours);
    text.push('\n');
    let head = line(HEAD.map(str::to_owned));
    text += &colours.paint(BOLD, &head);
    text.push('\n');
    for upstream in list(&status["upstreams"]) {
        let state = upstream["state"].as_str().unwrap_or_default();
        let row = line(upstream_row(status, upstream));
        text += &match state {
            "in_rotation" => row,
            "out" | "key_refused" => colours.paint(RED, &row),
            _ => colours.paint(YELLOW, &row),
        };
        text.push('\n');
    }
    let windows = &status["availability"]["clients"];
    let [five_minutes, day, token] = figures(windows);
    let none = || "-".to_owned();
    text += &line([
        "clients".to_owned(),
        none(),
        none(),
        failed(&windows["1m"]),
        none(),
        five_minutes,
        day,
        token,
    ]);
    text + "\n"
}

/// What is wrong, and what clients feel.
fn headlines(status: &Value, colours: Colours) -> String {
    let mut text = String::new();
    let colour = match status["condition"].as_str() {
        Some("well") => GREEN,
        Some("failing") => RED,
        _ => YELLOW,
    };
    let now = said(&status["now"]);
    let problems = list(&status["problems"]);
    let mut lines: Vec<String> = problems.map(|problem| sentence(problem, now)).collect();
    if let Some(since) = status["network_lost_since"].as_str() {
        lines.insert(
            0,
            format!("Our own network is lost since {} UTC.", clock(since, now)),
        );
    }
    if lines.is_empty() {
        lines.push(match colour {
            GREEN => "All upstreams are well.".to_owned(),
            _ => "Requests of clients fail.".to_owned(),
        });
    }
    for line in lines {
        let _ = writeln!(text, "{}", colours.paint(colour, &line));
    }
    for one in list(&status["waiting"]) {
        let _ = writeln!(text, "{}", colours.paint(YELLOW, &waiting(one, now)));
    }
    let clients = &status["clients"];
    if !clients.is_null() {
        let _ = writeln!(text, "{}", felt(&clients["5m"]));
    }
    let reload = &status["config"]["last_reload"];
    if reload["ok"] == false {
        let at = clock(said(&reload["at"]), now);
        let line = format!("The configuration read at {at} UTC cannot be used; the old one stays.");
        let _ = writeln!(text, "{}", colours.paint(YELLOW, &line));
    }
    text
}

/// `openai is down since 02:14 UTC (503 overloaded). claude answers instead.`
/// `openai refuses us since 02:14 UTC, asked again from 02:24 UTC on (key refused).`
fn sentence(problem: &Value, now: &str) -> String {
    let mut text = said(&problem["what"]).to_owned();
    if let Some(since) = problem["since"].as_str() {
        let _ = write!(text, " since {} UTC", clock(since, now));
    }
    if let Some(until) = problem["until"].as_str() {
        let _ = write!(text, ", asked again from {} UTC on", clock(until, now));
    }
    if let Some(because) = problem["because"].as_str() {
        let _ = write!(text, " ({because})");
    }
    match said(&problem["instead"]) {
        "" => text + ".",
        instead => format!("{text}. {instead}."),
    }
}

/// `3 requests wait in the route gpt-* since 02:14 UTC, for openai.`
fn waiting(waiting: &Value, now: &str) -> String {
    let requests = match waiting["requests"].as_u64().unwrap_or_default() {
        1 => "1 request waits".to_owned(),
        several => format!("{several} requests wait"),
    };
    let (route, since) = (said(&waiting["route"]), said(&waiting["since"]));
    let upstreams: Vec<&str> = list(&waiting["upstreams"]).map(said).collect();
    let upstreams = match upstreams.as_slice() {
        [] => String::new(),
        names => format!(", for {}", names.join(", ")),
    };
    let since = clock(since, now);
    format!("{requests} in the route {route} since {since} UTC{upstreams}.")
}

fn felt(figures: &Value) -> String {
    let Some(requests) = figures["requests"].as_u64() else {
        return "No requests in the last 5 minutes.".to_owned();
    };
    let failed = figures["failed"].as_u64().unwrap_or_default();
    let felt = match failed {
        0 => "Clients felt nothing",
        _ => "Clients feel it",
    };
    format!("{felt}: {failed} of {requests} requests failed in the last 5 minutes.")
}

fn upstream_row(status: &Value, upstream: &Value) -> [String; 8] {
    let name = said(&upstream["name"]);
    let is_it = |one: &&Value| one["name"] == upstream["name"];
    let nothing = Value::Null;
    let windows = list(&status["availability"]["upstreams"]).find(is_it);
    let [five_minutes, day, token] = figures(&windows.unwrap_or(&nothing)["windows"]);
    let problem = list(&status["problems"]).find(|one| one["upstream"] == upstream["name"]);
    let instead = list(&problem.unwrap_or(&nothing)["answered_by"]).map(said);
    let instead: Vec<&str> = instead.collect();
    let since = match upstream["since"].as_str() {
        Some(since) => clock(since, said(&status["now"])),
        None => "-".to_owned(),
    };
    // There is no room for more than the month and the day.
    let since = since.get(5..10).unwrap_or(&since).to_owned();
    [
        name.to_owned(),
        state(said(&upstream["state"])).to_owned(),
        since,
        failed(&upstream["errors_1m"]),
        match instead.as_slice() {
            [] => "-".to_owned(),
            names => names.join(","),
        },
        five_minutes,
        day,
        token,
    ]
}

fn state(name: &str) -> &str {
    match name {
        "in_rotation" => "in rotation",
        "out" => "down",
        "partly_out" => "partly down",
        "key_refused" => "refuses us",
        "taken_out" => "taken out",
        "probing" => "being tested",
        "cooling_down" => "cooling down",
        "recovering" => "coming back",
        other => other,
    }
}

/// The availability of 5 minutes and of a day as they come, and half of all times to the first token.
fn figures(windows: &Value) -> [String; 3] {
    let share = |window: &str| match &windows[window]["by_requests"] {
        // 100.0 is written as 100 elsewhere, too.
        Value::Number(share) => share.to_string().trim_end_matches(".0").to_owned(),
        _ => "no data".to_owned(),
    };
    let token = match windows["5m"]["first_token_ms"]["p50"].as_u64() {
        Some(long @ 10_000..) => format!("{} s", long / 1000),
        Some(short) => format!("{short} ms"),
        None => "-".to_owned(),
    };
    [share("5m"), share("24h"), token]
}

/// The share that failed, cut off; what is not nothing is not shown as nothing.
fn failed(counts: &Value) -> String {
    let of = |name: &str| counts[name].as_u64().unwrap_or_default();
    let (failed, requests) = (of("failed"), of("requests"));
    match (failed, requests) {
        (_, 0) => "no data".to_owned(),
        (0, _) => "0 %".to_owned(),
        _ => match failed * 1000 / requests {
            0 => "<0.1 %".to_owned(),
            tenths => format!("{}.{} %", tenths / 10, tenths % 10),
        },
    }
}

/// The time of day of a moment, in UTC as it comes, with its date if that is not today.
fn clock(moment: &str, now: &str) -> String {
    match (moment.get(..10), moment.get(11..16)) {
        (Some(day), Some(time)) if now.starts_with(day) => time.to_owned(),
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => moment.to_owned(),
    }
}

/// Columns one beside the other; what is too long is cut off.
fn line(cells: [String; 8]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let cut: String = match cell.chars().count() > width {
            true => cell.chars().take(width - 1).chain(['…']).collect(),
            false => cell.clone(),
        };
        let _ = write!(text, "{cut:<width$} ");
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Colours, table};

    fn status() -> Value {
        json!({
            "condition": "covered", "now": "2026-11-27T23:59:59Z",
            "clients": {"5m": {"requests": 1204, "failed": 0}},
            "problems": [{"upstream": "openai", "what": "openai is down", "since": "2026-11-27T02:14:00Z",
                "because": "503 overloaded", "instead": "claude answers instead", "answered_by": ["claude"]}],
            "waiting": [{"route": "gpt-*", "requests": 3, "since": "2026-11-27T23:14:00Z", "upstreams": ["openai"]}],
            "upstreams": [
                {"name": "openai", "state": "out", "since": "2026-11-27T02:14:00Z",
                    "errors_1m": {"requests": 3000, "failed": 1}},
                {"name": "a-name-that-is-far-too-long", "state": "in_rotation", "since": null,
                    "errors_1m": {"requests": 0, "failed": 0}},
            ],
            "availability": {
                "clients": {"5m": {"requests": 1204, "failed": 0, "by_requests": 100}},
                "upstreams": [{"name": "openai", "windows": {
                    "5m": {"by_requests": 99.9999, "first_token_ms": {"p50": 320}},
                    "24h": {"by_requests": 97.25}}}],
            },
        })
    }

    #[test]
    fn it_fits_and_rounds_nothing_up() {
        let text = table(&status(), Colours(false));
        for (number, line) in text.lines().enumerate() {
            let is_sentence = number < 3;
            assert!(is_sentence || line.chars().count() <= 80, "{line}");
        }
        let sentence = "openai is down since 02:14 UTC (503 overloaded). claude answers instead.";
        assert!(text.starts_with(sentence), "{text}");
        assert!(
            text.contains("Clients felt nothing: 0 of 1204 requests"),
            "{text}"
        );
        let waiting = "3 requests wait in the route gpt-* since 23:14 UTC, for openai.";
        assert!(text.contains(waiting), "{text}");
        let mut rows = text.lines().skip(5);
        let row = rows.find(|line| line.starts_with("openai ")).unwrap();
        for cell in [
            "down", "02:14", "<0.1 %", "claude", "99.9999", "97.25", "320 ms",
        ] {
            assert!(row.contains(cell), "{cell}: {row}");
        }
        assert!(text.contains("no data"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
        assert!(table(&status(), Colours(true)).contains("\x1b[31m"));
    }

    #[test]
    fn a_refused_key_is_told_with_its_beginning_and_its_next_trial() {
        let mut status = status();
        status["problems"] = json!([{"upstream": "openai", "what": "openai refuses us", "instead": "",
            "since": "2026-11-27T02:14:00Z", "until": "2026-11-28T00:04:59Z", "because": "key refused"}]);
        let text = table(&status, Colours(false));
        let sentence = "openai refuses us since 02:14 UTC, asked again from 2026-11-28 00:04 UTC on (key refused).";
        assert!(text.starts_with(sentence), "{text}");
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_told() {
        let mut status = status();
        let said = |status: &Value| table(status, Colours(false)).contains("cannot be used");
        status["config"]["last_reload"] = json!({"at": "2026-11-27T10:00:00Z", "ok": true});
        assert!(!said(&status));
        status["config"]["last_reload"]["ok"] = false.into();
        assert!(said(&status));
    }

    #[test]
    fn what_began_on_another_day_is_dated() {
        let mut status = status();
        status["now"] = "2026-11-28T00:00:00Z".into();
        let text = table(&status, Colours(false));
        let sentence = "openai is down since 2026-11-27 02:14 UTC";
        assert!(text.starts_with(sentence), "{text}");
        assert!(text.contains("down          11-27  <0.1 %"), "{text}");
    }
}
