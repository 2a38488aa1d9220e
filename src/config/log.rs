//! What is logged.

use serde::Deserialize;

/// What is logged, besides what `--log` decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The level of the line that each request gets when it is over.
    pub requests: RequestLines,
}

/// The level of the lines about single requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestLines {
    /// There are none.
    Off,
    /// Shown with `--log debug`.
    #[default]
    Debug,
    /// Shown with `--log info`, which is the default.
    Info,
}
