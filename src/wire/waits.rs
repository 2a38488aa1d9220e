//! How long senders ask us to wait: each has its own way to write that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::friendly::SpanParser;

/// How long it is until then: a Go duration, plain seconds, an epoch in seconds or milliseconds, an RFC 3339 time or an
/// HTTP date.
pub fn wait_until(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            1e12.. => since_epoch(number / 1000.0, now),
            1e9.. => since_epoch(number, now),
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
    Some(until(time, now))
}

/// A sender may write any number: there may be no such time.
fn since_epoch(seconds: f64, now: SystemTime) -> Option<Duration> {
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    Some(until(UNIX_EPOCH.checked_add(since)?, now))
}

fn until(time: SystemTime, now: SystemTime) -> Duration {
    time.duration_since(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::wait_until;

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_792_584_000) // 2026-10-21T12:00:00Z
    }

    #[test]
    fn every_form_of_a_time_is_understood() {
        let millis = |text: &str| wait_until(text, now()).map(|wait| wait.as_millis());
        assert_eq!(millis("1s"), Some(1000));
        assert_eq!(millis("6m0s"), Some(360_000));
        assert_eq!(millis("547ms"), Some(547));
        assert_eq!(millis("2m52.8s"), Some(172_800));
        assert_eq!(millis("1h0m0.5s"), Some(3_600_500));
        assert_eq!(wait_until("12µs", now()), Some(Duration::from_micros(12)));
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
    fn no_number_is_too_large() {
        for number in [
            "1e17",
            "1e22",
            "12000000000000000000000",
            "1e300",
            "inf",
            "NaN",
        ] {
            let wait = wait_until(number, now());
            assert!(wait.is_none_or(|wait| wait.as_secs() > 1 << 40), "{wait:?}");
        }
    }
}
