//! Keys of upstreams: that there is one where one is needed, that it has one source, and that it can be sent.

use http::HeaderValue;

use super::notes::Check;
use crate::config::path::Path;
use crate::config::secret::Secret;
use crate::config::upstream::{CredentialFrom, UpstreamConfig, UpstreamId};

/// What is said of a key that is not [`is_sendable`].
pub(super) const UNSENDABLE: &str =
    "has characters that cannot be sent in an HTTP header, perhaps a line break";

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Whether a key can be sent in a header.
pub(super) fn is_sendable(key: &Secret) -> bool {
    HeaderValue::from_str(key.expose()).is_ok()
}

impl Check<'_> {
    pub(super) fn keys(&mut self, id: &UpstreamId, upstream: &UpstreamConfig, path: &Path) {
        let (one, several) = (path.key("api_key"), path.key("api_keys"));
        let is_list_written = self.is_written(id, "api_keys");
        if upstream.api_key.is_some() && is_list_written {
            self.note(several, "stands beside api_key: put all keys here");
            return;
        }
        let has_other_source = self.other_sources(id, upstream, path);
        if is_list_written && upstream.api_keys.is_empty() {
            self.note(
                several.clone(),
                "is empty: name at least one key, or leave it out",
            );
        }
        if let Some(key) = &upstream.api_key {
            self.key(key, one.clone());
        }
        for (index, key) in upstream.api_keys.iter().enumerate() {
            self.key(key, several.index(index));
        }
        let is_mentioned = self.found.is_spoilt(&several);
        if let Some(variable) = upstream.provider.key_variables().first()
            && upstream.keys().is_empty()
            && !is_mentioned
            && !has_other_source
        {
            let hint = format!("write api_key: \"${{{variable}}}\"");
            self.found.note(one, "is missing", Some(hint));
        }
    }

    /// Checks where the key comes from if it does not stand in the configuration; returns whether it does not.
    fn other_sources(&mut self, id: &UpstreamId, upstream: &UpstreamConfig, path: &Path) -> bool {
        let is_clients = upstream.credential == CredentialFrom::Client;
        let written: Vec<&str> = ["api_key", "api_keys", "api_key_file", "api_key_command"]
            .into_iter()
            .filter(|key| self.is_written(id, key))
            .chain(is_clients.then_some("credential"))
            .collect();
        if let [first, .., last] = written.as_slice() {
            let message = format!("stands beside {first}: a key has one source");
            self.note(path.key(last), message);
        }
        if let Some(file) = &upstream.api_key_file {
            let path = path.key("api_key_file");
            if file.as_os_str().is_empty() {
                self.note(path, "is empty: name a file");
            } else {
                self.file(path, file);
            }
        }
        let command = &upstream.api_key_command;
        if self.is_written(id, "api_key_command") && command.first().is_none_or(String::is_empty) {
            let message = "is empty: write a program and its arguments, for example [gcloud, auth, print-access-token]";
            self.note(path.key("api_key_command"), message);
        }
        if let Some(ttl) = upstream.api_key_ttl {
            if command.is_empty() {
                self.note(path.key("api_key_ttl"), "is for api_key_command only");
            }
            self.duration(path, "api_key_ttl", ttl);
        }
        written
            .iter()
            .any(|key| !["api_key", "api_keys"].contains(key))
    }

    /// Checks the token of operators, whom nothing else keeps from acting.
    pub(super) fn token(&mut self, token: &Secret, path: Path) {
        let length = token.expose().chars().count();
        if !is_sendable(token) {
            self.note(path, UNSENDABLE);
        } else if length < SHORTEST_TOKEN {
            let message = format!("is too short to be a secret: {length} characters");
            let hint = format!(
                "take at least {SHORTEST_TOKEN}, for example from openssl rand -hex 24; or leave it out"
            );
            self.found.note(path, message, Some(hint));
        }
    }

    fn key(&mut self, key: &Secret, path: Path) {
        if key.expose().is_empty() {
            self.note(path, "is empty");
        } else if !is_sendable(key) {
            self.note(path, UNSENDABLE);
        }
    }
}
