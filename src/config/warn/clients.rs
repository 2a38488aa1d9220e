//! Keys of clients that expire soon, and models that a client may use but nobody serves.

use jiff::{Timestamp, ToSpan};

use super::Look;
use crate::config::path::Path;

/// So many days before a key expires, it is told: 14 days.
const SOON_HOURS: i64 = 14 * 24;

impl Look<'_> {
    pub(super) fn clients(&mut self) {
        let clients = Path::default().key("clients");
        let now = Timestamp::now();
        for (index, client) in self.config.clients.iter().enumerate() {
            let path = clients.index(index);
            if let Some((message, hint)) = client.expires.and_then(|end| expiry(end, now)) {
                self.found
                    .note(path.key("expires"), message, Some(hint.to_owned()));
            }
            for (index, allowed) in client.models.iter().enumerate() {
                let mut routes = self.config.routes.iter().flat_map(|route| &route.models);
                if !routes.any(|served| do_overlap(served, allowed)) {
                    let path = path.key("models").index(index);
                    let allowed = self.found.shown(&path, allowed);
                    let message = format!("`{allowed}`: no route serves such a model");
                    self.found.note(path, message, None);
                }
            }
        }
    }
}

/// What is said of a key that expires at this time.
fn expiry(end: Timestamp, now: Timestamp) -> Option<(String, &'static str)> {
    let hint = "give the client a new key, or set a later time";
    if end <= now {
        return Some((format!("the key has expired ({end}): it is refused"), hint));
    }
    let is_soon = now
        .checked_add(SOON_HOURS.hours())
        .is_ok_and(|soon| end <= soon);
    is_soon.then(|| (format!("the key expires soon ({end})"), hint))
}

/// Whether some model matches both patterns.
fn do_overlap(one: &str, other: &str) -> bool {
    match (one.strip_suffix('*'), other.strip_suffix('*')) {
        (None, None) => one == other,
        (Some(start), None) => other.starts_with(start),
        (None, Some(start)) => one.starts_with(start),
        (Some(one), Some(other)) => one.starts_with(other) || other.starts_with(one),
    }
}

#[cfg(test)]
mod tests {
    use super::{do_overlap, expiry};

    #[test]
    fn a_key_is_told_of_two_weeks_before_it_expires() {
        let expiry = |end: &str| {
            let said = expiry(
                end.parse().unwrap(),
                "2027-01-01T00:00:00Z".parse().unwrap(),
            );
            said.map(|(message, _)| message)
        };
        assert_eq!(expiry("2027-01-16T00:00:00Z"), None);
        assert!(expiry("2027-01-15T00:00:00Z").unwrap().contains("soon"));
        assert!(
            expiry("2027-01-01T00:00:00Z")
                .unwrap()
                .contains("has expired")
        );
    }

    #[test]
    fn patterns_overlap_where_one_model_matches_both() {
        for (one, other, expected) in [
            ("*", "gpt-4o", true),
            ("gpt-*", "gpt-4o*", true),
            ("gpt-4o", "gpt-*", true),
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("claude-*", "gpt-*", false),
        ] {
            assert_eq!(do_overlap(one, other), expected, "{one} {other}");
            assert_eq!(do_overlap(other, one), expected, "{one} {other}");
        }
    }
}
