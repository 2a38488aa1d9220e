//! Model patterns: a name, a prefix followed by `*`, or `*` alone.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::sync::Arc;

/// Which models a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Arc<str>,
}

impl Pattern {
    /// Takes a pattern that has passed the configuration's checks: it has at most one `*`, at its end.
    pub fn new(text: &str) -> Self {
        Self { text: text.into() }
    }

    /// Whether the pattern matches a model.
    pub fn matches(&self, model: &str) -> bool {
        match self.prefix() {
            Some(prefix) => model.starts_with(prefix),
            None => model == &*self.text,
        }
    }

    /// The one model that it matches, if it has no `*`.
    pub fn exact(&self) -> Option<&str> {
        match self.prefix() {
            Some(_) => None,
            None => Some(&self.text),
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &Arc<str> {
        &self.text
    }

    /// Exact names before prefixes, long prefixes before short ones.
    pub fn cmp_specific_first(&self, other: &Self) -> Ordering {
        let rank = |pattern: &Self| (pattern.prefix().is_some(), Reverse(pattern.text.len()));
        rank(self).cmp(&rank(other))
    }

    fn prefix(&self) -> Option<&str> {
        self.text.strip_suffix('*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn names_prefixes_and_the_star_match_what_they_say() {
        assert!(Pattern::new("gpt-4o").matches("gpt-4o"));
        assert!(!Pattern::new("gpt-4o").matches("gpt-4o-mini"));
        assert!(Pattern::new("gpt-4o-*").matches("gpt-4o-mini"));
        assert!(!Pattern::new("gpt-4o-*").matches("gpt-4o"));
        assert!(Pattern::new("*").matches(""));
    }

    #[test]
    fn the_most_specific_comes_first() {
        let mut patterns = ["*", "gpt-*", "gpt-4o", "gpt-4o-*"].map(Pattern::new);
        patterns.sort_by(Pattern::cmp_specific_first);
        assert_eq!(
            patterns.map(|pattern| pattern.to_string()),
            ["gpt-4o", "gpt-4o-*", "gpt-*", "*"]
        );
    }
}
