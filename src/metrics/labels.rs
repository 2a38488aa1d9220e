//! Values of labels: few, so that clients cannot create series.

use crate::event::ScopeId;

/// The upstream as a whole has no model; to Prometheus an empty label is none.
pub(super) fn model_label(scope: &ScopeId) -> &str {
    scope.model.as_deref().unwrap_or_default()
}

/// HTTP defines statuses up to 599; whatever an upstream invents beyond is one label.
pub(super) fn status_label(status: u16) -> String {
    match status {
        100..=599 => status.to_string(),
        _ => "other".to_owned(),
    }
}
