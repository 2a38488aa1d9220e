//! What an import left out or changed, for standard error. No value of the file stands there: it may be a key.

use std::fmt;

use indexmap::IndexMap;

/// Notes, in the order of the file; the same note about several models is one line.
#[derive(Default)]
pub(super) struct Notes {
    /// By key and reason: the models that it was about; none: the file as a whole.
    left_out: IndexMap<(String, String), Vec<String>>,
    to_know: Vec<String>,
}

impl Notes {
    /// A key, as a path in the file, was left out.
    pub(super) fn left_out(&mut self, key: impl Into<String>, why: impl Into<String>) {
        self.left_out.entry((key.into(), why.into())).or_default();
    }

    /// A key of a model was left out.
    pub(super) fn left_out_of(&mut self, model: &str, key: &str, why: impl Into<String>) {
        let models = self.left_out.entry((key.to_owned(), why.into()));
        let models = models.or_default();
        if models.iter().all(|known| known != model) {
            models.push(model.to_owned());
        }
    }

    /// Something else that whoever imports should know.
    pub(super) fn tell(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.to_know.contains(&text) {
            self.to_know.push(text);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left_out.is_empty() && self.to_know.is_empty()
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        if !self.left_out.is_empty() {
            lines.push("left out:".to_owned());
        }
        for ((key, why), models) in &self.left_out {
            lines.push(match models.is_empty() {
                true => format!("  {key}: {why}"),
                false => format!("  {key} ({}): {why}", models.join(", ")),
            });
        }
        if !self.to_know.is_empty() {
            lines.push("to know:".to_owned());
        }
        lines.extend(self.to_know.iter().map(|text| format!("  {text}")));
        f.write_str(&lines.join("\n"))
    }
}
