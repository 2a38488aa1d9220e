//! The table of what was measured, in Markdown.

use std::fmt::Write;
use std::time::Duration;

use super::cases::Who;

/// The rows, in the order in which they were begun.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

struct Row {
    name: &'static str,
    unit: &'static str,
    /// What was measured, of each. The turns of a round stand at the same place.
    values: Vec<(Who, Vec<f64>)>,
}

impl Table {
    /// Notes a value.
    pub(crate) fn put(&mut self, name: &'static str, who: Who, value: f64, unit: &'static str) {
        self.row(name, unit).values.push((who, vec![value]));
    }

    /// Notes processor times in microseconds, one of each round.
    pub(crate) fn put_times(&mut self, name: &'static str, who: Who, times: Vec<f64>) {
        self.row(name, "µs").values.push((who, times));
    }

    fn row(&mut self, name: &'static str, unit: &'static str) -> &mut Row {
        let known = self.0.iter().position(|row| row.name == name);
        let at = known.unwrap_or_else(|| {
            self.0.push(Row {
                name,
                unit,
                values: Vec::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = "\nProcessor time where a row says no more; medians of rounds in turns.\n\n\
             | | backstop | nginx | bare hyper | backstop ÷ nginx | backstop ÷ bare hyper |\n\
             |---|---|---|---|---|---|\n"
            .to_owned();
        for row in &self.0 {
            let ours = row.values.iter().find(|(who, _)| {
                matches!(who, Who::Backstop | Who::ManyKeys | Who::ManyCandidates)
            });
            let of = |wanted: Who| row.values.iter().find(|(who, _)| *who == wanted);
            let (nginx, floor) = (of(Who::Nginx), of(Who::Floor));
            let cell = |measured: Option<&(Who, Vec<f64>)>| {
                measured.map_or_else(String::new, |(_, values)| {
                    format!("{:.1} {}", median(values), row.unit)
                })
            };
            let ratio = |theirs: Option<&(Who, Vec<f64>)>| match (ours, theirs) {
                (Some((_, ours)), Some((_, theirs))) => {
                    let pairs: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
                    format!("{:.2}", median(&pairs))
                }
                _ => String::new(),
            };
            let cells = [
                row.name.to_owned(),
                cell(ours),
                cell(nginx),
                cell(floor),
                ratio(nginx),
                ratio(floor),
            ];
            writeln!(text, "| {} |", cells.join(" | ")).unwrap();
        }
        text
    }
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
