//! Sizes as people write them: `64KiB`, `32MiB`, or a plain number of bytes.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// Reads a size, in bytes.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    deserializer.deserialize_any(Text)
}

const UNITS: [(&str, usize); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

struct Text;

impl Visitor<'_> for Text {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as 64KiB or 32MiB")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        parse(text).ok_or_else(|| {
            E::custom(format!(
                "`{text}` is not a size; write for example 64KiB or 32MiB"
            ))
        })
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<usize, E> {
        usize::try_from(bytes).map_err(E::custom)
    }
}

fn parse(text: &str) -> Option<usize> {
    let text = text.trim();
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1));
    number.trim().parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn usual_forms_are_understood_and_others_are_not() {
        assert_eq!(parse("64KiB"), Some(65_536));
        assert_eq!(parse("32 MiB"), Some(33_554_432));
        assert_eq!(parse("1GB"), Some(1_000_000_000));
        assert_eq!(parse("17"), Some(17));
        for wrong in ["", "big", "-1", "1.5MiB", "99999999999GiB"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
