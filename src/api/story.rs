//! What is told about a request that no upstream answered: to its client, and to the log.

use crate::event::AttemptReport;
use crate::failover::Exhausted;
use crate::outcome::Blame;

/// Every attempt and every candidate that was not asked, with the upstreams' own words.
pub(super) fn for_client(exhausted: &Exhausted) -> String {
    story(exhausted, |_| true)
}

/// The same for the log, which must not repeat prompts: what an upstream says about a request may quote from it.
pub(super) fn for_log(exhausted: &Exhausted, model: &str) -> String {
    let is_about_upstream = |attempt: &AttemptReport| attempt.outcome.blame() != Blame::Client;
    format!(
        "{}{}",
        asked_for(model),
        story(exhausted, is_about_upstream)
    )
}

fn asked_for(model: &str) -> String {
    match model {
        "" => String::new(),
        model => format!("{}: ", named(model)),
    }
}

/// The longest name of a model that is repeated, in characters.
const LONGEST_NAME: usize = 80;

/// A model in quotes; clients may send anything as its name.
pub(super) fn named(model: &str) -> String {
    let plain = model.chars().filter(|c| !c.is_control());
    format!("`{}`", plain.take(LONGEST_NAME).collect::<String>())
}

/// What has become of the request, each thing once: an upstream that was asked again may have failed in the same way.
fn story(exhausted: &Exhausted, is_quoted: impl Fn(&AttemptReport) -> bool) -> String {
    let mut parts: Vec<(String, usize)> = Vec::new();
    for attempt in &exhausted.attempts {
        let part = report_of(attempt, is_quoted(attempt));
        match parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, times)) => *times += 1,
            None => parts.push((part, 1)),
        }
    }
    let attempts = parts.into_iter().map(|(part, times)| match times {
        1 => part,
        _ => format!("{part} ({times} times)"),
    });
    let skipped = exhausted.skipped.iter().map(|skipped| {
        let (upstream, reason) = (&skipped.upstream, skipped.reason.reason());
        format!("{upstream}: not asked, {reason}")
    });
    attempts.chain(skipped).collect::<Vec<_>>().join("; ")
}

fn report_of(attempt: &AttemptReport, is_quoted: bool) -> String {
    let model = attempt.model.iter().map(|model| format!(" for {model}"));
    let detail = attempt.detail.iter().filter(|_| is_quoted);
    let detail = detail.map(|detail| format!(", {detail}"));
    format!(
        "{}: {}{}{}",
        attempt.upstream,
        attempt.outcome,
        model.collect::<String>(),
        detail.collect::<String>()
    )
}
