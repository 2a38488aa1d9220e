//! Durations as people write them: `500ms`, `30s`, `2m`, `1h`, `1m30s`, `1h 30m`.

use std::fmt;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde::de::{Deserializer, Error, Visitor};

/// Reads a duration.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Text)
}

/// Reads a duration that may be left out.
pub(super) fn read_optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    read(deserializer).map(Some)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as 500ms, 30s or 2m")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| {
            E::custom(format!(
                "`{text}` is not a duration; write for example 500ms, 30s or 2m"
            ))
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Duration, E> {
        Err(E::custom(format!(
            "`{number}` has no unit; write for example {number}s or {number}ms"
        )))
    }
}

/// A number without a unit is no duration.
fn parse(text: &str) -> Option<Duration> {
    SpanParser::new().parse_unsigned_duration(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn usual_forms_are_understood_and_others_are_not() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(parse("1h 30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse(" 30 s "), Some(Duration::from_secs(30)));
        assert_eq!(parse("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("2 minutes"), Some(Duration::from_secs(120)));
        for wrong in [
            "",
            "30",
            "3 parsecs",
            "-1s",
            "s",
            "1d",
            "30s1m",
            "30s ago",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
