//! The remaining rate limits of an upstream and their reset times, from the headers of every provider that sends some.
//!
//! `OpenAI`, Groq and many others send `x-ratelimit-{remaining,reset}-{requests,tokens}` with Go durations (`6m0s`,
//! `547ms`); Azure sends the same names with plain seconds; Anthropic sends `anthropic-ratelimit-*-{remaining,reset}`
//! with RFC 3339 times; some send epochs, in seconds or milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use jiff::Timestamp;
use jiff::fmt::friendly::SpanParser;

/// The state of one rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What remains. Azure sends negative numbers, which mean nothing.
    pub remaining: i64,
    /// How long until it resets.
    pub reset_in: Duration,
}

/// The kinds of rate limits, as their headers name them.
const KINDS: [(&str, &str); 7] = [
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    (
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
    (
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
    // OpenRouter
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
];

/// The rate limit of Anthropic's plans: `rejected` when it is used up, and the epoch of its reset.
const PLAN: (&str, &str) = (
    "anthropic-ratelimit-unified-status",
    "anthropic-ratelimit-unified-reset",
);

/// How long until the last of the exhausted rate limits resets; `None` if none is exhausted.
pub fn exhausted(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    KINDS
        .iter()
        .filter_map(|kind| read(headers, *kind, now))
        .filter(|rate_limit| rate_limit.remaining == 0)
        .map(|rate_limit| rate_limit.reset_in)
        .chain(plan_exhausted(headers, now))
        .max()
}

fn plan_exhausted(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let (status, reset) = PLAN;
    let is_rejected = headers.get(status)? == "rejected";
    let reset = headers.get(reset)?.to_str().ok()?;
    reset_in(reset.trim(), now).filter(|_| is_rejected)
}

/// The rate limit of requests, if the upstream sends it.
pub fn requests(headers: &HeaderMap, now: SystemTime) -> Option<RateLimit> {
    [KINDS[0], KINDS[2]]
        .into_iter()
        .find_map(|kind| read(headers, kind, now))
}

fn read(
    headers: &HeaderMap,
    (remaining, reset): (&str, &str),
    now: SystemTime,
) -> Option<RateLimit> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    Some(RateLimit {
        remaining: text(remaining)?.trim().parse().ok()?,
        reset_in: reset_in(text(reset)?.trim(), now)?,
    })
}

/// How long until a reset: a Go duration, plain seconds, an epoch in seconds or milliseconds, an RFC 3339 time or an
/// HTTP date.
pub fn reset_in(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            1e12.. => until(
                UNIX_EPOCH + Duration::try_from_secs_f64(number / 1000.0).ok()?,
                now,
            ),
            1e9.. => until(UNIX_EPOCH + Duration::try_from_secs_f64(number).ok()?, now),
            _ => Duration::try_from_secs_f64(number).ok(),
        };
    }
    // A time of day contains a colon; a duration with units does not.
    if !text.contains(':') {
        return SpanParser::new().parse_unsigned_duration(text).ok();
    }
    let time = match text.parse::<Timestamp>() {
        Ok(rfc3339) => rfc3339.try_into().ok()?,
        Err(_) => httpdate::parse_http_date(text).ok()?,
    };
    until(time, now)
}

fn until(time: SystemTime, now: SystemTime) -> Option<Duration> {
    Some(time.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use http::HeaderMap;

    use super::{exhausted, requests, reset_in};

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_792_584_000) // 2026-10-21T12:00:00Z
    }

    #[test]
    fn every_form_of_a_reset_is_understood() {
        let millis = |text: &str| reset_in(text, now()).map(|wait| wait.as_millis());
        assert_eq!(millis("1s"), Some(1000));
        assert_eq!(millis("6m0s"), Some(360_000));
        assert_eq!(millis("547ms"), Some(547));
        assert_eq!(millis("2m52.8s"), Some(172_800));
        assert_eq!(millis("1h0m0.5s"), Some(3_600_500));
        assert_eq!(reset_in("12µs", now()), Some(Duration::from_micros(12)));
        assert_eq!(millis("64"), Some(64_000));
        assert_eq!(millis("1792584030"), Some(30_000));
        assert_eq!(millis("1792584030000"), Some(30_000));
        assert_eq!(millis("2026-10-21T12:00:30Z"), Some(30_000));
        assert_eq!(millis("2026-10-21T14:00:30.5+02:00"), Some(30_500));
        assert_eq!(millis("2026-10-21T11:00:00Z"), Some(0));
        assert_eq!(millis("2026-10-21 12:00:30z"), Some(30_000));
        assert_eq!(millis("Wed, 21 Oct 2026 12:01:00 GMT"), Some(60_000));
        // The two obsolete formats, which a recipient must still accept (RFC 9110, section 5.6.7).
        assert_eq!(millis("Wednesday, 21-Oct-26 12:01:00 GMT"), Some(60_000));
        assert_eq!(millis("Wed Oct 21 12:01:00 2026"), Some(60_000));
        for wrong in ["", "soon", "5x", "2026-10-21", "-3", "-3s", "12:00"] {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_is_used_up_counts() {
        let mut headers = HeaderMap::new();
        let mut put =
            |name: &'static str, value: &str| headers.insert(name, value.parse().unwrap());
        put("x-ratelimit-remaining-requests", "3");
        put("x-ratelimit-reset-requests", "20s");
        put("x-ratelimit-remaining-tokens", "0");
        put("x-ratelimit-reset-tokens", "6m0s");
        assert_eq!(exhausted(&headers, now()), Some(Duration::from_secs(360)));
        assert_eq!(requests(&headers, now()).unwrap().remaining, 3);
        headers.insert("x-ratelimit-remaining-tokens", "-27978".parse().unwrap());
        assert_eq!(exhausted(&headers, now()), None);
        for (names, text, reset) in [
            (
                ("x-ratelimit-remaining", "x-ratelimit-reset"),
                "0",
                "1792584030000",
            ),
            (super::PLAN, "rejected", "1792584030"),
        ] {
            headers.insert(names.0, text.parse().unwrap());
            headers.insert(names.1, reset.parse().unwrap());
            assert_eq!(exhausted(&headers, now()), Some(Duration::from_secs(30)));
            headers.remove(names.0);
        }
    }
}
