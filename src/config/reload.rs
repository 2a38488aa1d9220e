//! When the configuration is read again.

use serde::Deserialize;

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
