//! The table.

use std::collections::BTreeMap;

use crate::clients::Ended;
use crate::situation::{Bound, Seen, Situation};

pub(crate) const HEAD: &str = "\
    situation                                                              answered   bound    calls   tried   slowest   lost";

/// What was seen in a situation. `!` marks a bound that is missed.
pub(crate) fn row(situation: &Situation, seen: &Seen) -> String {
    let mark = |is_kept| if is_kept { ' ' } else { '!' };
    let asked = seen.asked();
    let bound = match situation.bound {
        Bound::All => "all".to_owned(),
        Bound::Share(share) => format!("{:.0} %", share * 100.0),
        Bound::AllAfter(first) => format!("-{first}"),
        Bound::Told => "told".to_owned(),
    };
    format!(
        "{:<68} {:>4} of {asked:<4}{} {bound:>5} {:>7.2}{} {:>6.2} {:>8.1} s   {}",
        situation.name,
        seen.answered(),
        mark(situation.is_answered(seen)),
        seen.calls_a_request(),
        mark(situation.is_cheap(seen)),
        seen.attempts as f64 / asked as f64,
        slowest(seen),
        lost(seen)
    )
}

/// Seconds; zero if nothing was answered.
fn slowest(seen: &Seen) -> f64 {
    let answered = seen.all().filter(|ended| ended.is_answered());
    answered.map(|ended| ended.seconds).fold(0.0, f64::max)
}

/// What clients saw in place of an answer, how often, how long the slowest of them waited, and which requests those were.
fn lost(seen: &Seen) -> String {
    let mut counts = BTreeMap::new();
    let mut slowest: f64 = 0.0;
    for ended in seen.all().filter(|ended| !ended.is_answered()) {
        *counts.entry(ended.ended.as_str()).or_insert(0) += 1;
        slowest = slowest.max(ended.seconds);
    }
    if counts.is_empty() {
        return String::new();
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{what}: {count}"))
        .collect();
    let runs = seen.runs.iter().map(|run| ranges(run));
    let numbers: Vec<String> = runs.filter(|ranges| !ranges.is_empty()).collect();
    let (counts, numbers) = (counts.join(", "), numbers.join("; "));
    format!("{counts}, after {slowest:.1} s at most ({numbers})")
}

/// The numbers of the requests that were not answered: `1-4, 9`.
fn ranges(run: &[Ended]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for (index, _) in run
        .iter()
        .enumerate()
        .filter(|(_, ended)| !ended.is_answered())
    {
        match ranges.last_mut() {
            Some((_, last)) if *last == index => *last = index + 1,
            Some(_) | None => ranges.push((index + 1, index + 1)),
        }
    }
    let text = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let ranges: Vec<String> = ranges.iter().map(text).collect();
    ranges.join(", ")
}
