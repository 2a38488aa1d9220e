//! The rules, whether they are kept, and the report.

use std::fmt::Write;
use std::time::Duration;

use crate::board::{Board, Tally};
use crate::faults::Reloads;
use crate::metrics::Metrics;
use crate::watch::{Taken, thirds};

/// All that was seen.
pub(crate) struct Seen<'a> {
    pub(crate) length: Duration,
    pub(crate) board: &'a Board,
    /// After the last request.
    pub(crate) metrics: Metrics,
    pub(crate) taken: Vec<Taken>,
    pub(crate) reloads: Reloads,
    pub(crate) upstreams: Vec<&'static str>,
    pub(crate) has_ended_well: bool,
}

/// Whether each rule is kept, with what was seen.
#[derive(Default)]
struct Rules(Vec<(bool, String)>);

impl Rules {
    fn rule(&mut self, is_kept: bool, what: String) {
        self.0.push((is_kept, what));
    }
}

/// The report in Markdown, and whether all rules are kept.
pub(crate) fn report(seen: &Seen<'_>) -> (String, bool) {
    let mut rules = Rules::default();
    answers(seen, &mut rules);
    counts(seen, &mut rules);
    machine(seen, &mut rules);
    let is_kept = rules.0.iter().all(|(is_kept, _)| *is_kept);
    let sent = seen.board.sent();
    let mut text = format!(
        "# Soak of {} s: {}\n\n{sent} requests, {:.0} a second; {} good reloads and {} bad ones.\n\n| | rule |\n|---|---|\n",
        seen.length.as_secs(),
        if is_kept {
            "all rules are kept"
        } else {
            "BROKEN"
        },
        sent as f64 / seen.length.as_secs_f64(),
        seen.reloads.good,
        seen.reloads.bad,
    );
    for (is_kept, what) in &rules.0 {
        let _ = writeln!(
            text,
            "| {} | {what} |",
            if *is_kept { "kept" } else { "**BROKEN**" }
        );
    }
    let _ = writeln!(
        text,
        "\nResident memory over the time, in KiB: {}",
        course(&seen.taken)
    );
    table(&mut text, "requests", &seen.board.kinds());
    table(&mut text, "ended for clients", &seen.board.ends());
    table(&mut text, "ended in the metrics", &seen.metrics.ends());
    table(&mut text, "arrived at upstreams", &seen.board.arrivals());
    for (status, error) in seen.board.errors() {
        let _ = writeln!(text, "\nOne of the errors with {status}: `{error}`");
    }
    let wrongs = seen.board.wrongs();
    for wrong in wrongs.iter().take(20) {
        let _ = writeln!(text, "\n- {wrong}");
    }
    (text, is_kept)
}

fn table(text: &mut String, heading: &str, tally: &Tally) {
    let _ = write!(text, "\n| {heading} | |\n|---|---:|\n");
    for (what, count) in tally {
        let _ = writeln!(text, "| {what} | {count} |");
    }
}

/// Twenty looks at the resident memory.
fn course(taken: &[Taken]) -> String {
    let step = (taken.len() / 20).max(1);
    let looks = taken.iter().step_by(step).map(|taken| taken[0].to_string());
    looks.collect::<Vec<_>>().join(", ")
}

/// Every request has one right end.
fn answers(seen: &Seen<'_>, rules: &mut Rules) {
    let board = seen.board;
    let ends = board.ends();
    let (sent, ended) = (board.sent(), ends.values().sum::<u64>());
    rules.rule(
        sent == ended && board.open_now() == 0 && !ends.contains_key("lost"),
        format!(
            "no request is lost: {sent} sent, {ended} ended, {} lost",
            ends.get("lost").unwrap_or(&0)
        ),
    );
    let wrongs = board.wrongs().len();
    rules.rule(
        wrongs == 0,
        format!("no answer is wrong, mixed up, or cut off silently: {wrongs} were"),
    );
    let (doubles, hedges, cut) = (board.doubles(), seen.metrics.hedges(), seen.metrics.cut());
    rules.rule(
        doubles <= hedges + cut,
        format!(
            "no request is answered twice but by a hedge, or where the first answer was cut off: {doubles} were, {hedges} hedges, \
             {cut} cut off"
        ),
    );
    let answered = ends.get("200 answered").unwrap_or(&0);
    let missing = ["200 broken", "client_gone"]
        .iter()
        .find(|end| !ends.contains_key(**end));
    rules.rule(
        answered * 2 > sent && missing.is_none(),
        format!("most requests are answered, and the others happen too: {answered} answered, none {missing:?}"),
    );
}

/// Clients, metrics and upstreams agree.
fn counts(seen: &Seen<'_>, rules: &mut Rules) {
    let (clients, metrics) = (seen.board.ends(), seen.metrics.ends());
    rules.rule(
        clients == metrics,
        "clients and metrics count the same ends (tables below)".to_owned(),
    );
    for upstream in &seen.upstreams {
        let arrived = *seen.board.arrivals().get(*upstream).unwrap_or(&0);
        let (all, unseen) = seen.metrics.attempts(upstream);
        rules.rule(
            arrived <= all && all - unseen <= arrived,
            format!("`{upstream}` received what was attempted: {arrived} arrived, {all} attempts, {unseen} of them perhaps unseen"),
        );
    }
    let expected = seen.reloads.good + seen.reloads.bad;
    let counted = seen.metrics.sum("backstop_config_reloads_total");
    rules.rule(
        expected == counted,
        format!("every reload is counted: {expected} asked for, {counted} counted"),
    );
    for gauge in [
        "backstop_requests_in_flight",
        "backstop_upstream_attempts_in_flight",
        "backstop_body_memory_bytes",
    ] {
        let left = seen.metrics.sum(gauge);
        rules.rule(left == 0, format!("`{gauge}` is 0 at the end: {left}"));
    }
}

/// What the machine is asked for stays flat.
fn machine(seen: &Seen<'_>, rules: &mut Rules) {
    let [first, last] = thirds(&seen.taken);
    let about = |what: &str, unit: &str, index: usize, most: u64| {
        format!(
            "flat {what}: median of the first third {}{unit}, of the last {}{unit}, at most {most}{unit}; peak {}{unit}",
            first[index],
            last[index],
            seen.taken
                .iter()
                .map(|taken| taken[index])
                .max()
                .unwrap_or_default()
        )
    };
    // Peaks come by chance; in a short time, that looks like growth.
    let is_long = seen.length >= Duration::from_secs(900);
    let growth = if is_long {
        2048 + first[0] / 10
    } else {
        16_384 + first[0] / 2
    };
    let most = [
        first[0] + growth,
        first[1] + first[1] / 10 + 16,
        first[2] + 4,
    ];
    rules.rule(
        !seen.taken.is_empty() && last[0] <= most[0],
        about("resident memory", " KiB", 0, most[0]),
    );
    rules.rule(
        last[1] <= most[1],
        about("file descriptors", "", 1, most[1]),
    );
    rules.rule(last[2] <= most[2], about("threads", "", 2, most[2]));
    rules.rule(
        seen.has_ended_well,
        "SIGTERM ends the program, with exit code 0".to_owned(),
    );
}
