//! What is looked at, and the notes of what is wrong with it.

use serde_yaml::Value;

use crate::config::file::Config;
use crate::config::path::Path;
use crate::config::problem::Found;

/// A configuration that is being checked.
pub(super) struct Check<'a> {
    pub(super) config: &'a Config,
    /// The values that the configuration was read from: they tell what was left out.
    pub(super) value: &'a Value,
    pub(super) found: &'a mut Found,
}

impl Check<'_> {
    pub(super) fn note(&mut self, path: Path, message: impl Into<String>) {
        self.found.note(path, message, None);
    }
}
