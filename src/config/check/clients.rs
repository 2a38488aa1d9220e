//! Clients: their names and keys, which models they may use, and how much.

use std::collections::HashSet;

use super::keys::{UNSENDABLE, is_sendable};
use super::notes::Check;
use super::pattern_problem;
use crate::config::client::ClientConfig;
use crate::config::path::Path;

/// What metrics call requests without a client, and reports call clients without figures of their own.
const TAKEN: [&str; 2] = ["none", "(others)"];

impl Check<'_> {
    pub(super) fn clients(&mut self) {
        let clients = Path::default().key("clients");
        let (mut names, mut keys) = (HashSet::new(), HashSet::new());
        for (index, client) in self.config.clients.iter().enumerate() {
            let path = clients.index(index);
            if client.name.is_empty() {
                self.note(path.key("name"), "is missing: give the client a name");
            } else if TAKEN.contains(&client.name.as_str()) {
                let path = path.key("name");
                let name = self.found.shown(&path, &client.name);
                let message =
                    format!("`{name}` has a meaning of its own in figures: choose another name");
                self.note(path, message);
            } else if !names.insert(&client.name) {
                let path = path.key("name");
                let name = self.found.shown(&path, &client.name);
                let message = format!("another client is called `{name}`, too");
                self.note(path, message);
            }
            if self.has_key(client, &path) && !keys.insert(client.digest()) {
                let key = client.key_sha256.map_or("key", |_| "key_sha256");
                self.note(path.key(key), "another client has the same key");
            }
            self.allowed_models(client, &path.key("models"));
            self.client_limits(client, &path.key("limits"));
        }
    }

    /// Checks that a client has one key, as it is or as its digest.
    fn has_key(&mut self, client: &ClientConfig, path: &Path) -> bool {
        let digest = path.key("key_sha256");
        if self.found.is_spoilt(&digest) {
            return false;
        }
        let key = &client.key;
        match (key.expose().is_empty(), client.key_sha256) {
            (true, Some(_)) => true,
            (false, Some(_)) => {
                self.note(digest, "stands beside key: one of them is enough");
                false
            }
            (true, None) => {
                self.note(path.key("key"), "is missing: give the client a key");
                false
            }
            (false, None) if is_sendable(key) => true,
            (false, None) => {
                self.note(path.key("key"), UNSENDABLE);
                false
            }
        }
    }

    fn allowed_models(&mut self, client: &ClientConfig, path: &Path) {
        for (index, pattern) in client.models.iter().enumerate() {
            let path = path.index(index);
            if let Some(problem) = pattern_problem(pattern) {
                let pattern = self.found.shown(&path, pattern);
                let message = format!("`{pattern}`: {problem}");
                self.note(path, message);
            }
        }
    }

    fn client_limits(&mut self, client: &ClientConfig, path: &Path) {
        for (name, limit) in client.limits.named() {
            if limit == Some(0) {
                let message = "must be at least 1; leave it out for no limit";
                self.note(path.key(name), message);
            }
        }
    }
}
