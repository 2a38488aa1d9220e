//! What the headers of replies say about rate limits: when the next request may pass.
//!
//! `OpenAI`, Groq, Fireworks, Cerebras and many others send `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` with
//! Go durations (`6m0s`, `547ms`), some with a period (`-requests-day`, `-req-minute`); Azure sends the same names with
//! plain seconds; Anthropic sends `anthropic-ratelimit-{requests,tokens,…}-{limit,remaining,reset}` with RFC 3339
//! times; others send the IETF's `RateLimit`, in its older form or as a structured field, or `x-ratelimit-reset` with
//! an epoch.
//!
//! A reset is not the next request. These allowances are buckets that fill all the time, and `reset` says when one is
//! full again: with 500 requests a minute, the next one passes after 0.12 s. Only where a limit counts in windows, as
//! the IETF's do, does nothing pass before its reset.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::wire::waits::wait_until;

/// What is left of the tightest rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many more requests of usual size it lets pass.
    pub requests: i64,
    /// How many it lets pass when nothing has been used, if the upstream says so.
    pub limit: Option<i64>,
    /// How long until it lets one more pass; no longer than a short pause, as long as nothing was refused.
    pub next_in: Duration,
}

/// The longest pause without a refusal: the headers of concurrent replies contradict each other.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// No allowance takes longer to be full again.
const LONGEST_RESET: Duration = Duration::from_secs(366 * 24 * 3600);

/// How headers of rate limits begin.
const PREFIXES: [&str; 3] = ["x-ratelimit-", "anthropic-ratelimit-", "ratelimit-"];

/// The IETF's structured field.
const FIELD: &str = "ratelimit";

/// The rate limit of Anthropic's plans: `rejected` when it is used up, and the epoch of its reset.
const PLAN: (&str, &str) = (
    "anthropic-ratelimit-unified-status",
    "anthropic-ratelimit-unified-reset",
);

/// Whether a header of this name may be one. Every header of every reply is asked.
fn may_tell(name: &str) -> bool {
    matches!(
        name.as_bytes(),
        [b'x', b'-', b'r', ..] | [b'a', b'n', ..] | [b'r', b'a', ..]
    )
}

/// Whether any headers may tell of rate limits.
pub fn may_be_told(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| may_tell(name.as_str()))
}

/// How long until a request with so many tokens may pass, after one was refused; `None` if no rate limit is used up.
pub fn exhausted(headers: &HeaderMap, tokens: usize, now: SystemTime) -> Option<Duration> {
    let limits = read(headers, now);
    let used_up = limits
        .iter()
        .filter(|limit| limit.fitting(tokens) == Some(0));
    used_up
        .filter_map(|limit| limit.next_in(1, tokens))
        .chain(plan_exhausted(headers, now))
        .max()
}

/// What is left of the tightest rate limit for requests with so many tokens, if the upstream says so.
pub fn tightest(headers: &HeaderMap, tokens: usize, now: SystemTime) -> Option<RateLimit> {
    let limits = read(headers, now);
    let left = limits.iter().filter_map(|limit| {
        let requests = limit.fitting(tokens)?;
        let next_in = limit
            .next_in(requests.saturating_add(1), tokens)?
            .min(LONGEST_PAUSE);
        Some(RateLimit {
            requests,
            limit: limit.whole(tokens),
            next_in,
        })
    });
    left.min_by_key(|left| left.requests)
}

fn plan_exhausted(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let (status, reset) = PLAN;
    let is_rejected = headers.get(status)? == "rejected";
    let reset = headers.get(reset)?.to_str().ok()?;
    wait_until(reset.trim(), now).filter(|_| is_rejected)
}

/// One rate limit.
#[derive(Debug, Default)]
struct Limit<'a> {
    /// What it counts, and in which period: `requests`, `tokens`, `input-tokens`, `req-minute`, or nothing.
    kind: &'a str,
    limit: Option<f64>,
    remaining: Option<f64>,
    reset: Option<Duration>,
}

/// What one header tells of a rate limit.
#[derive(Clone, Copy)]
enum Part {
    Limit,
    Remaining,
    Reset,
}

