//! The certificates that we show: to clients, and to upstreams that ask for one. Whoever checks one that has expired refuses us.

use std::path::Path;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use tokio::sync::watch;
use tokio::time::timeout;

use super::foundation::Foundation;
use crate::config::{Config, Problem};
use crate::wire::tls::{Validity, validity};

/// How often to look. What is to be said is said again then.
const LOOK: Duration = Duration::from_secs(24 * 3600);
/// So long before one expires it is said: 14 days.
const SOON_HOURS: i64 = 14 * 24;
/// What to do about it.
const HINT: &str = "put a renewed one in its place, which a reload loads";

/// Looks now, whenever a configuration is loaded, and every day, for as long as it is polled.
pub(super) async fn run(foundation: Foundation, mut configs: watch::Receiver<Config>) {
    loop {
        let config = configs.borrow_and_update().clone();
        let shown = shown(&config);
        let expiries = shown.iter().map(|(place, _, validity)| {
            let until = i64::try_from(validity.until).unwrap_or(i64::MAX);
            (place.as_str(), until)
        });
        foundation.metrics.certificates(expiries);
        for warning in warnings(&shown, Timestamp::now()) {
            tracing::warn!("{warning}");
        }
        if matches!(timeout(LOOK, configs.changed()).await, Ok(Err(_))) {
            return;
        }
    }
}

/// What is to be said of the certificates of a configuration.
pub fn check_expiry(config: &Config) -> Vec<Problem> {
    warnings(&shown(config), Timestamp::now())
}

/// Where a certificate stands in the configuration, its file, and when it is valid.
type Shown<'a> = (String, &'a Path, Validity);

/// Those that can be read: what is wrong with the others is said elsewhere.
fn shown(config: &Config) -> Vec<Shown<'_>> {
    let of_listener = config.tls.iter();
    let of_listener = of_listener.map(|tls| ("tls.cert".to_owned(), tls.cert.as_path()));
    let of_upstreams = config.upstreams.iter().filter_map(|(id, upstream)| {
        let place = format!("upstreams.{id}.client_cert");
        Some((place, upstream.client_cert.as_deref()?))
    });
    let all = of_listener.chain(of_upstreams);
    all.filter_map(|(place, file)| Some((place, file, validity(file).ok()?)))
        .collect()
}

fn warnings(shown: &[Shown<'_>], now: Timestamp) -> Vec<Problem> {
    let problem = |(place, file, validity): &Shown<'_>| {
        let file = file.display();
        let what = said(*validity, now)?;
        Some(Problem {
            path: place.clone(),
            line: None,
            message: format!("the certificate in {file} {what}"),
            hint: Some(HINT.to_owned()),
        })
    };
    shown.iter().filter_map(problem).collect()
}

fn said(validity: Validity, now: Timestamp) -> Option<String> {
    let time = |seconds: u64| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    };
    let (from, until) = (time(validity.from), time(validity.until));
    let is_soon = now
        .checked_add(SOON_HOURS.hours())
        .is_ok_and(|soon| until <= soon);
    let refused = "whoever checks it refuses the connection";
    match () {
        () if until < now => Some(format!("has expired ({until}): {refused}")),
        () if from > now => Some(format!("is not valid before {from}: {refused} until then")),
        () if is_soon => Some(format!("expires soon ({until})")),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Validity, said};

    #[test]
    fn it_is_said_before_a_certificate_is_valid_and_two_weeks_before_it_expires() {
        let second = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_second();
        let validity = Validity {
            from: second("2026-01-01T00:00:00Z").unsigned_abs(),
            until: second("2027-01-15T00:00:00Z").unsigned_abs(),
        };
        for (now, expected) in [
            ("2025-12-31T23:59:59Z", Some("is not valid before")),
            ("2026-01-01T00:00:00Z", None),
            ("2026-12-31T23:59:59Z", None),
            ("2027-01-01T00:00:00Z", Some("expires soon")),
            ("2027-01-15T00:00:01Z", Some("has expired")),
        ] {
            let said = said(validity, now.parse().unwrap());
            let begins = |begin: &str| said.as_ref().is_some_and(|said| said.starts_with(begin));
            assert!(
                expected.map_or_else(|| said.is_none(), begins),
                "{now}: {said:?}"
            );
        }
    }
}
