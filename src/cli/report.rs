//! `backstop report`: what clients had and how upstreams and models did, as a table, as JSON or for a spreadsheet.

use anyhow::bail;
use serde_json::{Value, json};

use super::answer::{list, said};
use super::arguments::{Format, ReportArgs};
use super::operators::get;
use super::print::print;
use super::report_clients;

/// Asks for `/api/availability` and prints one of its windows.
pub(super) async fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let answer = get(&args.proxy, "/api/availability").await?;
    let windows: Vec<&str> = list(&answer["windows"]).map(said).collect();
    if !windows.contains(&args.since.as_str()) {
        let known = windows.join(", ");
        bail!(
            "--since: there are figures of the last {known}; not of `{}`",
            args.since
        );
    }
    let rows = rows(&answer, &args.since);
    print(&match args.format {
        Format::Text => table(&answer, &args.since, &rows),
        Format::Json => {
            let rows: Vec<Value> = rows.iter().map(Row::json).collect();
            let report = json!({
                "now": answer["now"], "since": answer["since"], "store": answer["store"],
                "window": args.since, "rows": rows,
            });
            format!("{report:#}\n")
        }
        Format::Csv => csv(&rows),
    })
}

/// The figures of one subject.
struct Row<'a> {
    kind: &'static str,
    upstream: &'a str,
    model: &'a str,
    client: &'a str,
    figures: &'a Value,
}

impl Row<'_> {
    fn json(&self) -> Value {
        let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        json!({
            "kind": self.kind,
            "upstream": name(self.upstream),
            "model": name(self.model),
            "client": name(self.client),
            "figures": self.figures,
        })
    }
}

/// All clients first, then each of them, then upstreams, then models.
fn rows<'a>(answer: &'a Value, window: &str) -> Vec<Row<'a>> {
    let row = |kind, upstream: &'a Value, model: &'a Value, about: &'a Value| Row {
        kind,
        upstream: said(upstream),
        model: said(model),
        client: "",
        figures: &about[window],
    };
    let nobody = &Value::Null;
    let mut rows = vec![row("clients", nobody, nobody, &answer["clients"])];
    let clients = report_clients::of_window(answer, window).into_iter();
    rows.extend(clients.map(|(client, figures)| Row {
        kind: "client",
        upstream: "",
        model: "",
        client,
        figures,
    }));
    let upstreams = || list(&answer["upstreams"]);
    rows.extend(
        upstreams()
            .map(|upstream| row("upstream", &upstream["name"], nobody, &upstream["windows"])),
    );
    for upstream in upstreams() {
        rows.extend(list(&upstream["models"]).map(|model| {
            row(
                "model",
                &upstream["name"],
                &model["name"],
                &model["windows"],
            )
        }));
    }
    rows
}

fn table(answer: &Value, window: &str, rows: &[Row<'_>]) -> String {
    let mut text = format!(
        "the last {window} until {}; counted since {}\n",
        said(&answer["now"]),
        said(&answer["since"])
    );
    if let Some(why) = said(&answer["store"]).strip_prefix("in memory only") {
        text += &format!("a restart loses these figures: in memory only{why}\n");
    }
    let mut kind = "";
    for row in rows {
        if row.kind != kind {
            kind = row.kind;
            text += &line(heads(kind));
        }
        if kind == "client" {
            let cells = report_clients::cells(row.client, row.figures);
            text += &line(cells.each_ref().map(String::as_str));
            continue;
        }
        let name = match (row.upstream, row.model) {
            ("", _) => "all".to_owned(),
            (upstream, "") => upstream.to_owned(),
            (upstream, model) => format!("{model} at {upstream}"),
        };
        text += &of_subject(&name, row.figures);
    }
    text
}

fn heads(kind: &str) -> [&str; 6] {
    let head = match kind {
        "client" => return report_clients::HEADS,
        "upstream" => "upstreams",
        "model" => "models",
        other => other,
    };
    [
        head,
        "requests",
        "failed",
        "% by requests",
        "% by time",
        "token",
    ]
}

fn of_subject(name: &str, figures: &Value) -> String {
    if figures.is_null() {
        return line([&format!("  {name}"), "no data", "", "", "", ""]);
    }
    let shown = |value: &Value| match value {
        // 100.0 is written as 100 elsewhere, too.
        Value::Number(number) => number.to_string().trim_end_matches(".0").to_owned(),
        _ => "no data".to_owned(),
    };
    let token = match figures["first_token_ms"]["p50"].as_u64() {
        Some(long @ 10_000..) => format!("{} s", long / 1000),
        Some(short) => format!("{short} ms"),
        None => "-".to_owned(),
    };
    let mut text = line([
        &format!("  {name}"),
        &shown(&figures["requests"]),
        &shown(&figures["failed"]),
        &shown(&figures["by_requests"]),
        &shown(&figures["by_time"]),
        &token,
    ]);
    let failures = figures["failures"].as_object().into_iter().flatten();
    let failures = failures.map(|(label, count)| format!("{label} {count}"));
    let more = [
        ("saved by failover", "saved"),
        ("passed over", "passed_over"),
    ];
    let more = more.into_iter().filter_map(|(what, key)| {
        let count = figures[key].as_u64().filter(|count| *count > 0)?;
        Some(format!("{what} {count}"))
    });
    let all: Vec<String> = failures.chain(more).collect();
    for some in all.chunks(3) {
        text += &format!("      {}\n", some.join(", "));
    }
    text
}

/// Within 80 columns; what is too long is cut off.
fn line(cells: [&str; 6]) -> String {
    let widths = [28, 10, 8, 13, 9, 7];
    let mut text = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let cut: String = match cell.chars().count() > width {
            true => cell.chars().take(width - 1).chain(['…']).collect(),
            false => (*cell).to_owned(),
        };
        text += &match index {
            0 => format!("{cut:<width$}"),
            _ => format!(" {cut:>width$}"),
        };
    }
    format!("{}\n", text.trim_end())
}

