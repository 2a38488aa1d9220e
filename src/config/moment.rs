//! A moment, as people write it: a day, or a day and a time.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, Error, Visitor};

/// Reads a moment; a day alone is its beginning in UTC.
pub(super) fn read_optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    deserializer.deserialize_str(Text).map(Some)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        parse(text).ok_or_else(|| {
            E::custom(format!(
                "`{text}` is no time; write for example 2027-01-31 or 2027-01-31T18:00:00Z"
            ))
        })
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let is_day = text.len() == "2027-01-31".len();
    match is_day {
        true => format!("{text}T00:00:00Z").parse().ok(),
        false => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_day_is_its_beginning_and_a_time_has_a_zone() {
        for (text, expected) in [
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("2027-01-31T18:00:00Z", "2027-01-31T18:00:00Z"),
            ("2027-01-31T18:00:00+01:00", "2027-01-31T17:00:00Z"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected);
        }
        for wrong in [
            "",
            "soon",
            "2027-02-30",
            "2027-01-31T18:00:00",
            "31.1.2027",
            "2027",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
