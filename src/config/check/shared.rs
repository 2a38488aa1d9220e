//! What replicas share. No message shows a URL, which may hold a password.

use super::notes::Check;
use crate::config::path::Path;
use crate::config::shared::RedisUrl;

impl Check<'_> {
    pub(super) fn shared(&mut self) {
        let path = Path::default().key("shared");
        if self
            .value
            .get("shared")
            .is_none_or(serde_yaml::Value::is_null)
        {
            return;
        }
        let config = &self.config.shared;
        let redis = path.key("redis");
        if config.redis.is_empty() && !self.found.is_spoilt(&redis) {
            self.note(
                redis.clone(),
                "is missing: write for example redis://127.0.0.1:6379",
            );
        }
        let is_list = self.value["shared"]["redis"].is_sequence();
        for (index, url) in config.redis.iter().enumerate() {
            if let Err(why) = RedisUrl::parse(url.expose()) {
                let place = match is_list {
                    true => redis.index(index),
                    false => redis.clone(),
                };
                self.note(place, why);
            }
        }
        if config.sentinel.as_deref().is_some_and(str::is_empty) {
            self.note(
                path.key("sentinel"),
                "is empty: write the name of the master, for example mymaster",
            );
        }
        if let Some(file) = &config.ca_file {
            self.file(path.key("ca_file"), file);
        }
        // It is a part of the channel's name.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if config.fleet.is_empty() || !config.fleet.chars().all(is_plain) {
            self.note(
                path.key("fleet"),
                "is made of letters, digits, `_`, `-` and `.`",
            );
        }
    }
}
