//! Rules about the errors of upstreams: each must say which errors it is about, and what they mean.

use super::notes::Check;
use crate::config::error_rule::ErrorRule;
use crate::config::path::Path;

impl Check<'_> {
    pub(super) fn errors(&mut self, rules: &[ErrorRule], path: &Path) {
        for (index, rule) in rules.iter().enumerate() {
            let path = path.index(index);
            let is_clear = ["status", "code", "words"]
                .iter()
                .all(|key| !self.found.is_spoilt(&path.key(key)));
            if rule.is_empty() && is_clear {
                self.note(
                    path.clone(),
                    "fits every error: name a status, a code or words",
                );
            }
            if rule
                .status
                .is_some_and(|status| !(400..=599).contains(&status))
            {
                self.note(
                    path.key("status"),
                    "is no error's: it must be between 400 and 599",
                );
            }
            for (key, text) in [("code", &rule.code), ("words", &rule.words)] {
                if text.as_deref().is_some_and(|text| text.trim().is_empty()) {
                    self.note(path.key(key), "is empty: leave it out for any");
                }
            }
            if rule.outcome.is_none() && !self.found.is_spoilt(&path.key("outcome")) {
                self.note(
                    path.key("outcome"),
                    "is missing: say what such an error means, for example quota_exhausted",
                );
            }
        }
    }
}
