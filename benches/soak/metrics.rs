//! The program's metrics, as Prometheus would read them.

use crate::board::Tally;

/// One scrape.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Vec<Series>);

#[derive(Debug)]
struct Series {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Series {
    /// No label of ours has a comma or a quotation mark in its value.
    fn read(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter_map(|label| {
            let (name, value) = label.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        });
        Some(Self {
            name: name.to_owned(),
            labels: labels.collect(),
            value: value.parse().ok()?,
        })
    }

    fn label(&self, name: &str) -> &str {
        let label = self.labels.iter().find(|(label, _)| label == name);
        label.map_or("", |(_, value)| value)
    }
}

impl Metrics {
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(Series::read).collect())
    }

    /// The sum of all series of a metric.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        self.of(name).map(|series| series.value as u64).sum()
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Series> {
        self.0.iter().filter(move |series| series.name == name)
    }

    /// How requests ended, in the words of the board: a status, and `answered`, `broken` (an error in a 200) or
    /// `unanswered`; `client_gone` whatever the status.
    pub(crate) fn ends(&self) -> Tally {
        let mut ends = Tally::new();
        for series in self.of("backstop_requests_total") {
            let status = series.label("status");
            let end = match (status, series.label("result")) {
                (_, "client_gone") => "client_gone".to_owned(),
                ("200", "answered") => "200 answered".to_owned(),
                ("200", _) => "200 broken".to_owned(),
                _ => format!("{status} unanswered"),
            };
            if series.value > 0.0 {
                *ends.entry(end).or_default() += series.value as u64;
            }
        }
        ends
    }

    /// Attempts at an upstream: all, and those of which it may have seen nothing.
    pub(crate) fn attempts(&self, upstream: &str) -> (u64, u64) {
        let mut counts = (0, 0);
        for series in self.of("backstop_attempts_total") {
            if series.label("upstream") != upstream {
                continue;
            }
            counts.0 += series.value as u64;
            let may_be_unseen = [
                "connect_refused",
                "connect_timeout",
                "connection_lost",
                "superseded",
                "full",
                "no_memory",
                "no_resources",
            ];
            if may_be_unseen.contains(&series.label("outcome")) {
                counts.1 += series.value as u64;
            }
        }
        counts
    }

    /// Attempts whose answer was lost on its way: the upstream cannot know that.
    pub(crate) fn cut(&self) -> u64 {
        let lost = self.of("backstop_attempts_total").filter(|series| {
            ["connection_lost", "cut_short", "stream_broken"].contains(&series.label("outcome"))
        });
        lost.map(|series| series.value as u64).sum()
    }

    /// Attempts that ran beside others of the same request.
    pub(crate) fn hedges(&self) -> u64 {
        let hedges = self.of("backstop_attempts_total");
        let hedges = hedges.filter(|series| series.label("phase").ends_with("hedge"));
        hedges.map(|series| series.value as u64).sum()
    }
}
