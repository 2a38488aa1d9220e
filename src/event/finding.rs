//! What there is to say about the models that the configuration names.

use std::fmt;

use jiff::civil::{Date, date};

use crate::config::UpstreamId;

/// What there is to say about a model that the configuration names: it is missing, or it retires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFinding {
    /// At which upstream.
    pub upstream: UpstreamId,
    /// Its name there.
    pub model: String,
    /// Whether the upstream lists models, and not this one.
    pub is_missing: bool,
    /// The model that is asked for instead.
    pub replaced_by: Option<String>,
    /// The first day without it.
    pub retires: Option<Date>,
}

impl ModelFinding {
    /// When it retires, in seconds since 1970.
    pub fn retires_at(&self) -> Option<i64> {
        let since = self.retires?.duration_since(date(1970, 1, 1));
        Some(since.as_secs())
    }
}

impl fmt::Display for ModelFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            upstream, model, ..
        } = self;
        let retires = self.retires.map(|day| format!("retires on {day}"));
        match (self.is_missing, &self.replaced_by, retires) {
            (true, Some(other), _) => write!(
                f,
                "{upstream} does not list {model} any more, and is asked for {other} instead"
            ),
            (true, None, None) => write!(f, "{upstream} does not list {model}"),
            (true, None, Some(retires)) => {
                write!(f, "{upstream} does not list {model}, which {retires}")
            }
            (false, _, Some(retires)) => write!(f, "{model} at {upstream} {retires}"),
            (false, _, None) => write!(f, "{upstream} has {model}"),
        }
    }
}
