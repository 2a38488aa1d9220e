//! What went wrong with TLS, in words for whoever has to mend it.

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error, InvalidMessage};

/// Why a connection to a server is not trusted, or could not be made.
pub fn in_words(error: &Error) -> String {
    use CertificateError::{ExpiredContext, NotValidYetContext, UnknownIssuer};
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS at this port; plain servers want http://".to_owned()
        }
        Error::InvalidCertificate(ExpiredContext { time, not_after }) => {
            let (end, now) = (day(*not_after), day(*time));
            format!("its certificate expired at {end}, and it is {now} here")
        }
        Error::InvalidCertificate(NotValidYetContext { time, not_before }) => {
            let (begin, now) = (day(*not_before), day(*time));
            format!("its certificate is not valid before {begin}, and it is {now} here")
        }
        Error::InvalidCertificate(UnknownIssuer) => {
            "nobody whom we trust vouches for its certificate (UnknownIssuer)".to_owned()
        }
        other => other.to_string(),
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::UnixTime;
    use rustls::{CertificateError, Error, InvalidMessage};

    use super::in_words;

    #[test]
    fn dates_are_dates_and_a_plain_server_is_called_one() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (time, other) = (at(1_795_947_235), at(1_767_657_600));
        for (error, words) in [
            (
                CertificateError::ExpiredContext {
                    time,
                    not_after: other,
                }
                .into(),
                "its certificate expired at 2026-01-06T00:00:00Z, and it is 2026-11-29T10:13:55Z here",
            ),
            (
                CertificateError::NotValidYetContext {
                    time: other,
                    not_before: time,
                }
                .into(),
                "its certificate is not valid before 2026-11-29T10:13:55Z, and it is 2026-01-06T00:00:00Z here",
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "it does not speak TLS at this port; plain servers want http://",
            ),
        ] {
            assert_eq!(in_words(&error), words);
        }
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(in_words(&unknown).contains("UnknownIssuer"));
    }
}
