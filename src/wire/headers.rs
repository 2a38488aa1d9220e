//! Hop-by-hop headers, and headers that carry media types and times.

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

use super::waits::wait_until;

/// The media type of JSON.
pub const JSON_TYPE: &str = "application/json";
/// The content type of the JSON that we write.
pub const JSON: HeaderValue = HeaderValue::from_static(JSON_TYPE);

/// The media type of server-sent events.
pub const EVENTS: &str = "text/event-stream";

/// The media type of a web page.
pub const PAGE: &str = "text/html";

/// Whether a header concerns one connection only (RFC 9110, section 7.6.1).
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The end-to-end headers among those that may pass.
pub fn end_to_end(mut headers: HeaderMap, may_pass: impl Fn(&str) -> bool) -> HeaderMap {
    // Hardly any sender lists header names there.
    let mut connection = headers.get_all(header::CONNECTION).iter();
    let has_more = connection.any(|value| value != "keep-alive" && value != "close");
    let passes = |name: &&HeaderName| {
        may_pass(name.as_str())
            && !is_hop_by_hop(name.as_str())
            && !(has_more && is_named_by_connection(&headers, name))
    };
    let names = headers.keys().filter(|name| !passes(name));
    let kept_back: Vec<HeaderName> = names.cloned().collect();
    for name in kept_back {
        headers.remove(name);
    }
    headers
}

/// A sender may declare further headers as hop-by-hop by listing them in `connection`.
fn is_named_by_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(name.as_str()))
}

/// Whether `content-type` is this media type; parameters are ignored.
pub fn has_media_type(headers: &HeaderMap, wanted: &str) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let value = value.as_bytes();
    let end = memchr(b';', value).unwrap_or(value.len());
    let media = value[..end].trim_ascii();
    media.eq_ignore_ascii_case(wanted.as_bytes())
}

/// How long the sender asks us to wait: `retry-after-ms` (milliseconds), else `retry-after` (seconds or an HTTP date,
/// RFC 9110, section 10.2.3, or what else senders put there).
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let in_millis = text(HeaderName::from_static("retry-after-ms"));
    if let Some(millis) = in_millis.and_then(|value| value.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    wait_until(text(header::RETRY_AFTER)?.trim(), now)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use http::HeaderMap;

    use super::{end_to_end, has_media_type, retry_after};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn what_is_about_one_connection_does_not_pass() {
        let passed = end_to_end(
            headers(&[
                ("secret", "1"),
                ("connection", "close, X-Private"),
                ("x-private", "1"),
                ("transfer-encoding", "chunked"),
                ("openai-beta", "assistants=v2"),
            ]),
            |name| name != "secret",
        );
        assert_eq!(passed, headers(&[("openai-beta", "assistants=v2")]));
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let now = SystemTime::UNIX_EPOCH;
        let wait = |name, value| retry_after(&headers(&[(name, value)]), now);
        assert_eq!(wait("retry-after", "30"), Some(Duration::from_secs(30)));
        assert_eq!(
            wait("retry-after-ms", "250"),
            Some(Duration::from_millis(250))
        );
        assert_eq!(
            wait("retry-after", "Thu, 01 Jan 1970 00:01:00 GMT"),
            Some(Duration::from_secs(60))
        );
        let epoch = headers(&[("retry-after", "1000000030")]);
        let later = now + Duration::from_secs(1_000_000_000);
        assert_eq!(retry_after(&epoch, later), Some(Duration::from_secs(30)));
        assert_eq!(
            wait("retry-after", "500ms"),
            Some(Duration::from_millis(500))
        );
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(wait("retry-after", "-3"), None);
    }

    #[test]
    fn media_types_are_compared_without_parameters() {
        let map = headers(&[("content-type", "Text/Event-Stream; charset=utf-8")]);
        assert!(has_media_type(&map, "text/event-stream"));
        assert!(!has_media_type(&map, "application/json"));
    }
}
