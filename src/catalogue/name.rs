//! Reads the names of models: what stands in front of them, their families and their versions.

use std::iter;

/// A version: `5.2` is `(5, 2)`. Dates and sizes are none.
pub(super) type Version = (u32, u32);

/// Where the name of a family may begin: behind the vendor that routers put in front (`openai/o3`,
/// `deepseek.r1-v1:0`).
pub(super) fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let without_vendors = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
    iter::once(name).chain(without_vendors)
}

/// What follows a prefix, whatever its case.
pub(super) fn strip<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Whether a name is this one, or a variant of it: with a size, a date or a tag.
pub(super) fn is_variant(name: &str, of: &str) -> bool {
    let rest = strip(name, of);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':', '@', '_']))
}

/// Whether a name in an upstream's list is a model that is asked for by this name: as such, as the path of a resource
/// (`models/gemini-3.5-flash`), or with a date or a tag (`llama3.1:latest`).
pub fn is_listed_as(asked: &str, listed: &str) -> bool {
    let listed = listed.strip_prefix("models/").unwrap_or(listed);
    is_variant(listed, asked)
}

/// Whether a part stands in a name, whatever its case.
pub(super) fn has(name: &str, part: &str) -> bool {
    let mut windows = name.as_bytes().windows(part.len());
    windows.any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// The version at the beginning of what follows a family's name.
pub(super) fn version(rest: &str) -> Option<Version> {
    let (major, rest) = number(rest)?;
    let minor = rest.strip_prefix('.').and_then(number);
    Some((major, minor.map_or(0, |(minor, _)| minor)))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    (digits.len() <= 2).then_some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::{beginnings, is_listed_as, is_variant, version};

    #[test]
    fn vendors_in_front_are_left_out() {
        let all: Vec<_> = beginnings("openrouter/us.deepseek.r1-v1:0").collect();
        assert_eq!(all, ["us.deepseek.r1-v1:0", "deepseek.r1-v1:0", "r1-v1:0"]);
    }

    #[test]
    fn versions_are_no_dates_and_no_sizes() {
        for (rest, expected) in [
            ("5", Some((5, 0))),
            ("5.10-mini", Some((5, 10))),
            ("4o", Some((4, 0))),
            ("2507", None),
            ("oss-120b", None),
            ("", None),
        ] {
            assert_eq!(version(rest), expected, "{rest}");
        }
    }

    #[test]
    fn lists_may_say_more_than_the_name() {
        for (asked, listed, is_it) in [
            ("gemini-3.8-flash", "models/gemini-3.8-flash", true),
            ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", true),
            ("llama3.1", "llama3.1:latest", true),
            ("openai/gpt-oss-120b", "openai/gpt-oss-20b", false),
            ("gpt-4o-2024-05-13", "gpt-4o", false),
        ] {
            assert_eq!(is_listed_as(asked, listed), is_it, "{asked} {listed}");
        }
    }

    #[test]
    fn a_variant_is_no_other_model() {
        assert!(is_variant("GPT-4o-2024-08-06", "gpt-4o"));
        assert!(!is_variant("gpt-4.5-preview", "gpt-4"));
        assert!(!is_variant("gpt-4omni", "gpt-4o"));
    }
}
