//! When the configuration is read again, and which files belong to it.

use std::path::Path;

use serde::Deserialize;

use super::file::Config;

/// When the configuration is read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadWhen {
    /// Also when one of its files has changed.
    #[default]
    OnChange,
    /// Upon SIGHUP and when operators ask for it, not by itself.
    OnRequest,
}

impl Config {
    /// The files besides its own that are read when it is loaded: certificates and their keys. Keys of accounts are not
    /// among them, since they are read again while they are used.
    pub fn files(&self) -> Vec<&Path> {
        let listener = self.tls.iter().flat_map(|tls| [&tls.cert, &tls.key]);
        let upstreams = self.upstreams.values().flat_map(|upstream| {
            let certificates = [&upstream.ca_file, &upstream.client_cert];
            certificates.into_iter().chain([&upstream.client_key])
        });
        let all = listener.chain(upstreams.flatten());
        all.map(AsRef::as_ref).collect()
    }
}
