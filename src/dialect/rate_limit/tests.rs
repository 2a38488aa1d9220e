//! How rate limits are read from headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName};

use super::{exhausted, tightest};

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_792_584_000) // 2026-10-21T12:00:00Z
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    pairs.collect()
}

/// Headers, and after how many milliseconds a request with 1,000 tokens passes.
const CASES: &str = r#"
# OpenAI: 500 requests a minute, all of them used.
x-ratelimit-limit-requests: 500
x-ratelimit-remaining-requests: 0
x-ratelimit-reset-requests: 1m0s
=> 120
# 400 of 30,000 tokens are left, 1,000 are needed: 600 / 29,600 of 59.2 s.
x-ratelimit-limit-tokens: 30000
x-ratelimit-remaining-tokens: 400
x-ratelimit-reset-tokens: 59.2s
x-ratelimit-limit-requests: 500
x-ratelimit-remaining-requests: 499
x-ratelimit-reset-requests: 120ms
=> 1200
anthropic-ratelimit-requests-limit: 50
anthropic-ratelimit-requests-remaining: 0
anthropic-ratelimit-requests-reset: 2026-10-21T12:01:00Z
anthropic-ratelimit-input-tokens-limit: 40000
anthropic-ratelimit-input-tokens-remaining: 40000
anthropic-ratelimit-input-tokens-reset: 2026-10-21T12:00:00Z
=> 1200
# Without its size, a bucket is as good as a window. Negative remainders mean nothing.
x-ratelimit-remaining-tokens: 0
x-ratelimit-reset-tokens: 6m0s
=> 360000
x-ratelimit-remaining-tokens: -27978
x-ratelimit-reset-tokens: 6m0s
=> none
# Windows: OpenRouter, Cerebras, the IETF's three forms, Anthropic's plans.
x-ratelimit-limit: 20
x-ratelimit-remaining: 0
x-ratelimit-reset: 1792584030000
=> 30000
x-ratelimit-limit-requests-day: 1000
x-ratelimit-remaining-requests-day: 0
x-ratelimit-reset-requests-day: 33011.38
=> 33011380
ratelimit-limit: 100, 100;w=60
ratelimit-remaining: 0
ratelimit-reset: 17
=> 17000
ratelimit: limit=100, remaining=0, reset=17
=> 17000
ratelimit: "burst";r=9;t=1, "daily";r=0;t=18
=> 18000
anthropic-ratelimit-unified-status: rejected
anthropic-ratelimit-unified-reset: 1792584030
=> 30000
# Mistral and Fireworks do not say when.
x-ratelimit-limit-req-minute: 60
x-ratelimit-remaining-req-minute: 0
=> none
x-ratelimit-remaining-requests: 3
x-ratelimit-reset-requests: 20s
=> none
=> none
"#;

#[test]
fn a_refused_request_waits_for_the_next_place_and_not_until_everything_is_free_again() {
    let mut pairs = Vec::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        if let Some(millis) = line.strip_prefix("=> ") {
            let wait = exhausted(&headers(&pairs), 1000, now());
            let wait = wait.map(|wait| wait.as_millis());
            assert_eq!(wait, millis.parse().ok(), "{pairs:?}");
            pairs.clear();
        } else {
            pairs.extend(line.split_once(": "));
        }
    }
}

#[test]
fn the_tightest_allowance_counts_and_pauses_only_for_a_moment() {
    let left = |pairs: &[(&str, &str)]| {
        let left = tightest(&headers(pairs), 1000, now())?;
        Some((left.requests, left.next_in.as_millis()))
    };
    let requests = [
        ("x-ratelimit-limit-requests", "500"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "59.9s"),
    ];
    assert_eq!(left(&requests), Some((0, 119)));
    let tokens = [
        ("x-ratelimit-limit-tokens", "30000"),
        ("x-ratelimit-remaining-tokens", "2500"),
        ("x-ratelimit-reset-tokens", "55s"),
    ];
    // Two more fit; the third needs 500 tokens, at 500 a second.
    assert_eq!(left(&tokens), Some((2, 1000)));
    assert_eq!(left(&[requests, tokens].concat()), Some((0, 119)));
    let window = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1792584030000"),
    ];
    assert_eq!(left(&window), Some((0, 1000)));
    let audio = [
        ("x-ratelimit-remaining-audio-seconds", "0"),
        ("x-ratelimit-reset-audio-seconds", "9s"),
    ];
    assert_eq!(left(&audio), None);
    assert_eq!(left(&[]), None);
    let without_end = [
        ("x-ratelimit-limit", "9223372036854775807"),
        ("x-ratelimit-remaining", "9223372036854775807"),
        ("x-ratelimit-reset", "1s"),
    ];
    assert_eq!(left(&without_end), Some((i64::MAX, 1000)));
}

/// Whatever an upstream says of its limits, its answer is an answer.
#[test]
fn what_is_no_number_of_this_world_says_nothing() {
    let said = |limit: &str, remaining: &str, reset: &str| {
        let headers = headers(&[
            ("x-ratelimit-limit-requests", limit),
            ("x-ratelimit-remaining-requests", remaining),
            ("x-ratelimit-reset-requests", reset),
        ]);
        exhausted(&headers, 1000, now());
        let left = tightest(&headers, 1000, now());
        left.map(|left| (left.requests, left.limit, left.next_in.as_millis()))
    };
    assert_eq!(said("60", "5", "10s"), Some((5, Some(60), 181)));
    for no_limit in ["NaN", "Infinity", "-inf", "unlimited"] {
        assert_eq!(said(no_limit, "5", "10s"), Some((5, None, 1000)));
        for reset in ["10s", no_limit] {
            assert_eq!(said(no_limit, no_limit, reset), None);
        }
    }
    let most = i64::MAX;
    assert_eq!(said("1e300", "1e300", "1"), Some((most, Some(most), 1000)));
    for endless in [
        "18446744073709551615s",
        "18446744073709549568",
        "9999-12-30T00:00:00Z",
    ] {
        assert!(said("60", "5", endless).is_some(), "{endless}");
    }
    assert_eq!(said("60", "5", "1e22"), None);
}