/// The columns of numbers, by their places in the figures.
const COLUMNS: [(&str, &str); 18] = [
    ("requests", "/requests"),
    ("failed", "/failed"),
    ("by_requests", "/by_requests"),
    ("by_time", "/by_time"),
    ("saved", "/saved"),
    ("passed_over", "/passed_over"),
    ("first_token_ms_p50", "/first_token_ms/p50"),
    ("first_token_ms_p95", "/first_token_ms/p95"),
    ("first_token_ms_p99", "/first_token_ms/p99"),
    ("total_ms_p50", "/total_ms/p50"),
    ("total_ms_p95", "/total_ms/p95"),
    ("total_ms_p99", "/total_ms/p99"),
    ("input_tokens", "/tokens/input"),
    ("cached_tokens", "/tokens/cached"),
    ("output_tokens", "/tokens/output"),
    ("failures", "/failures"),
    ("rejected", "/rejected"),
    ("limited", "/limited"),
];

/// A line for each subject; cells without data are empty.
fn csv(rows: &[Row<'_>]) -> String {
    let heads = COLUMNS.map(|(head, _)| head).join(",");
    let mut text = format!("kind,upstream,model,{heads},client\n");
    for row in rows {
        let names = [row.kind, row.upstream, row.model].map(quoted);
        let cells = COLUMNS.map(|(_, place)| match row.figures.pointer(place) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Object(failures)) => {
                let failures = failures.iter();
                let each: Vec<String> = failures
                    .map(|(kind, count)| format!("{kind} {count}"))
                    .collect();
                quoted(&each.join("; "))
            }
            Some(number) => number.to_string(),
        });
        let (names, client) = (names.join(","), quoted(row.client));
        text += &format!("{names},{},{client}\n", cells.join(","));
    }
    text
}

/// As RFC 4180 has it, and no formula for a spreadsheet.
fn quoted(text: &str) -> String {
    let safe = match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match safe.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", safe.replace('"', "\"\"")),
        false => safe,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{csv, quoted, rows, table};

    fn answer() -> Value {
        let figures = json!({
            "requests": 129_600, "failed": 225, "by_requests": 99.8263, "by_time": 100.0,
            "failures": {"overloaded": 200, "stream_broken": 25}, "first_token_ms": {"p50": 320, "p95": 900, "p99": 2100},
            "total_ms": null, "saved": 12, "passed_over": 7, "tokens": {"input": 1, "cached": 0, "output": 2},
        });
        let of_client = json!({
            "requests": 40, "failed": 1, "by_requests": 97.5, "saved": 2, "rejected": 9, "limited": 7, "left": 0,
            "tokens": {"input": 12_345_678, "cached": 4, "output": 5},
        });
        json!({
            "now": "2026-11-27T21:00:00Z", "since": "2026-09-01T00:00:00Z", "store": "in history.redb",
            "clients": {"90d": figures},
            "by_client": [{"name": "anna", "windows": {"90d": of_client}}, {"name": "bert", "windows": {"90d": null}}],
            "upstreams": [
                {"name": "openai", "windows": {"90d": figures},
                    "models": [{"name": "a-model-with-a-name-that-is-very-long", "windows": {"90d": figures}}]},
                {"name": "claude", "windows": {"90d": null}, "models": []},
            ],
        })
    }

    #[test]
    fn the_table_fits_and_says_where_there_is_no_data() {
        let answer = answer();
        let text = table(&answer, "90d", &rows(&answer, "90d"));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        let line_of = |name: &str| {
            text.lines()
                .find(|line| line.trim_start().starts_with(name))
        };
        let clients = line_of("all").unwrap();
        assert!(clients.contains("99.8263       100 "), "{clients}");
        assert!(line_of("claude").unwrap().ends_with("no data"), "{text}");
        assert!(text.contains("saved by failover 12"), "{text}");
        let anna: Vec<&str> = line_of("anna").unwrap().split_whitespace().collect();
        assert_eq!(anna, ["anna", "40", "1", "7", "12.3M", "5"]);
        assert_eq!(line_of("bert"), None, "it asked for nothing");
        let (clients, upstreams, models) = (
            text.find("clients"),
            text.find("upstreams"),
            text.find("models"),
        );
        assert!(clients < upstreams && upstreams < models, "{text}");
    }

    #[test]
    fn every_line_of_a_spreadsheet_has_all_cells() {
        let answer = answer();
        let text = csv(&rows(&answer, "90d"));
        let cells: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(cells, [22; 6], "{text}");
        assert!(text.contains("\nupstream,claude,,,,"), "{text}");
        assert!(text.contains("\nclient,,,40,1,"), "{text}");
        assert!(text.contains(",9,7,anna\n"), "{text}");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=1"), "'=1");
    }
}
