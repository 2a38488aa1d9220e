//! A text that must not be shown.

use std::fmt;

use serde::Deserialize;

/// A key. It has no `Display`, and its `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for code that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Enough to distinguish keys: the last four characters of a long one, none of a short one.
    pub fn masked(&self) -> String {
        let length = self.0.chars().count();
        let shown: String = if length >= 16 {
            self.0.chars().skip(length - 4).collect()
        } else {
            String::new()
        };
        format!("****{shown}")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn no_more_is_shown_of_a_key_than_its_last_characters() {
        for (text, shown) in [
            ("", "****"),
            ("fifteen-letters", "****"),
            ("sixteen--letters", "****ters"),
            ("sk-proj-0123456789-äöüß", "****äöüß"),
        ] {
            let secret = Secret::from(text.to_owned());
            assert_eq!(secret.masked(), shown);
            assert_eq!(format!("{secret:?}"), "****");
        }
    }
}
