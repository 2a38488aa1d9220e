//! Keys that were copied with something around them.

use super::Look;
use crate::config::path::Path;
use crate::config::secret::Secret;

impl Look<'_> {
    pub(super) fn keys(&mut self) {
        let config = self.config;
        let upstreams = Path::default().key("upstreams");
        for (id, upstream) in &config.upstreams {
            let path = upstreams.key(id.as_ref());
            if let Some(key) = &upstream.api_key {
                self.key(key, path.key("api_key"));
            }
            for (index, key) in upstream.api_keys.iter().enumerate() {
                self.key(key, path.key("api_keys").index(index));
            }
        }
        let clients = Path::default().key("clients");
        for (index, client) in config.clients.iter().enumerate() {
            self.key(&client.key, clients.index(index).key("key"));
        }
    }

    fn key(&mut self, key: &Secret, path: Path) {
        if let Some((message, hint)) = oddity(key.expose()) {
            self.found.note(path, message, Some(hint.to_owned()));
        }
    }
}

/// What is odd about a key, with what will come of it, and the fix. None of it shows the key.
fn oddity(key: &str) -> Option<(&'static str, &'static str)> {
    let has_scheme = key
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
    if has_scheme {
        Some((
            "begins with `Bearer `, which is put in front of it anyway: the key will be refused",
            "leave `Bearer ` out",
        ))
    } else if key.starts_with('$') {
        Some((
            "begins with `$`, so it is probably the name of a variable, and will be refused as a key",
            "write \"${NAME}\", with braces, for what the variable holds",
        ))
    } else if key.contains(['"', '\'', '`', '\u{201c}', '\u{201d}']) {
        Some((
            "has quotes in it, which are sent as part of it: the key will be refused",
            "take the quotes away, in the variable or file that it comes from, too",
        ))
    } else if key.contains(char::is_whitespace) {
        Some((
            "has white space in it, which is sent as part of it: the key will be refused",
            "take the white space away",
        ))
    } else if is_placeholder(key) {
        Some((
            "looks like the placeholder of an example: the key will be refused",
            "put the real key here, or better \"${NAME}\" for a variable that holds it",
        ))
    } else {
        None
    }
}

/// Whether a key is one of an example: `sk-...`, `<key>`, `YOUR_API_KEY`, `sk-your-key`.
fn is_placeholder(key: &str) -> bool {
    let small = key.to_ascii_lowercase();
    key.contains(['<', '\u{2026}'])
        || ["...", "your-", "your_"]
            .iter()
            .any(|part| small.contains(part))
}

#[cfg(test)]
mod tests {
    use super::oddity;

    #[test]
    fn what_no_key_has_is_odd() {
        for key in [
            "Bearer sk-1",
            "bearer sk-1",
            "$OPENAI_API_KEY",
            "\"sk-1\"",
            "'sk-1'",
            " sk-1",
            "sk-1 ",
            "sk 1",
            "sk-...",
            "<key>",
            "YOUR_API_KEY",
            "your-api-key",
            "sk-your-key",
        ] {
            assert!(oddity(key).is_some(), "{key}");
        }
        for key in ["sk-proj-a_B-9", "bce-v3/ALTAK-x/y=", "AIza+Sy", "a$b", "x"] {
            assert_eq!(oddity(key), None, "{key}");
        }
    }
}
