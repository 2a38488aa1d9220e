//! Moments as the operators' address tells them: RFC 3339, UTC, in whole seconds.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// This moment.
pub(super) fn now() -> String {
    written(Timestamp::now())
}

/// A moment in the past, so long ago.
pub(super) fn rfc3339(ago: Duration) -> String {
    let ago = SignedDuration::try_from(ago).unwrap_or_default();
    written(Timestamp::now().saturating_sub(ago).unwrap_or_default())
}

/// A moment in the future, in so long.
pub(super) fn in_future(ahead: Duration) -> String {
    let ahead = SignedDuration::try_from(ahead).unwrap_or_default();
    written(Timestamp::now().saturating_add(ahead).unwrap_or_default())
}

/// `2026-11-27T21:00:00Z`.
pub(super) fn written(moment: Timestamp) -> String {
    let whole = Timestamp::from_second(moment.as_second());
    whole.unwrap_or(moment).to_string()
}
