//! Names of tools that an API does not accept, and the names that replace them.

use std::collections::HashMap;

/// The names that were sent, and the client's own.
#[derive(Clone, Debug)]
pub struct Names {
    /// The longest name that is accepted.
    longest: usize,
    /// The client's names, by the names that were sent.
    own: HashMap<String, String>,
    /// The names that were sent, by the client's names.
    sent: HashMap<String, String>,
    /// A name that is reserved.
    taken: Option<&'static str>,
}

impl Names {
    /// For an API that accepts names of up to so many letters, digits, `_` and `-`, as all do.
    pub(super) fn up_to(longest: usize) -> Self {
        Self {
            longest,
            own: HashMap::new(),
            sent: HashMap::new(),
            taken: None,
        }
    }

    /// Reserves a name for something that is not the client's.
    pub(super) fn keep_free(&mut self, name: &'static str) {
        self.taken = Some(name);
    }

    /// The name to send.
    pub(super) fn send(&mut self, name: &str) -> String {
        let is_fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let is_free = self.taken != Some(name);
        if is_free && !name.is_empty() && name.len() <= self.longest && name.chars().all(is_fine) {
            return name.to_owned();
        }
        if let Some(sent) = self.sent.get(name) {
            return sent.clone();
        }
        let letters = name
            .chars()
            .map(|letter| if is_fine(letter) { letter } else { '_' });
        // Leaves room for the number.
        let readable: String = letters.take(self.longest - 10).collect();
        let sent = format!("t{}_{readable}", self.own.len());
        self.own.insert(sent.clone(), name.to_owned());
        self.sent.insert(name.to_owned(), sent.clone());
        sent
    }

    /// The client's name of a tool.
    pub(super) fn own<'a>(&'a self, sent: &'a str) -> &'a str {
        self.own.get(sent).map_or(sent, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_that_are_not_taken_have_others_in_their_place() {
        let mut names = Names::up_to(64);
        assert_eq!(names.send("get_weather"), "get_weather");
        let long = format!("mcp__{}", "x".repeat(80));
        for name in ["get weather!", "获取天气", "", &long] {
            let sent = names.send(name);
            assert!(sent.len() <= 64 && sent != name, "{name}: {sent}");
            assert_eq!(names.send(name), sent);
            assert_eq!(names.own(&sent), name);
        }
        assert_eq!(names.own("unheard-of"), "unheard-of");
        names.keep_free("web_search");
        let sent = names.send("web_search");
        assert!(sent != "web_search" && names.own(&sent) == "web_search");
    }
}