impl Limit<'_> {
    /// How many more requests with so many tokens fit. Azure sends negative remainders, which mean nothing.
    fn fitting(&self, tokens: usize) -> Option<i64> {
        let remaining = self.remaining.filter(|remaining| *remaining >= 0.0)?;
        Some((remaining / self.cost(tokens)?) as i64)
    }

    /// How many requests with so many tokens fit when nothing has been used.
    fn whole(&self, tokens: usize) -> Option<i64> {
        Some((self.limit? / self.cost(tokens)?) as i64)
    }

    /// How long until so many requests fit.
    fn next_in(&self, requests: i64, tokens: usize) -> Option<Duration> {
        let reset = self.reset?.min(LONGEST_RESET);
        let (Some(limit), Some(remaining)) = (self.limit, self.remaining) else {
            return Some(reset);
        };
        let used = limit - remaining;
        if self.counts_in_windows() || used <= 0.0 {
            return Some(reset);
        }
        let needed = (self.cost(tokens)? * requests as f64).min(limit) - remaining;
        Some(reset.mul_f64((needed / used).clamp(0.0, 1.0)))
    }

    /// How much of it a request takes; `None` if it counts something else, such as seconds of audio.
    fn cost(&self, tokens: usize) -> Option<f64> {
        if self.kind.contains("token") {
            Some(tokens.max(1) as f64)
        } else if self.kind.is_empty() || self.kind.contains("req") {
            Some(1.0)
        } else {
            None
        }
    }

    fn counts_in_windows(&self) -> bool {
        self.kind.is_empty() || self.kind.ends_with("-day") || self.kind.ends_with("-month")
    }
}

/// All rate limits in the headers.
fn read(headers: &HeaderMap, now: SystemTime) -> Vec<Limit<'_>> {
    let mut limits: Vec<Limit<'_>> = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        if !may_tell(name) {
            continue;
        }
        let Some((kind, part)) = kind_and_part(name) else {
            if name == FIELD {
                limits.extend(value.to_str().ok().into_iter().flat_map(field));
            }
            continue;
        };
        let Ok(value) = value.to_str() else { continue };
        let value = value.trim();
        let index = limits.iter().position(|limit| limit.kind == kind);
        let index = index.unwrap_or_else(|| {
            limits.push(Limit {
                kind,
                ..Limit::default()
            });
            limits.len() - 1
        });
        let limit = &mut limits[index];
        match part {
            Part::Limit => limit.limit = first_number(value),
            Part::Remaining => limit.remaining = first_number(value),
            Part::Reset => limit.reset = wait_until(value, now),
        }
    }
    limits
}

/// The older forms of the IETF's headers list policies after the number: `100, 100;w=60`.
fn first_number(value: &str) -> Option<f64> {
    number(value.split([',', ';']).next()?.trim())
}

/// Some servers send `Infinity` or `NaN` where they have no limit: that says nothing.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// `x-ratelimit-remaining-tokens` and `anthropic-ratelimit-tokens-remaining` both tell what remains of `tokens`.
fn kind_and_part(name: &str) -> Option<(&str, Part)> {
    let rest = PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    [
        ("limit", Part::Limit),
        ("remaining", Part::Remaining),
        ("reset", Part::Reset),
    ]
    .into_iter()
    .find_map(|(name, part)| {
        let before = |kind: &&str| kind.is_empty() || kind.ends_with('-');
        let after = |kind: &&str| kind.is_empty() || kind.starts_with('-');
        let kind = rest
            .strip_prefix(name)
            .filter(after)
            .or_else(|| rest.strip_suffix(name).filter(before))?;
        Some((kind.trim_matches('-'), part))
    })
}

/// `"default";r=50;t=30` for each policy, or the older `limit=100, remaining=50, reset=30`.
fn field(value: &str) -> impl Iterator<Item = Limit<'_>> {
    let separator = if value.contains(';') { ',' } else { '\n' };
    value.split(separator).map(|policy| {
        let mut limit = Limit::default();
        for item in policy.split([';', ',']) {
            let Some((key, value)) = item.trim().split_once('=') else {
                continue;
            };
            let number = number(value);
            match key {
                "q" | "limit" => limit.limit = number,
                "r" | "remaining" => limit.remaining = number,
                "t" | "reset" => {
                    limit.reset = number.and_then(|t| Duration::try_from_secs_f64(t).ok());
                }
                _ => {}
            }
        }
        limit
    })
}

#[cfg(test)]
mod tests;
