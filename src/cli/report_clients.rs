//! The part of a report about each client: how much it asked for, and what it cost.

use serde_json::Value;

use super::answer::{list, said};

/// The heads of its columns.
pub(super) const HEADS: [&str; 6] = [
    "each client",
    "requests",
    "failed",
    "limited",
    "input",
    "output",
];

/// The cells of one client's line.
pub(super) fn cells(name: &str, figures: &Value) -> [String; 6] {
    let count = |place: &str| short(figures.pointer(place).and_then(Value::as_u64).unwrap_or(0));
    [
        format!("  {name}"),
        count("/requests"),
        count("/failed"),
        count("/limited"),
        count("/tokens/input"),
        count("/tokens/output"),
    ]
}

/// The clients with their figures of one window; those that asked for nothing are left out.
pub(super) fn of_window<'a>(answer: &'a Value, window: &str) -> Vec<(&'a str, &'a Value)> {
    let all = list(&answer["by_client"]);
    all.map(|client| (said(&client["name"]), &client["windows"][window]))
        .filter(|(_, figures)| !figures.is_null())
        .collect()
}

/// A count in at most seven characters: `999999`, `1.0M`, `12.3G`.
fn short(count: u64) -> String {
    let scaled = |unit: u64, letter: char| {
        let tenths = count / (unit / 10);
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    };
    match count {
        0..1_000_000 => count.to_string(),
        1_000_000..1_000_000_000 => scaled(1_000_000, 'M'),
        1_000_000_000..1_000_000_000_000 => scaled(1_000_000_000, 'G'),
        _ => scaled(1_000_000_000_000, 'T'),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn counts_are_short_and_never_rounded_up() {
        for (count, text) in [
            (0, "0"),
            (999_999, "999999"),
            (1_000_000, "1.0M"),
            (1_999_999, "1.9M"),
            (999_999_999, "999.9M"),
            (12_345_678_901, "12.3G"),
            (5_000_000_000_000, "5.0T"),
        ] {
            assert_eq!(short(count), text);
        }
    }
}
