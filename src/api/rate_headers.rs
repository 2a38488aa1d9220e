//! Response headers that tell a client where it stands with its limits, in the words of its API.
//!
//! `OpenAI`: <https://platform.openai.com/docs/guides/rate-limits>, where a time is `1m0s`, `12.25s` or `250ms`. Anthropic:
//! <https://platform.claude.com/docs/en/api/rate-limits>, where it is a moment in RFC 3339.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::clients::{Standing, Standings};
use crate::request::ClientApi;

/// The headers about one limit: how much it allows, what is left, and when all of it is.
type Names = [HeaderName; 3];

static OPENAI: [Names; 2] = [
    [
        HeaderName::from_static("x-ratelimit-limit-requests"),
        HeaderName::from_static("x-ratelimit-remaining-requests"),
        HeaderName::from_static("x-ratelimit-reset-requests"),
    ],
    [
        HeaderName::from_static("x-ratelimit-limit-tokens"),
        HeaderName::from_static("x-ratelimit-remaining-tokens"),
        HeaderName::from_static("x-ratelimit-reset-tokens"),
    ],
];
static ANTHROPIC: [Names; 2] = [
    [
        HeaderName::from_static("anthropic-ratelimit-requests-limit"),
        HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
        HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    ],
    [
        HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
        HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
        HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
    ],
];
/// How such headers begin, whoever wrote them.
const FAMILIES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// Sets the headers about the client's limits, in place of an upstream's about ours.
pub(super) fn put(headers: &mut HeaderMap, client_api: ClientApi, standings: &Standings) {
    let of_both = [standings.requests, standings.tokens];
    if of_both.iter().all(Option::is_none) {
        return;
    }
    remove_upstreams(headers);
    let names = match client_api {
        ClientApi::OpenAi => &OPENAI,
        ClientApi::Anthropic => &ANTHROPIC,
    };
    for (names, standing) in names.iter().zip(of_both) {
        if let Some(standing) = standing {
            put_one(headers, client_api, names, standing);
        }
    }
}

fn remove_upstreams(headers: &mut HeaderMap) {
    let is_one = |name: &&HeaderName| {
        let name = name.as_str();
        FAMILIES.iter().any(|family| name.starts_with(family))
    };
    while let Some(name) = headers.keys().find(is_one).cloned() {
        headers.remove(name);
    }
}

fn put_one(headers: &mut HeaderMap, client_api: ClientApi, names: &Names, standing: Standing) {
    let reset = match client_api {
        ClientApi::OpenAi => brief(standing.reset),
        ClientApi::Anthropic => value(moment(standing.reset)),
    };
    let [most, remaining, when] = names;
    headers.insert(most, HeaderValue::from(standing.most));
    headers.insert(remaining, HeaderValue::from(standing.remaining));
    headers.insert(when, reset);
}

/// As Go writes a duration of at most a minute.
fn brief(time: Duration) -> HeaderValue {
    match time.as_millis() {
        60_000.. => HeaderValue::from_static("1m0s"),
        0 => HeaderValue::from_static("0s"),
        ms @ ..1000 => value(format!("{ms}ms")),
        _ => value(format!("{}s", time.as_secs_f64())),
    }
}

/// Digits and letters are always valid.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("0s"))
}

fn moment(ahead: Duration) -> String {
    let now = Timestamp::now();
    let then = now.checked_add(ahead).unwrap_or(now);
    // Up to the next second: whoever waits for it must not come too early.
    let seconds = then.as_second() + i64::from(then.subsec_nanosecond() > 0);
    Timestamp::from_second(seconds).unwrap_or(then).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use jiff::Timestamp;

    use super::{Standing, Standings, brief, moment, put};
    use crate::request::ClientApi;

    #[test]
    fn times_are_written_as_the_api_writes_them() {
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (12_250, "12.25s"),
            (30_000, "30s"),
            (60_000, "1m0s"),
        ] {
            assert_eq!(brief(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn a_moment_is_the_next_whole_second_and_never_too_early() {
        let wait = Duration::from_secs(30);
        let earliest = Timestamp::now() + wait;
        let given: Timestamp = moment(wait).parse().unwrap();
        let latest = Timestamp::now() + wait + Duration::from_secs(1);
        assert!(earliest <= given && given <= latest, "{given}");
        assert_eq!(given.subsec_nanosecond(), 0);
    }

    #[test]
    fn what_an_upstream_says_of_our_limits_gives_way() {
        let theirs = |headers: &mut HeaderMap| {
            headers.insert("x-ratelimit-limit-requests", "10000".parse().unwrap());
            headers.append("x-ratelimit-remaining-tokens", "1".parse().unwrap());
            headers.insert(
                "anthropic-ratelimit-input-tokens-limit",
                "5".parse().unwrap(),
            );
            headers.insert("x-other", "7".parse().unwrap());
        };
        let standing = Standing {
            most: 60,
            remaining: 59,
            reset: Duration::from_secs(60),
        };
        let standings = Standings {
            requests: Some(standing),
            tokens: None,
        };
        for (client_api, name) in [
            (ClientApi::OpenAi, "x-ratelimit-remaining-requests"),
            (
                ClientApi::Anthropic,
                "anthropic-ratelimit-requests-remaining",
            ),
        ] {
            let mut headers = HeaderMap::new();
            theirs(&mut headers);
            put(&mut headers, client_api, &standings);
            assert_eq!(headers.len(), 4, "{headers:?}");
            assert_eq!(headers[name], "59");
            put(&mut headers, client_api, &Standings::default());
            assert_eq!(headers.len(), 4, "nothing is limited: {headers:?}");
        }
    }
}
